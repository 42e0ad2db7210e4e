import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { isLoopbackHost, type Listen } from "./listen.ts";
import { isSecure } from "./origin.ts";
import { quote, accepted, type Parsed, refused } from "./parse.ts";
import type { TlsConfig } from "./config.ts";
import type { ConfigReader, Entry } from "./reader.ts";

const NAME = "LATCHKEY_TRUSTED_PROXIES";
const LOOPBACK = ["127.0.0.0/8", "::1/128"] as const;
const EXAMPLE = "write CIDRs such as 10.0.0.0/8,fd00::/8, or none";

/** Reads the proxies whose X-Forwarded-For counts. docs/contract.md, Client addresses. */
export function readTrustedProxies(
  reader: ConfigReader,
  baseUrl: string | undefined,
  listen: Listen,
  tls: TlsConfig | null,
): readonly string[] {
  const entry = reader.entry(NAME);
  // Who ends TLS itself has nobody in front.
  const byDefault = () => (tls === null ? defaultProxies(reader, baseUrl, listen) : []);
  const proxies = entry === undefined ? byDefault() : parseProxies(reader, entry);
  reader.record(NAME, proxies.length === 0 ? "none" : proxies.join(","), entry);
  return proxies;
}

function defaultProxies(
  reader: ConfigReader,
  baseUrl: string | undefined,
  { host }: Listen,
): readonly string[] {
  if (baseUrl === undefined || !isSecure(baseUrl) || reader.isRejected("HOST")) return [];
  if (isLoopbackHost(host)) return LOOPBACK;
  const remedy = `${EXAMPLE} when clients connect directly`;
  reader.reject(NAME, `must be set when BETTER_AUTH_URL is https and HOST (${host}) is not loopback`, remedy);
  return [];
}

function parseProxies(reader: ConfigReader, entry: Entry): readonly string[] {
  const texts = entry.text.split(",").flatMap((text) => text.trim() || []);
  if (texts.some(isNone)) {
    if (!texts.every(isNone)) reader.reject(NAME, "says none and lists proxies too", EXAMPLE);
    return [];
  }
  if (texts.length === 0) reader.reject(NAME, "lists no address", EXAMPLE);
  const proxies = texts.flatMap((text) => {
    const parsed = parseCidr(text);
    if (parsed.ok) return parsed.value;
    reader.reject(NAME, parsed.reason, parsed.remedy);
    return [];
  });
  return [...new Set(proxies)];
}

function isNone(text: string): boolean {
  return text.toLowerCase() === "none";
}

/** Parses a CIDR or one address into a canonical CIDR. */
function parseCidr(text: string): Parsed<string> {
  const [, address, digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = address === undefined ? 0 : isIP(address);
  if (address === undefined || version === 0) {
    return refused(`${quote(text)} is neither an IP address nor a CIDR`, EXAMPLE);
  }
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()) {
    return refused(
      `${quote(text)} is an IPv4 address written as IPv6`,
      `write it as IPv4: ${parsed.toIPv4Address().toString()}`,
    );
  }
  const width = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? width : Number(digits);
  if (prefix > width) return refused(`${quote(text)} has a prefix longer than ${width}`, EXAMPLE);
  if (prefix === 0) return refused(`${quote(text)} trusts every client to state its own address`, EXAMPLE);
  const network = networkOf(parsed, prefix);
  const canonical = `${network}/${prefix}`;
  if (network === parsed.toString()) return accepted(canonical);
  return refused(
    `${quote(text)} has address bits after its prefix`,
    `write ${canonical}, or ${parsed.toString()}`,
  );
}

function networkOf(address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number): string {
  const cidr = `${address.toString()}/${prefix}`;
  return (
    address instanceof ipaddr.IPv4
      ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
      : ipaddr.IPv6.networkAddressFromCIDR(cidr)
  ).toString();
}
