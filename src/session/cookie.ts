import { createBoundedMap } from "../bounded-map.ts";

/** A signature in base64: 32 bytes in 44 characters, the last letter with no bits beyond them. */
const signaturePattern = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

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
  const raw = rawCookie(header, name);
  return raw === undefined ? undefined : cookieValue(raw);
}

/** The values of all cookies of one name, in their order. */
export function allCookies(header: string, name: string): readonly string[] {
  return header.split(";").flatMap((pair) => {
    const equals = pair.indexOf("=");
    return equals !== -1 && pair.slice(0, equals).trim() === name
      ? [cookieValue(pair.slice(equals + 1))]
      : [];
  });
}

/** What stands between a cookie's `=` and its semicolon; the first of duplicates. */
export function rawCookie(header: string, name: string): string | undefined {
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
      return header.slice(equals + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/**
 * Finds a cookie's value as it stands in the header, without taking the header apart.
 * @returns undefined when the header is not of the plain form that browsers send; `readCookie` then has the answer.
 */
export function plainCookie(header: string, name: string): string | undefined {
  const at = header.indexOf(name);
  if (at === -1 || header.charCodeAt(at + name.length) !== equalsSign) return undefined;
  // Any other place would be inside another cookie's name or value.
  const isFirst =
    at === 0 || (at > 1 && header.charCodeAt(at - 1) === blank && header.charCodeAt(at - 2) === semicolon);
  if (!isFirst) return undefined;
  const start = at + name.length + 1;
  const end = header.indexOf(";", start);
  return end === -1 ? header.slice(start) : header.slice(start, end);
}

const [blank, semicolon, equalsSign] = [0x20, 0x3b, 0x3d];

function cookieValue(raw: string): string {
  const value = raw.trim();
  return decode(value.startsWith('"') ? value.slice(1, -1) : value);
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
  const key = secrets.findIndex((secret) => crypto.timingSafeEqual(hmac(token, secret), signature));
  return key === -1 ? null : { token, key };
}

/** Makes the value of a session cookie, percent-encoded as it stands in `Set-Cookie`. */
export function signToken(token: string, secret: string): string {
  return encodeURIComponent(`${token}.${hmac(token, secret).toString("base64")}`);
}

function hmac(token: string, secret: string): Buffer {
  return new Bun.CryptoHasher("sha256", secret).update(token).digest();
}

/** Presented values whose signature verified, kept at the most; none longer than any that latchkey makes. */
const verifiedMax = 10_240;
const rememberedLength = 256;

/** Takes a cookie's value, as it stands in the header, to the token that it signs; null when it signs none. */
export type ReadToken = (rawValue: string) => string | null;

/**
 * Builds `ReadToken` with a memory: whether a value is signed never changes, so that a session's later requests cost
 * no HMAC. Bounded; values that do not verify are not kept.
 * @param latest says which secrets count by now, and is asked where none that is known made a signature. While they are the
 * same it gives the same array.
 */
export function createTokenReader(
  first: readonly string[],
  latest: () => readonly string[] = () => first,
): ReadToken {
  const verified = createBoundedMap<string>(verifiedMax);
  let secrets = first;
  const verify = (value: string) => {
    const signed = verifySignedToken(value, secrets);
    if (signed !== null) return signed;
    const now = latest();
    if (now === secrets) return null;
    secrets = now;
    return verifySignedToken(value, secrets);
  };
  return (rawValue) => {
    const known = verified.get(rawValue);
    if (known !== undefined) return known;
    const signed = verify(cookieValue(rawValue));
    if (signed === null) return null;
    if (rawValue.length > rememberedLength) return signed.token;
    // A copy: a slice would keep the whole header it was cut from.
    verified.set(Buffer.from(rawValue, "latin1").toString("latin1"), signed.token);
    return signed.token;
  };
}
