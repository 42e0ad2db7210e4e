import type { Config } from "../config/config.ts";
import { generateSecret } from "../data-directory.ts";
import { type SessionLifetime, type SqliteContent, tryCopy } from "../database/copy-sqlite.ts";
import type { SessionStore } from "../database/sessions/store.ts";
import { CommandError } from "../errors.ts";
import { createTokenReader, sessionCookieName, signToken } from "../session/cookie.ts";
import { createEndings } from "../session/endings.ts";
import { createVerifier, isLive } from "../session/verifier.ts";

/** What came of asking a copy for a live session: there is none, or nobody asked, since a start has to migrate it first. */
export type SessionTrial = "verified" | "none" | "untried";

export interface TrialRules {
  readonly config: Pick<Config, "secure" | "sessionMaxAgeSeconds">;
  /** The server's, as far as they are known; the first signs. */
  readonly secrets: readonly string[];
  /** The instant at which a session is to live, in ms since the epoch: a trial may take longer than one has left. */
  readonly now: number;
}

/**
 * Verifies a session of a copy as a request's is, by a cookie that is signed for it.
 * @param token of a session that lives; null where none does. @throws CommandError where it does not verify.
 */
export async function trySession(
  sessions: SessionStore,
  token: string | null,
  { config, secrets: known, now }: TrialRules,
): Promise<SessionTrial> {
  if (token === null) return "none";
  // A copy has no cookies: one made with any secret shows whether its rows verify.
  const secrets = known.length === 0 ? [generateSecret()] : known;
  const cookieName = sessionCookieName(config.secure);
  const verify = createVerifier({
    sessions,
    readToken: createTokenReader(secrets),
    cookieName,
    bearer: "off",
    lives: createEndings(config.sessionMaxAgeSeconds, () => now).lives,
  });
  const verdict = await verify(`${cookieName}=${signToken(token, secrets[0] ?? "")}`, null);
  if ("session" in verdict && verdict.session.token === token) return "verified";
  const why = "session" in verdict ? "another one is found" : verdict.refusal;
  throw new CommandError(
    `a live session of the database does not verify in the copy (${why})`,
    "try again; if it stays so, latchkey doctor",
  );
}

/** Tries the sessions of an embedded database's copy, and counts the rows that refer to none. */
export async function trySqlite(
  path: string,
  { pending }: SqliteContent,
  rules: TrialRules,
): Promise<{ readonly session: SessionTrial; readonly orphans: number }> {
  if (pending.length > 0) return { session: "untried", orphans: 0 };
  const { config, now } = rules;
  const lives = (row: SessionLifetime) => isLive(row, config.sessionMaxAgeSeconds, now);
  return await tryCopy(path, lives, async ({ sessions, token, orphans }) => ({
    session: await trySession(sessions, token, rules),
    orphans,
  }));
}

/** For people, behind how many sessions there are. */
export function describeTrial(trial: SessionTrial): string {
  return { verified: ", one of which was verified", none: ", none of which lives", untried: "" }[trial];
}
