import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { ConfigDeps } from "./config.ts";
import { quote, parseInteger, accepted, type Parsed, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const HOSTNAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);

/** Where a certificate comes from. */
export type TlsSource = "off" | "files" | "acme";

export interface Listen {
  readonly port: number;
  readonly host: string;
}

/** Reads PORT and HOST; a free port is picked on loopback only. Who gets a certificate by itself is asked by everybody. */
export function readListen(
  reader: ConfigReader,
  tls: TlsSource,
  { hasIpv6 }: Pick<ConfigDeps, "hasIpv6">,
): Listen {
  const isPublic = tls === "acme";
  const port = readParsed(reader, "PORT", isPublic ? 443 : 3001, (text) => parseInteger(text, 0, 65_535));
  // On a socket of `::` IPv4 is spoken too.
  const every = () => (hasIpv6() ? "::" : "0.0.0.0");
  const host = readParsed(reader, "HOST", isPublic ? every() : "127.0.0.1", parseListenHost);
  if (port === 0 && !isLoopbackHost(host) && !reader.isRejected("PORT") && !reader.isRejected("HOST")) {
    const remedy = "write a port from 1 to 65535, or set HOST=127.0.0.1";
    reader.reject("PORT", `0 (any free port) is for loopback only, and HOST is ${quote(host)}`, remedy);
  }
  return { port, host };
}

/** Parses an address to listen on: an IP address or a host name, without scheme, brackets or port. */
export function parseListenHost(text: string): Parsed<string> {
  const host = text.toLowerCase();
  if (isIP(host) !== 0 || isHostname(host)) return accepted(host);
  const remedy =
    "write an IP address or a host name, such as 127.0.0.1, ::1, :: (every interface) or 0.0.0.0 (every one, IPv4 alone)";
  if (host === "*") return refused('"*" is not an address', "write 0.0.0.0 (every interface)");
  if (/^\[.*\]$/.test(host) && isIP(host.slice(1, -1)) === 6) {
    return refused(`${quote(text)} has brackets`, `write ${host.slice(1, -1)}`);
  }
  if (host.includes("://")) return refused(`${quote(text)} is a URL`, remedy);
  if (/^[^:]+:\d+$/.test(host))
    return refused(`${quote(text)} has a port`, `${remedy}; the port goes into PORT`);
  return refused(`${quote(text)} is neither an IP address nor a host name`, remedy);
}

/** Whether a lower-case text is a DNS name; a number for last label would make it a bad IPv4 address. */
export function isHostname(text: string): boolean {
  return HOSTNAME.test(text) && !/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(text);
}

/** Whether a canonical host (as in a URL, brackets or not) is this machine: RFC 6761 §6.3, RFC 4291 §2.5.3. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  if (bare === "localhost" || bare.endsWith(".localhost")) return true;
  return isIP(bare) !== 0 && ipaddr.process(bare.replace(/%.*$/, "")).range() === "loopback";
}
