import { timingSafeEqual } from "node:crypto";

/** A signature in base64: 32 bytes in 44 characters. The last one may vary, as `atob` upstream allows. */
const signaturePattern = /^[A-Za-z0-9+/]{43}=$/;

/** The session cookie's name: BetterAuth's, with the browser-enforced prefix when the public URL is https. */
export function sessionCookieName(secure: boolean): string {
  return `${secure ? "__Secure-" : ""}better-auth.session_token`;
}

/**
 * Reads a cookie as BetterAuth does: the first of duplicates wins, quotes are stripped, percent-encoding is undone
 * where it is valid.
 * @param header the `Cookie` header, e.g. `a=1; b="2"`.
 */
export function readCookie(header: string, name: string): string | undefined {
  let start = 0;
  while (start < header.length) {
    const equals = header.indexOf("=", start);
    if (equals === -1) return undefined;
    let end = header.indexOf(";", start);
    if (end === -1) end = header.length;
    if (end < equals) {
      start = end + 1;
      continue;
    }
    if (header.slice(start, equals).trim() === name) {
      const value = header.slice(equals + 1, end).trim();
      return decode(value.startsWith('"') ? value.slice(1, -1) : value);
    }
    start = end + 1;
  }
  return undefined;
}

function decode(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** A signed value taken apart; `key` is the index of the secret that made the signature. */
export interface SignedToken {
  readonly token: string;
  readonly key: number;
}

/**
 * Checks `token.signature`, where the signature is the base64 of HMAC-SHA-256 keyed by the secret's UTF-8 bytes.
 * @returns null unless one of `secrets` made the signature.
 */
export function verifySignedToken(value: string, secrets: readonly string[]): SignedToken | null {
  const dot = value.lastIndexOf(".");
  if (dot < 1) return null;
  const encoded = value.slice(dot + 1);
  if (!signaturePattern.test(encoded)) return null;
  const token = value.slice(0, dot);
  const signature = Buffer.from(encoded, "base64");
  const key = secrets.findIndex((secret) => timingSafeEqual(hmac(token, secret), signature));
  return key === -1 ? null : { token, key };
}

/** Makes the value of a session cookie, percent-encoded as it stands in `Set-Cookie`. */
export function signToken(token: string, secret: string): string {
  return encodeURIComponent(`${token}.${hmac(token, secret).toString("base64")}`);
}

function hmac(token: string, secret: string): Buffer {
  return new Bun.CryptoHasher("sha256", secret).update(token).digest();
}
