import { isIP } from "node:net";
import { isHostname, isLoopbackHost } from "./listen.ts";
import { accepted, type Parsed, refused } from "./config.ts";

const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
const EXAMPLE = "postgresql://user:password@db.example.com:5432/latchkey?sslmode=verify-full";
const ENCODE = "percent-encode special characters in the password (/ is %2F, ? is %3F, # is %23, @ is %40)";

/** A PostgreSQL URL; no reason below ever quotes any part of it. */
export interface ServerUrl {
  /** As written; carries the password. */
  readonly url: string;
  /** Fit to print. */
  readonly masked: string;
  /** Lower case. */
  readonly host: string;
  /** Whether the connection leaves this machine although nothing demands that it be encrypted. */
  readonly isExposed: boolean;
}

/** Parses `postgres://` or `postgresql://` with an optional `sslmode`. */
export function parseServerUrl(text: string): Parsed<ServerUrl> {
  // A bare / ? or # in a password ends the authority: the rest would be path or query, which are printed.
  const afterAuthority = /^\w+:\/\/[^/?#]*(.*)$/.exec(text)?.[1] ?? "";
  if (/[#@\\\s]/.test(afterAuthority) || !URL.canParse(text))
    return refused("is not a valid URL", `${ENCODE}: ${EXAMPLE}`);
  const url = new URL(text);
  const host = url.hostname.toLowerCase();
  if (host === "") return refused("names no host", `write ${EXAMPLE}`);
  if (!isHostname(host) && isIP(host.replace(/^\[|\]$/g, "")) === 0) {
    return refused("has no valid host name", `${ENCODE}: ${EXAMPLE}`);
  }
  if (!isDecodable(url)) return refused("is not percent-encoded correctly (a bare %)", `${ENCODE}, % is %25`);
  const modes = url.searchParams.getAll("sslmode");
  if (modes.length > 1) return refused("has more than one sslmode", "keep one sslmode");
  const [mode] = modes;
  if (mode !== undefined && !SSL_MODES.some((known) => known === mode)) {
    return refused("has an unknown sslmode", `write sslmode= one of ${SSL_MODES.join(", ")}`);
  }
  const isEncrypted = mode !== undefined && mode !== "disable" && mode !== "prefer";
  return accepted({
    url: text,
    masked: maskServerUrl(url),
    host,
    isExposed: !isEncrypted && !isLoopbackHost(host),
  });
}

/** Whether Neon's own driver is the way to a host. */
export function isNeonHost(host: string): boolean {
  return host.toLowerCase().endsWith(".neon.tech");
}

function maskServerUrl(url: URL): string {
  const user = url.username === "" ? "" : `${url.username}${url.password === "" ? "" : ":********"}@`;
  // `?password=…` and `?sslpassword=…` exist too (libpq §34.1.2), so only the checked sslmode is shown.
  const mode = url.searchParams.get("sslmode");
  const shown = mode === null ? [] : [`sslmode=${mode}`];
  const others = url.searchParams.size > shown.length ? ["…"] : [];
  const query = [...shown, ...others].join("&");
  return `${url.protocol}//${user}${url.host}${url.pathname}${query === "" ? "" : `?${query}`}`;
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}
