import { signToken } from "../../src/session/cookie.ts";
import { createClient, type TestClient } from "./client.ts";
import { createJar } from "./cookie-jar.ts";
import type { TestDatabase } from "./databases.ts";

const day = 24 * 60 * 60 * 1000;
export const memberPassword = "correct horse battery";
/** Of `memberPassword`. */
const passwordHash = Bun.password.hash(memberPassword, {
  algorithm: "argon2id",
  memoryCost: 19_456,
  timeCost: 2,
});

/** Somebody with an account and sessions, put into the database past latchkey: quickly, and as old as wanted. */
export interface Member {
  readonly id: string;
  readonly email: string;
  /** Adds a session; it was made `ageMs` ago (0) to last until `leftMs` from now (7 days). @returns its token. */
  session(age?: { readonly ageMs?: number; readonly leftMs?: number }): Promise<string>;
  /** A browser that has the session's cookie. */
  browser(origin: string, token: string): TestClient;
}

let made = 0;

export async function addMember(database: TestDatabase): Promise<Member> {
  const id = `m${(made += 1)}-${crypto.randomUUID()}`;
  const email = `${id}@example.com`;
  const instant = (at: number) => (database.dialect === "sqlite" ? at : new Date(at).toISOString());
  const now = instant(Date.now());
  const isVerified = database.dialect === "sqlite" ? 0 : false;
  await database.query(
    'INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [id, "Member", email, isVerified, now, now],
  );
  await database.query(
    "INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES ($1, $2, 'credential', $3, $4, $5, $6)",
    [`a-${id}`, id, id, await passwordHash, now, now],
  );
  return {
    id,
    email,
    async session({ ageMs = 0, leftMs = 7 * day } = {}) {
      const token = crypto.randomUUID().replaceAll("-", "");
      const at = Date.now();
      await database.query(
        "INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, ip_address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, '', '')",
        [`s-${token}`, token, id, instant(at + leftMs), instant(at - ageMs), instant(at - ageMs)],
      );
      return token;
    },
    browser(origin, token) {
      const jar = createJar();
      const signed = signToken(token, database.env["BETTER_AUTH_SECRET"] ?? "");
      jar.store(
        new Response(null, { headers: { "set-cookie": `better-auth.session_token=${signed}; Path=/` } }),
      );
      return createClient(origin, { jar, requestOrigin: "http://localhost:3000" });
    },
  };
}
