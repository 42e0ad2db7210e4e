import type { Config } from "../config/config.ts";
import { isLoopbackHost } from "../config/listen.ts";
import { isLoopbackOrigin, isSecure } from "../config/origin.ts";
import { type Check, passed, warned } from "./check.ts";

type ProxyConfig = Pick<Config, "baseUrl" | "host" | "port" | "socket" | "tls" | "trustedProxies">;

const name = "proxies";
/** Shorter prefixes take in whole regions of the internet. */
const widestPrefix = { v4: 8, v6: 16 } as const;

/** Checks what is said about proxies against the public URL and the address listened on. */
export function proxyChecks(config: ProxyConfig): readonly Check[] {
  const findings = [
    ...addressFindings(config),
    ...exposureFindings(config),
    ...portFindings(config),
    ...widthFindings(config),
  ];
  if (findings.length > 0) return findings;
  return [passed(name, describe(config))];
}

function describe({ baseUrl, socket, trustedProxies }: ProxyConfig): string {
  const trusted = [...trustedProxies, ...(socket === null ? [] : [`unix:${socket.path}`])];
  if (trusted.length > 0) return `client addresses come from ${trusted.join(", ")}`;
  return isLoopbackOrigin(baseUrl) ? "none, for local use" : "none";
}

/** Where latchkey speaks http only, something else ends the TLS of an https URL. */
function addressFindings({ baseUrl, socket, tls, trustedProxies }: ProxyConfig): readonly Check[] {
  if (tls !== null || !isSecure(baseUrl) || socket !== null || trustedProxies.length > 0) return [];
  return [
    warned(
      name,
      `${baseUrl} has a proxy in front, but none is trusted: every client counts as the proxy's address, in rate limits and in sessions`,
      "LATCHKEY_TRUSTED_PROXIES= the proxy's address or CIDR",
    ),
  ];
}

function exposureFindings({ baseUrl, host, port, tls, trustedProxies }: ProxyConfig): readonly Check[] {
  if (tls !== null || isLoopbackHost(host)) return [];
  if (!isSecure(baseUrl)) {
    return [
      warned(
        name,
        `${host}:${port} is open to other machines over plain http, where passwords and cookies can be read on the way`,
        "HOST=127.0.0.1, or in a container publish the port on loopback only (127.0.0.1:3001:3001)",
      ),
    ];
  }
  const isLocal = trustedProxies.length > 0 && trustedProxies.every((cidr) => /^(?:127\.|::1\/)/.test(cidr));
  if (!isLocal) return [];
  return [
    warned(
      name,
      `only proxies on this machine are trusted, but ${host}:${port} is open to others, who can pass the proxy by over plain http`,
      "HOST=127.0.0.1",
    ),
  ];
}

function portFindings({ baseUrl, port, tls }: ProxyConfig): readonly Check[] {
  const { protocol, port: written } = new URL(baseUrl);
  const publicPort = written === "" ? (tls === null ? 80 : 443) : Number(written);
  // PORT=0 is known only once a server listens.
  if ((protocol !== "http:" && tls === null) || port === 0 || publicPort === port) return [];
  return [
    warned(
      name,
      `BETTER_AUTH_URL is ${baseUrl}, but latchkey listens on port ${port}`,
      `make PORT and BETTER_AUTH_URL agree, unless something passes port ${publicPort} on`,
    ),
  ];
}

function widthFindings({ trustedProxies }: ProxyConfig): readonly Check[] {
  const wide = trustedProxies.filter((cidr) => {
    const prefix = Number(cidr.slice(cidr.indexOf("/") + 1));
    return prefix < (cidr.includes(":") ? widestPrefix.v6 : widestPrefix.v4);
  });
  if (wide.length === 0) return [];
  return [
    warned(
      name,
      `${wide.join(", ")} takes in much of the internet, which may then state any client address`,
      "LATCHKEY_TRUSTED_PROXIES= the proxy's own address or network",
    ),
  ];
}
