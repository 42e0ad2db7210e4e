/** What a link carries: 256 random bits. */
const tokenPattern = /^[\w-]{43}$/;

/** What a token is for: one of another purpose is none. */
export type Purpose = "recovery" | "invitation" | "verification" | "email_change" | "email_undo";

export interface IssuedToken {
  /** What is given out. */
  readonly token: string;
  /** The name under which it is kept. */
  readonly id: string;
}

/** Makes a token that nobody has. */
export function newToken(purpose: Purpose): IssuedToken {
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
  return { token, id: hashOf(purpose, token) };
}

/**
 * Makes the token of a mail, the same at every attempt to send it: nowhere is it kept, and whoever reads the database
 * alone learns none.
 */
export function mailedToken(purpose: Purpose, mailId: string, secret: string): IssuedToken {
  const token = new Bun.CryptoHasher("sha256", secret)
    .update(`mail:${purpose}:${mailId}`)
    .digest("base64url");
  return { token, id: hashOf(purpose, token) };
}

/** The name under which a token is kept; null of what is none. */
export function tokenId(purpose: Purpose, token: unknown): string | null {
  return typeof token === "string" && tokenPattern.test(token) ? hashOf(purpose, token) : null;
}

/** What an operator calls a token by: the beginning of what it is kept under, which tells nothing of it. */
export function shownId(id: string): string {
  return id.slice(0, 16);
}

/** Nothing slower is needed: nobody tries 256 bits. */
function hashOf(purpose: Purpose, token: string): string {
  return new Bun.CryptoHasher("sha256").update(`${purpose}:${token}`).digest("hex");
}

/** Digits of a code that people read on another device. */
const codeDigits = 8;

/** The code of a mail, the same at every attempt to send it: nowhere is it kept. */
export function mailedCode(mailId: string, secret: string): string {
  const digest = new Bun.CryptoHasher("sha256", secret).update(`mail:code:${mailId}`).digest();
  // A remainder of 64 bits: no digit is seen to be likelier.
  return String(digest.readBigUInt64BE() % 10n ** BigInt(codeDigits)).padStart(codeDigits, "0");
}

/** What somebody typed for a code, without what people put between digits; null of what is none. */
export function typedCode(text: unknown): string | null {
  const digits = typeof text === "string" ? text.normalize("NFKC").replaceAll(/[\s-]/g, "") : "";
  return digits.length === codeDigits && /^\d+$/.test(digits) ? digits : null;
}
