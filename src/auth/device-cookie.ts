import { createHmac, timingSafeEqual } from "node:crypto";
import { readCookie } from "../session/cookie.ts";

/**
 * Browsers that once signed in to an account, by a cookie that says so (OWASP, device cookies): guesses of strangers
 * count against the strangers, and not against these.
 */
export interface Devices {
  /**
   * What names the browser at an account, in canonical form; null where it never signed in there, or not since `endedAt`, in
   * ms since the epoch.
   */
  find(cookie: string | null, account: string, endedAt?: number): string | null;
  /** The `Set-Cookie` values of a browser that just signed in. */
  remember(cookie: string | null, account: string, endedAt?: number): readonly string[];
}

export interface DeviceCookieOptions {
  /** The first signs, all verify. */
  readonly secrets: readonly string[];
  readonly secure: boolean;
  readonly sameSite: "lax" | "none";
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** People who share a browser. */
const accountsMax = 3;
/** As long as browsers keep one. */
export const deviceMaxAgeSeconds = 400 * 24 * 60 * 60;
const entryPattern = /^([\w-]{22})\.([\w-]{43})$/;

export function createDevices({ secrets, secure, sameSite, now }: DeviceCookieOptions): Devices {
  const name = secure ? "__Host-latchkey.device" : "latchkey.device";
  const attributes = `Path=/; HttpOnly; SameSite=${sameSite === "none" ? "None" : "Lax"}${secure ? "; Secure" : ""}`;
  const sign = (secret: string, id: string, account: string) =>
    createHmac("sha256", secret).update(`device:${id}:${account}`).digest();
  const entriesIn = (cookie: string | null) =>
    (readCookie(cookie ?? "", name) ?? "").split("~", accountsMax).flatMap((entry) => {
      const [, id, signature] = entryPattern.exec(entry) ?? [];
      return id === undefined || signature === undefined ? [] : [{ id, signature, entry }];
    });
  const isOf = (account: string, id: string, signature: string) =>
    secrets.some((secret) => timingSafeEqual(sign(secret, id, account), Buffer.from(signature, "base64url")));
  return {
    find: (cookie, account, endedAt = 0) =>
      entriesIn(cookie).find(({ id, signature }) => isOf(account, id, signature) && madeAt(id) > endedAt)
        ?.id ?? null,
    remember(cookie, account, endedAt = 0) {
      const [current = ""] = secrets;
      const others = entriesIn(cookie).filter(({ id, signature }) => !isOf(account, id, signature));
      const id = this.find(cookie, account, endedAt) ?? newId(now());
      const own = `${id}.${sign(current, id, account).toString("base64url")}`;
      const value = [own, ...others.map(({ entry }) => entry)].slice(0, accountsMax).join("~");
      return [`${name}=${value}; Max-Age=${deviceMaxAgeSeconds}; ${attributes}`];
    },
  };
}

/** Of a name's 16 bytes, those that say when it was given. */
const timeBytes = 6;

function newId(at: number): string {
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)));
  bytes.writeUIntBE(at, 0, timeBytes);
  return bytes.toString("base64url");
}

function madeAt(id: string): number {
  return Buffer.from(id, "base64url").readUIntBE(0, timeBytes);
}
