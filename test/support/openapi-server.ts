import { mailedCode } from "../../src/auth/one-time-token.ts";
import { signToken } from "../../src/session/cookie.ts";
import { type Dialect, openTestDatabase, type Parameter, type TestDatabase } from "./databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "./executable.ts";
import { type Checked, type Checker, createChecker } from "./openapi-check.ts";
import { type OpenApi, readOpenApi } from "./openapi.ts";

/** Somebody with a session and a password. */
export interface Visitor {
  readonly email: string;
  readonly password: string;
  /** The session's. */
  readonly token: string;
  /** `name=value`. */
  readonly cookie: string;
  /** The token of a link for a new password. */
  readonly recovery: string;
  /** Of a link that confirms the address; it serves several requests, of which each uses another. */
  readonly links: readonly string[];
  /** Of those links. */
  readonly code: string;
}

export type Body = Readonly<Record<string, unknown>>;

/** A server, and what it says of itself. */
export interface DocumentedServer {
  readonly origin: string;
  readonly database: TestDatabase;
  readonly document: OpenApi;
  readonly checker: Checker;
  /** Paths that take a POST. */
  readonly posts: readonly string[];
  /** Makes somebody, past the server. */
  visitor(): Promise<Visitor>;
  /** Posts fields as the path's documented kind of body. */
  post(path: string, body: Body, visitor?: Visitor): Promise<Checked>;
  /** Posts what the document may refuse. `isRefused` is true, too, where it does not. */
  refusal(path: string, body: Body, visitor: Visitor): Promise<Refusal>;
  close(): Promise<void>;
}

interface Refusal {
  readonly path: string;
  readonly body: Body;
  readonly problems: readonly string[];
  readonly isRefused: boolean;
}

export const cookieName = "better-auth.session_token";
const listed = "http://localhost:3000";
export const asJson = { origin: listed, "content-type": "application/json" };
export const asForm = { origin: listed, "content-type": "application/x-www-form-urlencoded" };
/** The API's bodies are JSON here, the pages' are forms. */
export const isPage = (path: string) => !path.startsWith("/api/");
export const contentOf = (path: string) => (isPage(path) ? asForm : asJson);

export function encode(path: string, body: Body): string {
  return isPage(path) ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body);
}

/** Behind a trusted proxy, which every client is, and with bearer tokens: with all that can be documented. */
export async function openDocumentedServer(
  dialect: Dialect,
  more: Readonly<Record<string, string>> = {},
): Promise<DocumentedServer> {
  const database = await openTestDatabase(dialect);
  const env = {
    ...database.env,
    LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32",
    LATCHKEY_BEARER: "signed",
    // Nobody listens there: mail waits.
    SMTP_URL: "smtp://127.0.0.1:9",
    LATCHKEY_MAIL_FROM: "accounts@example.com",
    LATCHKEY_EMAIL_VERIFICATION: "optional",
    ...more,
  };
  const server: RunningLatchkey = await spawnLatchkey({ env });
  const document = await readOpenApi(await fetch(`${server.origin}/openapi.json`));
  const checker = createChecker(server.origin, document);
  const visitor = await createVisitors(database);
  const post: DocumentedServer["post"] = (path, body, by) => {
    const headers = { ...contentOf(path), ...(by === undefined ? {} : { cookie: by.cookie }) };
    return checker.send({ method: "POST", path, headers, body: encode(path, body) });
  };
  return {
    origin: server.origin,
    database,
    document,
    checker,
    posts: Object.entries(document.paths).flatMap(([path, { post }]) => (post === undefined ? [] : [path])),
    visitor,
    post,
    async refusal(path, body, visitor) {
      const { status, problems } = await post(path, body, visitor);
      const isRefused = checker.bodyProblem(path, body) === null || (status >= 400 && status < 500);
      return { path, body, problems, isRefused };
    },
    async close() {
      await server.stop();
      await database.close();
    },
  };
}

async function createVisitors({ dialect, env, query }: TestDatabase): Promise<() => Promise<Visitor>> {
  const password = "correct horse battery";
  const hash = await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
  const instant = (at: number): Parameter => (dialect === "sqlite" ? at : new Date(at).toISOString());
  let count = 0;
  return async () => {
    const id = `visitor-${++count}`;
    const [email, token, now] = [`${id}@example.com`, id.padEnd(32, "x"), Date.now()];
    const times = [instant(now), instant(now)];
    await query(
      `INSERT INTO "user" (id, name, email, created_at, updated_at) VALUES ($1, 'Ann', $2, $3, $4)`,
      [id, email, ...times],
    );
    await query(
      `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at)
       VALUES ($1, $1, 'credential', $1, $2, $3, $4)`,
      [id, hash, ...times],
    );
    await query(
      `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ($1, $2, $1, $3, $4, $5)`,
      [id, token, instant(now + 6.9 * 86_400_000), ...times],
    );
    const recovery = id.padEnd(43, "x");
    const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
    const bound = JSON.stringify({ userId: id, state: sha256(`${email}\n${hash}`) });
    await query(
      `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
      [sha256(`recovery:${recovery}`), `latchkey:recovery:${id}`, bound, instant(now + 1_800_000), ...times],
    );
    const [links, mailId] = [[1, 2].map((at) => `${id}-${at}`.padEnd(43, "y")), `mail-${id}`];
    for (const link of links)
      await query(
        `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
        [
          sha256(`verification:${link}`),
          `latchkey:verification:${id}`,
          JSON.stringify({ userId: id, from: email, mailId, at: now }),
          instant(now + 1_800_000),
          ...times,
        ],
      );
    const code = mailedCode(mailId, env["BETTER_AUTH_SECRET"] ?? "");
    const cookie = `${cookieName}=${signToken(token, env["BETTER_AUTH_SECRET"] ?? "")}`;
    return { email, password, token, cookie, recovery, links, code };
  };
}
