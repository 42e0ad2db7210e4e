import { isLoopbackOrigin } from "../../config/origin.ts";
import { type Check, failed, passed, warned } from "../check.ts";
import type { Answer, Ask, OutsidePlace } from "./ask.ts";

const dayS = 24 * 60 * 60;
const clockWarnMs = 30_000;
const clockFailMs = 5 * 60_000;

/** Whether plain http leads to https, path and query included; nothing to look at where the address is http. */
export async function redirectChecks(ask: Ask, { url }: OutsidePlace): Promise<readonly Check[]> {
  const name = "http";
  if (url.protocol === "http:") {
    if (isLoopbackOrigin(url.origin)) return [passed(name, "no https: this machine alone")];
    return [
      failed(
        name,
        `${url.origin} is plain http: passwords and cookies can be read on the way`,
        "docs/https.md, or a proxy with a certificate: docs/proxies.md",
      ),
    ];
  }
  const path = "/signin?callbackUrl=%2Fx&y=1";
  let answer: Answer;
  try {
    answer = await ask(path, { plain: true, headers: { accept: "text/html" } });
  } catch {
    const detail = `nothing answers at http://${url.hostname}: who types the name without https may find nothing`;
    return [warned(name, detail, "have port 80 redirect to https: docs/proxies.md")];
  }
  const location = answer.header("location");
  const remedy = "have port 80 redirect to https, with path and query: docs/proxies.md";
  if (answer.status < 300 || answer.status > 399 || location === null) {
    const detail = `http://${url.hostname} answers ${answer.status} and does not lead to https: what is sent there can be read on the way`;
    return [failed(name, detail, remedy)];
  }
  const target = URL.canParse(location, `http://${url.host}`)
    ? new URL(location, `http://${url.host}`)
    : null;
  if (target?.protocol !== "https:" || target.hostname !== url.hostname)
    return [failed(name, `http://${url.hostname} leads to ${location}, not to ${url.origin}`, remedy)];
  if (target.pathname + target.search !== path)
    return [
      warned(name, `http leads to https, but ${path} becomes ${target.pathname}${target.search}`, remedy),
    ];
  return [passed(name, `leads to https with path and query (${answer.status})`)];
}

/** What the address says of itself: HSTS, whose it is, version and health, the clock. */
export async function addressChecks(ask: Ask, { url }: OutsidePlace): Promise<readonly Check[]> {
  const health = await ask("/health");
  return [
    healthCheck(health),
    await publicUrlCheck(ask, url),
    ...hstsChecks(health, url),
    clockCheck(health),
  ];
}

function healthCheck({ status, text }: Answer): Check {
  const name = "health";
  const { status: said, version, checks = {} } = parseObject(text);
  if (status === 200 && said === "ok") return passed(name, `ready, version ${String(version)}`);
  const failing = Object.entries(checks as Readonly<Record<string, { readonly status?: unknown }>>)
    .filter(([, check]) => check.status !== "ok")
    .map(([one, check]) => `${one} ${String(check.status)}`);
  if (status === 503 && failing.length > 0)
    return failed(name, `not ready: ${failing.join(", ")}`, "latchkey doctor on the server says why");
  return failed(
    name,
    `/health answers ${status}${said === undefined ? ", and not as latchkey does" : ""}`,
    "see that latchkey runs, and that the proxy sends every path of this host to it: docs/proxies.md",
  );
}

async function publicUrlCheck(ask: Ask, url: URL): Promise<Check> {
  const name = "public URL";
  const { servers } = parseObject((await ask("/openapi.json")).text) as {
    readonly servers?: readonly { readonly url?: string }[];
  };
  const own = servers?.[0]?.url;
  if (own === undefined || !URL.canParse(own))
    return failed(
      name,
      "/openapi.json is not latchkey's",
      "have the proxy send every path of this host to latchkey: docs/proxies.md",
    );
  if (new URL(own).origin === url.origin) return passed(name, `${url.origin}, as latchkey has it`);
  return failed(
    name,
    `latchkey believes to be ${own}: cookies, links and forms are for that, and forms here are refused`,
    `BETTER_AUTH_URL=${url.origin}`,
  );
}

function hstsChecks(answer: Answer, url: URL): readonly Check[] {
  if (url.protocol !== "https:") return [];
  const name = "HSTS";
  const values = answer.all("strict-transport-security");
  const [value] = values;
  if (value === undefined)
    return [
      warned(
        name,
        "missing: the first request of a browser may go over plain http",
        `BETTER_AUTH_URL=${url.origin}, of which latchkey sends it; see that the proxy does not remove it`,
      ),
    ];
  if (values.length > 1)
    return [warned(name, `sent ${values.length} times; only the first counts`, "let latchkey alone send it")];
  const seconds = Number(/max-age\s*=\s*"?(\d+)/i.exec(value)?.[1] ?? 0);
  if (seconds >= 180 * dayS) return [passed(name, value)];
  return [warned(name, `${value}: forgotten soon`, "let latchkey alone send it, for a year")];
}

function clockCheck({ header, at, tookMs }: Answer): Check {
  const name = "clock";
  const date = Date.parse(header("date") ?? "");
  if (Number.isNaN(date)) return warned(name, "no Date in the answer: unknown", "let the proxy send a Date");
  // It was written somewhere on the way, in whole seconds.
  const [earliest, latest] = [date - at, date + 999 - (at - tookMs)];
  const offMs = earliest > 0 ? earliest : latest < 0 ? latest : 0;
  const found = `${Math.round(Math.abs(offMs) / 1000)} s ${offMs < 0 ? "behind" : "ahead of"} this machine's`;
  const remedy = "have both machines ask a time server (timedatectl set-ntp true)";
  if (Math.abs(offMs) >= clockFailMs)
    return failed(name, `${found}: sessions, links and limits end at the wrong time`, remedy);
  if (Math.abs(offMs) >= clockWarnMs) return warned(name, found, remedy);
  return passed(name, "the same as this machine's, within a second or so");
}

/** What an answer's JSON holds; an empty object for anything else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
