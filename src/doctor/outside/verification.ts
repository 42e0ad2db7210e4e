import { type Check, failed, passed, warned } from "../check.ts";
import { parseObject } from "./address.ts";
import type { Answer, Ask } from "./ask.ts";

const verify = "/api/auth/verify";
/** Long, as cookies of many programs under one domain are together. */
const longCookieBytes = 6_000;
/** More than latchkey takes, and less than any proxy refuses by itself. */
const longBodyBytes = 40_000;
const passThrough = "pass latchkey's answers on as they are: docs/proxies.md";

/** What programs and proxies get that ask who somebody is. */
export async function verificationChecks(ask: Ask): Promise<readonly Check[]> {
  const [first, second] = [await ask(verify), await ask(verify)];
  return [
    strangerCheck(first),
    cacheCheck(first, second),
    await proxyCheck(ask),
    await headerCheck(ask),
    await bodyCheck(ask),
    await metricsCheck(ask),
  ];
}

function strangerCheck(answer: Answer): Check {
  const name = "verify";
  const { code } = parseObject(answer.text);
  if (answer.status === 503)
    return failed(
      name,
      `503 ${String(code ?? "")}: nobody knows who is signed in`,
      "latchkey doctor on the server says why",
    );
  if (answer.status !== 401 || code !== "NO_CREDENTIALS")
    return failed(
      name,
      `without a cookie ${verify} answers ${answer.status}${code === undefined ? "" : ` ${String(code)}`}, not 401 NO_CREDENTIALS`,
      "have the proxy send /api/auth/ to latchkey, and ask nobody before it",
    );
  if (answer.header("www-authenticate")?.startsWith("Bearer ") !== true)
    return warned(name, "401 without WWW-Authenticate", passThrough);
  if (answer.all("set-cookie").length > 0)
    return warned(name, "a stranger is given a cookie, which latchkey does not do", passThrough);
  if (answer.header("access-control-allow-origin") !== null)
    return failed(
      name,
      "it has CORS headers, which latchkey does not send there",
      "let latchkey alone send CORS headers",
    );
  return passed(name, "401 NO_CREDENTIALS without a cookie, with WWW-Authenticate and without CORS");
}

/** Every answer of latchkey's has a request id of its own: the same one twice was kept. */
function cacheCheck(first: Answer, second: Answer): Check {
  const name = "caches";
  const remedy =
    "have no cache keep anything of this host that says no-store: one visitor would get another's answer";
  const [one, other] = [first.header("x-request-id"), second.header("x-request-id")];
  const hit = [first, second].some(
    ({ header }) =>
      header("age") !== null || /\bhit\b/i.test(header("x-cache") ?? header("cf-cache-status") ?? ""),
  );
  if (hit || (one !== null && one === other))
    return failed(name, `${verify} was answered by a cache, not by latchkey`, remedy);
  if (!/\bno-store\b/.test(first.header("cache-control") ?? ""))
    return failed(name, `${verify} does not say Cache-Control: no-store any more`, remedy);
  if (!/\bcookie\b/i.test(first.header("vary") ?? ""))
    return warned(name, `${verify} does not say Vary: Cookie any more`, passThrough);
  if (one === null)
    return warned(name, "answers have no X-Request-Id: the log's lines cannot be found by it", passThrough);
  return passed(name, `${verify} says no-store, and each answer is a new one`);
}

/** Only to a trusted proxy's question does latchkey answer a person with a page. */
async function proxyCheck(ask: Ask): Promise<Check> {
  const name = "trusted proxy";
  const headers = { accept: "text/html", "sec-fetch-mode": "navigate" };
  const answer = await ask("/api/auth/forward", { headers });
  const isPage = answer.status === 302 || answer.header("content-type")?.startsWith("text/html") === true;
  if (isPage && [302, 401].includes(answer.status))
    return passed(name, "whoever is connected to latchkey is trusted to say who the visitor is");
  const via = answer.header("via") ?? answer.header("server");
  if (answer.status === 401 && via === null)
    return passed(
      name,
      "none: latchkey is asked directly, or believes nothing of what its proxy says of visitors",
    );
  if (answer.status === 401)
    return warned(
      name,
      `${via} stands before latchkey and is not trusted: every visitor counts as its address, in limits, sessions and the log`,
      "LATCHKEY_TRUSTED_PROXIES= the address from which it connects to latchkey",
    );
  return failed(name, `/api/auth/forward answers ${answer.status}`, passThrough);
}

async function headerCheck(ask: Ask): Promise<Check> {
  const name = "long cookies";
  const answer = await ask(verify, { headers: { cookie: `other=${"x".repeat(longCookieBytes)}` } });
  if (answer.status === 401) return passed(name, `${longCookieBytes} bytes of other cookies get through`);
  return warned(
    name,
    `${longCookieBytes} bytes of other cookies are answered by ${answer.status}: visitors with many cookies cannot sign in`,
    "let the proxy take headers of 8 KB (nginx: large_client_header_buffers, HAProxy: tune.bufsize)",
  );
}

async function bodyCheck(ask: Ask): Promise<Check> {
  const name = "body limit";
  const answer = await ask("/api/auth/sign-in/email", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "x".repeat(longBodyBytes) }),
  });
  if (answer.status === 413) return passed(name, `413 for ${longBodyBytes} bytes`);
  return warned(name, `${longBodyBytes} bytes are answered by ${answer.status}, not 413`, passThrough);
}

async function metricsCheck(ask: Ask): Promise<Check> {
  const name = "metrics";
  const answer = await ask("/metrics");
  if (answer.status === 200 && /^latchkey_|^# TYPE /m.test(answer.text))
    return failed(
      name,
      "/metrics is open to everybody",
      "do not send this host's /metrics to LATCHKEY_METRICS_LISTEN",
    );
  return passed(name, `not to be had here (${answer.status})`);
}

/** What pages of other origins get: those that are listed all they need, another one nothing. */
export async function corsChecks(
  ask: Ask,
  origins: readonly string[],
  remedy: string,
): Promise<readonly Check[]> {
  const stranger = `https://${crypto.randomUUID()}.example`;
  const foreign = await preflight(ask, stranger);
  const allowed = foreign.all("access-control-allow-origin");
  const own = "let latchkey alone send CORS headers";
  const checks = [
    allowed.length === 0
      ? passed("CORS", "nothing for an origin that is not listed")
      : failed("CORS", `any origin is allowed: ${allowed.join(", ")} for ${stranger}`, own),
  ];
  for (const origin of origins) {
    const name = `CORS for ${origin}`;
    const answers = [
      await preflight(ask, origin),
      await ask("/api/auth/get-session", { headers: { origin } }),
    ];
    const values = answers.map((answer) => answer.all("access-control-allow-origin"));
    if (values.some(({ length }) => length > 1))
      checks.push(failed(name, "Access-Control-Allow-Origin is there twice: browsers take neither", own));
    else if (values.some(([value]) => value !== origin))
      checks.push(failed(name, "its pages may not call latchkey", remedy.replace("ORIGIN", origin)));
    else if (answers.some((answer) => answer.header("access-control-allow-credentials") !== "true"))
      checks.push(failed(name, "its pages may call, but without the cookie", own));
    else checks.push(passed(name, "its pages may call latchkey, with the cookie"));
  }
  return checks;
}

async function preflight(ask: Ask, origin: string): Promise<Answer> {
  return await ask("/api/auth/get-session", {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "GET" },
  });
}
