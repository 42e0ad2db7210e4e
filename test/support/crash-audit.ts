import { signToken } from "../../src/session/cookie.ts";
import type { TestDatabase } from "./databases.ts";
import { type Deed, differences, firstPassword, type Page, type Standing } from "./ledger.ts";

/** Where the truth is asked for: the database, and the server that is running on it now. */
export interface Place {
  readonly database: Pick<TestDatabase, "dialect" | "query">;
  readonly secret: string;
  /** Of the server. */
  readonly url: string;
}

/** What the requests without an answer came to. */
export interface Settled {
  done: number;
  undone: number;
}

const json = { "content-type": "application/json", origin: "http://localhost:3000" };

const cookieOf = ({ secret }: Place, token: string) => ({
  cookie: `better-auth.session_token=${signToken(token, secret)}`,
});

export function send(place: Place, { path, body, token }: Deed): Promise<Response> {
  return fetch(`${place.url}/api/auth/${path}`, {
    method: "POST",
    headers: { ...json, ...(token === null ? {} : cookieOf(place, token)) },
    body: JSON.stringify(body),
  });
}

async function verifies(place: Place, token: string): Promise<number> {
  const answer = await fetch(`${place.url}/api/auth/verify`, { headers: cookieOf(place, token) });
  await answer.text();
  return answer.status;
}

