import { signToken } from "../../src/session/cookie.ts";
import type { TestDatabase } from "./databases.ts";
import { openConnections, openPersistent, openPipeline, type Pipeline } from "./pipeline.ts";
import { answeredBy, askAnew } from "./workers.ts";

export const secret = "staleness-0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const password = "correct horse battery";
const cookieName = "better-auth.session_token";
/** Changes under way at once: what one kill of the writer can leave unanswered. */
export const lanes = 8;

/** What ends or changes a session, and what the next look must find. */
type Kind =
  | "sign-out"
  | "revoke-session"
  | "revoke-other-sessions"
  | "update-user"
  | "change-password"
  | "delete-user"
  | "sql: delete session"
  | "sql: delete user"
  | "sql: rename user"
  | "sql: end session"
  | "sql: replace session";

const common: readonly Kind[] = [
  "sign-out",
  "revoke-session",
  "sql: delete session",
  "update-user",
  "revoke-other-sessions",
  "sql: rename user",
  "sql: end session",
  "sql: delete user",
];

export interface StalenessOptions {
  readonly database: TestDatabase;
  /** Makes the changes; asked anew each time, since it may be killed and started again. */
  readonly writer: () => string;
  /** Is asked. */
  readonly reader: string;
  readonly count: number;
  /** Whether the reader is asked on pipelined connections too. */
  readonly pipelined: boolean;
  /**
   * Whether the reader is several workers that come and go: changes and single looks have a connection each, so that they
   * meet every worker, and a look whose connection is lost is made again.
   */
  readonly workers?: boolean;
  /** Keeps numbers apart when the same database is used twice. */
  readonly prefix: string;
  /** Hears how many interleavings have been begun; the next one of that lane waits for it. */
  readonly onProgress?: (begun: number) => Promise<void>;
}

export interface StalenessReport {
  readonly checked: number;
  /** Changes whose answer was lost, with a killed writer. */
  readonly unanswered: number;
  /** Looks that were answered with 503, which is no old state. */
  readonly unavailable: number;
  /** Processes that answered looks of their own connection. */
  readonly processes: number;
  /** One line for every old state that was seen after the change had been answered. */
  readonly stale: readonly string[];
}

/**
 * Tries to catch the reader showing an old state: a session is looked at, changed through another process while looks
 * at it are under way, and looked at again from the moment the change is answered, on a pipelined connection too.
 */
