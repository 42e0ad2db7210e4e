import ipaddr from "ipaddr.js";
import { type Check, failed, passed, warned } from "../check.ts";
import { parseObject } from "./address.ts";
import type { Answer, Ask } from "./ask.ts";

/** Whom doctor signs in as. */
export interface Visitor {
  readonly email: string;
  readonly password: string;
}

/** RFC 5737: nobody's, and so no address from which anybody asks. */
const spoofed = "203.0.113.77";
const spoofs = {
  "x-forwarded-for": spoofed,
  "x-real-ip": spoofed,
  "x-client-ip": spoofed,
  "true-client-ip": spoofed,
  "cf-connecting-ip": spoofed,
  forwarded: `for=${spoofed}`,
};

/** The cookie's attributes, by the answer that ends a session which there is not. */
export async function cookieChecks(ask: Ask, url: URL): Promise<readonly Check[]> {
  const answer = await ask("/api/auth/sign-out", { method: "POST", headers: { origin: url.origin } });
  if (answer.status === 403)
    return [
      failed(
        "session cookie",
        `forms and calls of ${url.origin} itself are refused: ${String(parseObject(answer.text)["code"])}`,
        `BETTER_AUTH_URL=${url.origin}, and have the proxy pass Origin on`,
      ),
    ];
  return [cookieCheck(answer, url)];
}

function cookieCheck(answer: Answer, url: URL): Check {
  const name = "session cookie";
  const line = answer.all("set-cookie").find((one) => /^(?:__\w+-)?better-auth\.session_token=/.test(one));
  if (line === undefined)
    return failed(
      name,
      `sign-out answers ${answer.status} and sets none`,
      "have the proxy pass Set-Cookie on",
    );
  const [pair = "", ...parts] = line.split(/;\s*/);
  const [cookie] = pair.split("=");
  const attributes = new Map(
    parts.map((part) => [part.split("=")[0]?.toLowerCase() ?? "", part.split("=")[1] ?? ""]),
  );
  const isSecure = url.protocol === "https:";
  const remedy = isSecure
    ? `BETTER_AUTH_URL=${url.origin}, and have the proxy leave Set-Cookie as it is`
    : "have the proxy leave Set-Cookie as it is";
  const domain = attributes.get("domain")?.replace(/^\./, "");
  const faults = [
    ...(isSecure && !attributes.has("secure") ? ["no Secure: it is sent over plain http, too"] : []),
    ...(isSecure && cookie?.startsWith("__Secure-") !== true ? ["no __Secure- in its name"] : []),
    ...(attributes.has("httponly") ? [] : ["no HttpOnly: scripts can read it"]),
    ...(/^(?:lax|none)$/i.test(attributes.get("samesite") ?? "") ? [] : ["no SameSite that latchkey sets"]),
    ...(attributes.get("path") === "/" ? [] : [`Path is ${attributes.get("path") ?? "missing"}`]),
    ...(domain === undefined || `.${url.hostname}`.endsWith(`.${domain}`)
      ? []
      : [`Domain is ${domain}, for which ${url.hostname} may set none`]),
  ];
  if (faults.length > 0) return failed(name, `${String(cookie)}: ${faults.join("; ")}`, remedy);
  return passed(name, `${String(cookie)}; ${parts.filter((part) => !/^max-age/i.test(part)).join("; ")}`);
}

/** Signs in with an address that is not the visitor's in every header that proxies use, looks what latchkey took, and signs out. */
export async function forwardedAddressChecks(
  ask: Ask,
  url: URL,
  { email, password }: Visitor,
): Promise<readonly Check[]> {
  const json = { origin: url.origin, "content-type": "application/json" };
  const signedIn = await ask("/api/auth/sign-in/email", {
    method: "POST",
    headers: { ...json, ...spoofs },
    body: JSON.stringify({ email, password, rememberMe: false }),
  });
  const cookie = signedIn
    .all("set-cookie")
    .map((line) => line.split(";")[0] ?? "")
    .find((pair) => pair.includes("session_token="));
  if (signedIn.status !== 200 || cookie === undefined) {
    const code = String(parseObject(signedIn.text)["code"] ?? "");
    return [
      failed(
        "sign-in",
        `${email} gets ${signedIn.status} ${code}`.trim(),
        "see that e-mail and password are right",
      ),
    ];
  }
  const current = await ask("/api/auth/get-session", {
    headers: { cookie, "accept-encoding": "gzip, br, zstd" },
  });
  const open =
    current.header("content-encoding") === null
      ? current
      : await ask("/api/auth/get-session", { headers: { cookie } });
  const session = parseObject(open.text)["session"] as { readonly ipAddress?: string } | undefined;
  const ended = await ask("/api/auth/sign-out", { method: "POST", headers: { ...json, cookie } });
  const after = await ask("/api/auth/verify", { headers: { cookie } });
  return [
    passed("sign-in", `${email} signs in`),
    session?.ipAddress === undefined
      ? failed(
          "forwarded address",
          "get-session does not know the session just made",
          "have no cache keep anything, and the proxy pass Cookie on",
        )
      : addressCheck(session.ipAddress, signedIn.ends),
    ended.status === 200 && after.status === 401
      ? passed("sign-out", "the session has ended")
      : failed(
          "sign-out",
          `the session lives on: ${ended.status}, then ${after.status}`,
          "end it on the account page",
        ),
    ...(open === current ? [] : [secretsCompressed(String(current.header("content-encoding")))]),
  ];
}

/** @param address what latchkey took this machine for. */
export function addressCheck(address: string, { here, there }: Answer["ends"]): Check {
  const name = "forwarded address";
  if (address === spoofed)
    return failed(
      name,
      "latchkey believes the address that a visitor writes into a header: whoever guesses passwords is a new visitor each time",
      "have the proxy set X-Forwarded-For itself (nginx: proxy_set_header X-Forwarded-For $remote_addr;), and trust that proxy alone in LATCHKEY_TRUSTED_PROXIES",
    );
  const found = `latchkey takes this machine for ${address}, whatever it says it is`;
  if (address === plain(here)) return passed(name, `${found}: its own address`);
  // Between this machine and the internet an address may change, but not into one that only a neighbour of latchkey's has.
  const isInside = rangeOf(address) !== "unicast" && rangeOf(there) !== rangeOf(address);
  if (!isInside) return passed(name, found);
  return failed(
    name,
    `latchkey takes this machine for ${address}, which is its proxy: all visitors are one to it, and share their limits`,
    `LATCHKEY_TRUSTED_PROXIES=${address}, and have the proxy send X-Forwarded-For`,
  );
}

function rangeOf(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).range() : "unknown";
}

/** IPv4 in IPv6 as IPv4. */
function plain(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}

function secretsCompressed(coding: string): Check {
  return warned(
    "compression",
    `get-session is compressed (${coding}), which holds the session's token`,
    "switch it off for latchkey's host",
  );
}