async function signsIn(place: Place, email: string, password: string): Promise<string | null> {
  const answer = await fetch(`${place.url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ email, password }),
  });
  const body = (await answer.json()) as { readonly token?: string; readonly code?: string };
  if (answer.status === 200 && body.token !== undefined) return body.token;
  if (answer.status === 401) return null;
  throw new Error(`a sign-in answered ${answer.status} ${body.code ?? ""}`);
}

/** Whether only a sign-in can say which password it is; an unchanged one is tried at the end. */
const needsSignIn = ({ told, doubt, tried }: Page, standing: Standing) =>
  !standing.exists || tried !== told.password || (doubt !== null && doubt.password !== told.password);

/**
 * Holds one account against its page, through the server and past it, and settles what was in doubt.
 * @param thoroughly signs in even where the password did not change since that was last tried.
 * @returns what is wrong with it.
 */
export async function audit(
  page: Page,
  place: Place,
  settled: Settled,
  thoroughly = true,
): Promise<readonly string[]> {
  const { told, doubt, email } = page;
  const label = (wrong: readonly string[]) => wrong.map((one) => `${email}: ${one}`);
  const rows = await place.database.query(
    'SELECT u.id, u.name, (SELECT count(*) FROM account a WHERE a.user_id = u.id) AS accounts FROM "user" u WHERE u.email = $1',
    [email],
  );
  const kept = (
    await place.database.query(
      'SELECT token FROM session WHERE user_id = (SELECT id FROM "user" WHERE email = $1)',
      [email],
    )
  ).map(({ token }) => String(token));
  const known = [...told.live, ...told.ended];
  const answers = await Promise.all(known.map((token) => verifies(place, token)));
  const strange = answers.filter((status) => status !== 200 && status !== 401);
  if (strange.length > 0) return label([`verify answered ${strange.join(", ")}`]);
  const live = known.filter((_, at) => answers[at] === 200);
  const row = rows[0];
  const sight = { exists: row !== undefined, name: row === undefined ? null : String(row["name"]), live };
  const half = [
    ...(row !== undefined && Number(row["accounts"]) !== 1 ? ["a user without an account"] : []),
    ...(known.some((token) => kept.includes(token) !== live.includes(token))
      ? ["verify and the database differ"]
      : []),
  ];
  if (half.length > 0) return label(half);
  const candidates = [told, ...(doubt === null ? [] : [doubt])].filter(
    (standing) => differences(standing, sight).length === 0,
  );
  const [first] = candidates;
  if (first === undefined)
    return label([
      ...differences(told, sight),
      ...(doubt === null ? [] : ["which is not what was in doubt either", ...differences(doubt, sight)]),
    ]);
  const found =
    thoroughly || needsSignIn(page, first)
      ? await findPassword(page, place, candidates)
      : { standing: first, issued: null };
  if (found === undefined) return label(["no password signs in that was acknowledged"]);
  const isTold = candidates.length === 1 || told.password !== doubt?.password;
  if (doubt !== null && isTold) settled[found.standing === told ? "undone" : "done"] += 1;
  page.told =
    found.issued === null
      ? found.standing
      : { ...found.standing, live: [...found.standing.live, found.issued] };
  page.doubt = null;
  page.tried = page.told.password;
  return [];
}

/** Tries each password that it may be; of an account that is not there, none may sign in. */
async function findPassword(
  { email }: Page,
  place: Place,
  candidates: readonly Standing[],
): Promise<{ readonly standing: Standing; readonly issued: string | null } | undefined> {
  for (const standing of candidates) {
    const issued = await signsIn(place, email, standing.password);
    if (!standing.exists) return issued === null ? { standing, issued } : undefined;
    if (issued !== null) return { standing, issued };
  }
  return undefined;
}

const orphans: Readonly<Record<string, string>> = {
  "users without an account":
    'SELECT count(*) AS n FROM "user" u WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.user_id = u.id)',
  "accounts without a user":
    'SELECT count(*) AS n FROM account a WHERE NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = a.user_id)',
  "sessions without a user":
    'SELECT count(*) AS n FROM session s WHERE NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = s.user_id)',
};

/** @returns what is half-made or damaged, of whomever. */
export async function inspect({ dialect, query }: Place["database"]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [name, sql] of Object.entries(orphans)) {
    const count = Number((await query(sql))[0]?.["n"]);
    if (count !== 0) wrong.push(`${count} ${name}`);
  }
  if (dialect !== "sqlite") return wrong;
  const found = await query("PRAGMA integrity_check");
  if (JSON.stringify(found) !== '[{"integrity_check":"ok"}]')
    wrong.push(`integrity_check: ${JSON.stringify(found)}`);
  const broken = await query("PRAGMA foreign_key_check");
  return broken.length === 0 ? wrong : [...wrong, `foreign_key_check: ${JSON.stringify(broken)}`];
}

const firstHash = Bun.password.hash(firstPassword, {
  algorithm: "argon2id",
  memoryCost: 19_456,
  timeCost: 2,
});

/** Makes an account past the server, without a session. */
export async function enrol(page: Page, { database }: Place): Promise<void> {
  const now = instantOf(database, Date.now());
  const verified = database.dialect === "sqlite" ? 0 : false;
  const id = crypto.randomUUID();
  await database.query(
    'INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)',
    [id, "Enrolled", page.email, verified, now],
  );
  await database.query(
    "INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES ($1, $1, 'credential', $1, $2, $3, $3)",
    [id, await firstHash, now],
  );
  page.told = { ...page.told, exists: true, name: "Enrolled" };
}

/** Gives an account sessions past the server, so that there is something to end. */
export async function topUp(page: Page, { database }: Place, count: number): Promise<void> {
  const missing = Math.max(0, count - page.told.live.length);
  if (!page.told.exists || missing === 0) return;
  const tokens = Array.from({ length: missing }, () => crypto.randomUUID().replaceAll("-", ""));
  const values = tokens.map((_, at) => `($${at + 4}, $${at + 4}, $3, $2, $1, $1, '', '')`).join(", ");
  const [row] = await database.query('SELECT id FROM "user" WHERE email = $1', [page.email]);
  await database.query(
    `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, ip_address, user_agent) VALUES ${values}`,
    [
      instantOf(database, Date.now()),
      instantOf(database, Date.now() + 6.9 * 86_400_000),
      String(row?.["id"]),
      ...tokens,
    ],
  );
  page.told = { ...page.told, live: [...page.told.live, ...tokens] };
}

const instantOf = ({ dialect }: Place["database"], at: number) =>
  dialect === "sqlite" ? at : new Date(at).toISOString();