export async function catchStale(options: StalenessOptions): Promise<StalenessReport> {
  const stale: string[] = [];
  let next = 0;
  let checked = 0;
  let unanswered = 0;
  let unavailable = 0;
  const processes = new Set<string>();
  const hash = await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
  await seed(options, hash);
  const lane = async () => {
    const open = async () =>
      options.pipelined ? await openPipeline(options.reader) : openConnections(options.reader);
    const pipeline = options.workers === true ? openPersistent(open) : await open();
    try {
      for (let index = next++; index < options.count; index = next++) {
        await options.onProgress?.(index);
        const bodies = await interleave(options, pipeline, index);
        if (bodies === "unanswered") {
          unanswered += 1;
          continue;
        }
        checked += 1;
        for (const { what, body, process } of bodies) {
          if (process !== undefined) processes.add(process);
          if (body.includes("_UNAVAILABLE")) unavailable += 1;
          else if (!isFresh(options, index, body))
            stale.push(`${kindOf(index, options)} ${index}, ${what}: ${body}`);
        }
      }
    } finally {
      pipeline.close();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { checked, unanswered, unavailable, processes: processes.size, stale };
}

function kindOf(index: number, options: StalenessOptions): Kind {
  // Those that hash are rarer: an argon2 hash costs as much as a hundred of the others.
  if (index % 200 === 17) return "change-password";
  if (index % 200 === 117) return "delete-user";
  if (index % 50 === 33 && options.database.dialect === "sqlite") return "sql: replace session";
  return common[index % common.length] ?? "sign-out";
}

const names = (options: StalenessOptions, index: number) => {
  const id = `${options.prefix}${index}`;
  return {
    user: `u${id}`,
    victim: `v${id}`.padEnd(32, "x"),
    actor: `a${id}`.padEnd(32, "x"),
    renamed: `Renamed ${id}`,
  };
};

const cookieOf = (token: string) => `${cookieName}=${signToken(token, secret)}`;

async function interleave(
  options: StalenessOptions,
  pipeline: Pipeline,
  index: number,
): Promise<"unanswered" | readonly Look[]> {
  const kind = kindOf(index, options);
  const { victim } = names(options, index);
  const cookie = cookieOf(victim);
  const looks: Look[] = [];
  let before = await pipeline.get("/api/auth/verify", cookie);
  // 503 says nothing of the session; it counts as unavailable, of which there may only be so many.
  while (before.status === 503 && looks.length < looksBeforeMax) {
    looks.push({ what: "verify before", body: before.body });
    before = await pipeline.get("/api/auth/verify", cookie);
  }
  if (before.status !== 200)
    throw new Error(`${kind} ${index}: verify was ${before.status} before: ${before.body}`);
  // Under way while the change is made.
  const underWay = [0, 1, 2].map(() => pipeline.get(underWayPath, cookie));
  const change = makeChange(options, kind, index);
  const answered = await change;
  if (!answered) {
    await Promise.all(underWay);
    return "unanswered";
  }
  const after = [pipeline.get("/api/auth/verify", cookie), pipeline.get("/api/auth/get-session", cookie)];
  const apart = lookApart(options, cookie);
  const [verified, session] = await Promise.all(after);
  const separately = await apart;
  await Promise.all(underWay);
  return [
    ...looks,
    { what: "first verify", body: verified?.body ?? "" },
    { what: "first get-session", body: session?.body ?? "" },
    { what: "verify on another connection", ...separately },
  ];
}

/** A verify on another connection. */
async function lookApart({ reader, workers }: StalenessOptions, cookie: string): Promise<Omit<Look, "what">> {
  const ask = async () => {
    const url = `${reader}/api/auth/verify`;
    const answer = await (workers === true ? askAnew : fetch)(url, { headers: { cookie } });
    return { body: await answer.text(), process: answeredBy(answer) };
  };
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (error) {
      if (workers !== true || tried === looksBeforeMax) throw error;
    }
  }
}

const looksBeforeMax = 5;

interface Look {
  readonly what: string;
  readonly body: string;
  /** Which process answered, where that was looked at. */
  readonly process?: string;
}

function isFresh(options: StalenessOptions, index: number, body: string): boolean {
  if (isRename(kindOf(index, options))) return body.includes(names(options, index).renamed);
  return body === "null" || body.includes('"SESSION_EXPIRED"');
}

const underWayPath = "/api/auth/verify";
const isRename = (kind: Kind) => kind === "update-user" || kind === "sql: rename user";

/** @returns false when no answer came. */
async function makeChange(options: StalenessOptions, kind: Kind, index: number): Promise<boolean> {
  const { user, victim, actor, renamed } = names(options, index);
  const call = (path: string, token: string, body: object) => post(options, path, cookieOf(token), body);
  const sql = async (text: string, parameters: string[]) => {
    await options.database.query(text, parameters);
    return true;
  };
  switch (kind) {
    case "sign-out":
      return await call("sign-out", victim, {});
    case "revoke-session":
      return await call("revoke-session", actor, { token: `id-${victim}` });
    case "revoke-other-sessions":
      return await call("revoke-other-sessions", actor, {});
    case "update-user":
      return await call("update-user", actor, { name: renamed });
    case "change-password":
      return await call("change-password", actor, {
        currentPassword: password,
        newPassword: "another good one",
        revokeOtherSessions: true,
      });
    case "delete-user":
      return await call("delete-user", actor, { password });
    case "sql: delete session":
      return await sql("DELETE FROM session WHERE token = $1", [victim]);
    case "sql: delete user":
      return await sql('DELETE FROM "user" WHERE id = $1', [user]);
    case "sql: rename user":
      return await sql('UPDATE "user" SET name = $1 WHERE id = $2', [renamed, user]);
    case "sql: end session":
      return await sql("UPDATE session SET expires_at = created_at WHERE token = $1", [victim]);
    case "sql: replace session":
      // The same id under another token: the old row goes without a trigger for its deletion.
      return await sql(
        "INSERT OR REPLACE INTO session (id, token, user_id, expires_at) SELECT id, token || 'y', user_id, expires_at FROM session WHERE token = $1",
        [victim],
      );
  }
}

async function post(
  { writer, workers }: StalenessOptions,
  path: string,
  cookie: string,
  body: object,
): Promise<boolean> {
  let response: Response;
  let text: string;
  try {
    response = await (workers === true ? askAnew : fetch)(`${writer()}/api/auth/${path}`, {
      method: "POST",
      headers: { cookie, origin: "http://localhost:3000", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    return false;
  }
  if (response.status === 503) return false;
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text}`);
  return true;
}

/** Two sessions a user, one to look at and one to act with; the password is everybody's. */
async function seed(options: StalenessOptions, hash: string): Promise<void> {
  const now = Date.now();
  const instant = (at: number) =>
    options.database.dialect === "sqlite" ? String(at) : `'${new Date(at).toISOString()}'`;
  const [created, expires] = [instant(now - 60_000), instant(now + 6.9 * 24 * 3600 * 1000)];
  for (let start = 0; start < options.count; start += 250) {
    const indexes = Array.from(
      { length: Math.min(250, options.count - start) },
      (_, offset) => start + offset,
    );
    const rows = indexes.map((index) => names(options, index));
    const users = rows.map(
      ({ user }) => `('${user}', 'Before ${user}', '${user}@example.com', ${created}, ${created})`,
    );
    const accounts = rows.map(
      ({ user }) => `('ac-${user}', '${user}', 'credential', '${user}', $1, ${created}, ${created})`,
    );
    const sessions = rows.flatMap(({ user, victim, actor }) =>
      [victim, actor].map(
        (token) => `('id-${token}', '${token}', '${user}', ${expires}, ${created}, ${created})`,
      ),
    );
    await options.database.query(
      `INSERT INTO "user" (id, name, email, created_at, updated_at) VALUES ${users.join()}`,
    );
    await options.database.query(
      `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES ${accounts.join()}`,
      [hash],
    );
    await options.database.query(
      `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ${sessions.join()}`,
    );
  }
}
