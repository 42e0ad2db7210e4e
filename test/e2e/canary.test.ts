import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signToken } from "../../src/session/cookie.ts";
import { createJar } from "../support/cookie-jar.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey } from "../support/executable.ts";
import { findCredentials } from "../support/log-canaries.ts";
import { collectOutput, parseObject } from "../support/process-output.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const cookieName = "better-auth.session_token";
const origin = "http://localhost:3000";
/** A carriage return, a line feed and a terminal's escape: what forges or hides lines of a log. */
const forged = '\r\n{"level":"info","event":"sign_in","outcome":"success"}\u001b[2K\u001b[31m';

type LogFormat = "json" | "pretty";

interface Server {
  readonly url: string;
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

/** Started here rather than by `spawnLatchkey`, which waits for a JSON line. */
async function startServer(env: Readonly<Record<string, string>>): Promise<Server> {
  const child = Bun.spawn([await buildExecutable()], {
    cwd: temporaryDirectory("canary"),
    env: { ...env, PORT: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  watchProcess(child.pid, "KILL");
  const listening = Promise.withResolvers<string>();
  const onLine = (line: string) => {
    const found = /"?url"?: ?"(http:[^"]+)"/.exec(line)?.[1];
    if (found !== undefined) listening.resolve(found);
  };
  const [stdout, stderr] = [collectOutput(child.stdout, {}), collectOutput(child.stderr, { onLine })];
  const ended = child.exited.then((code) => {
    forgetProcess(child.pid);
    return listening.reject(new Error(`exited with ${code}: ${stderr.text()}`));
  });
  return {
    url: await listening.promise,
    output: () => stdout.text() + stderr.text(),
    async stop() {
      child.kill("SIGTERM");
      await Promise.all([ended, stdout.ended, stderr.ended]);
    },
  };
}

/** What one request did, and what its line in the log has to say. */
interface Action {
  readonly what: string;
  readonly requestId: string;
  readonly event: string | null;
  readonly outcome: "success" | "failure";
  readonly reason: string | undefined;
  readonly userId: string | undefined;
  readonly sessionId: string | undefined;
}

interface Expected {
  readonly event: string | null;
  readonly status: number;
  readonly reason?: string;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
}

interface Visitor {
  readonly jar: ReturnType<typeof createJar>;
  readonly send: (path: string, body: object | string | undefined, expected: Expected) => Promise<Response>;
}

/** Everything secret that went in or came out, by what it is. */
type Canaries = Record<string, string>;

function createJourney(dialect: Dialect, database: TestDatabase, server: Server) {
  const canaries: Canaries = { "the secret": database.env["BETTER_AUTH_SECRET"] ?? "" };
  const databasePassword = dialect === "sqlite" ? "" : new URL(database.url).password;
  if (databasePassword !== "") canaries["the database's password"] = databasePassword;
  const actions: Action[] = [];
  let made = 0;
  /** A value that nothing else contains, remembered as secret. */
  const canary = (what: string, suffix = "") => {
    const value = `canary${Buffer.from(crypto.getRandomValues(new Uint8Array(9))).toString("hex")}${suffix}`;
    canaries[`${what} (${(made += 1)})`] = value;
    return value;
  };
  const keepCookies = (response: Response) => {
    for (const line of response.headers.getSetCookie()) {
      const [value = ""] = line.slice(line.indexOf("=") + 1).split(";");
      if (value === "" || !line.startsWith(cookieName)) continue;
      const [token = "", signature = ""] = decodeURIComponent(value).split(".");
      canaries[`an issued token (${(made += 1)})`] = token;
      canaries[`its signature (${made})`] = signature;
    }
  };
  const visitor = (headers: Readonly<Record<string, string>> = {}): Visitor => {
    const jar = createJar();
    return {
      jar,
      async send(path, body, expected) {
        const isForm = body instanceof URLSearchParams;
        const response = await fetch(server.url + path, {
          method: body === undefined ? "GET" : "POST",
          redirect: "manual",
          headers: {
            origin,
            ...(jar.header() === "" ? {} : { cookie: jar.header() }),
            ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
            ...headers,
          },
          ...(body === undefined
            ? {}
            : { body: isForm || typeof body === "string" ? (body as string) : JSON.stringify(body) }),
        });
        const what = `${body === undefined ? "GET" : "POST"} ${path}`;
        expect({ what, status: response.status, body: await response.clone().text() }).toEqual({
          what,
          status: expected.status,
          body: expect.any(String),
        });
        jar.store(response);
        keepCookies(response);
        actions.push({
          what,
          requestId: response.headers.get("x-request-id") ?? "",
          event: expected.event,
          outcome: expected.reason === undefined ? "success" : "failure",
          reason: expected.reason,
          userId: expected.userId,
          sessionId: expected.sessionId,
        });
        return response;
      },
    };
  };
  const sessionOf = async (client: Visitor) => {
    const token = decodeURIComponent(client.jar.get(cookieName) ?? "").split(".")[0] ?? "";
    const [row] = await database.query("SELECT id, user_id FROM session WHERE token = $1", [token]);
    return { sessionId: String(row?.["id"]), userId: String(row?.["user_id"]) };
  };
  return { canaries, actions, canary, visitor, sessionOf };
}

type Journey = ReturnType<typeof createJourney>;

const signUpPath = "/api/auth/sign-up/email";
const signInPath = "/api/auth/sign-in/email";

/** Signs up, and fills in what is known only afterwards. */
async function signUp(journey: Journey, headers: Readonly<Record<string, string>> = {}) {
  const client = journey.visitor(headers);
  const person = {
    email: `${journey.canary("an e-mail address")}@example.com`,
    password: journey.canary("a password"),
    name: `Ann ${journey.canary("a name")}${forged}`,
  };
  await client.send(signUpPath, person, { event: "sign_up", status: 200 });
  const session = await journey.sessionOf(client);
  amend(journey, session);
  return { client, person, ...session };
}

/** Says what the last action's line has to name. */
function amend(journey: Journey, known: { readonly userId?: string; readonly sessionId?: string }): void {
  const last = journey.actions.pop();
  if (last !== undefined) journey.actions.push({ ...last, ...known });
}

async function signIn(journey: Journey, person: { email: string; password: string }) {
  const client = journey.visitor();
  await client.send(signInPath, person, { event: "sign_in", status: 200 });
  const session = await journey.sessionOf(client);
  amend(journey, session);
  return { client, ...session };
}

async function driveAccounts(journey: Journey): Promise<void> {
  const { canary, visitor } = journey;
  const ann = await signUp(journey, {
    "user-agent": `Agent ${canary("a user agent")} \t{"event":"sign_in"}`,
  });
  const { userId, person } = ann;
  const stranger = visitor();
  const fail = (path: string, body: object, event: string, status: number, reason: string) =>
    stranger.send(path, body, { event, status, reason });
  const taken = "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL";
  await stranger.send(
    signUpPath,
    { ...person, password: canary("a password") },
    { event: "sign_up", status: 422, reason: taken, userId },
  );
  await fail(signUpPath, { ...person, password: "canary7" }, "sign_up", 400, "PASSWORD_TOO_SHORT");
  await fail(
    signUpPath,
    { ...person, email: `${canary("a forged e-mail")}${forged}@example.com` },
    "sign_up",
    400,
    "INVALID_EMAIL",
  );
  await fail(signUpPath, { password: canary("a password") }, "sign_up", 400, "VALIDATION_ERROR");
  await fail(
    signInPath,
    { email: `${canary("an unknown e-mail")}@example.com`, password: canary("a password") },
    "sign_in",
    401,
    "unknown_email",
  );
  const wrong = { email: person.email, password: canary("a wrong password") };
  await stranger.send(signInPath, wrong, { event: "sign_in", status: 401, reason: "wrong_password", userId });
  await fail(
    signInPath,
    { email: `x${forged}`, password: canary("a password") },
    "sign_in",
    400,
    "INVALID_EMAIL",
  );
  await driveSessions(journey, ann);
  await drivePassword(journey, ann);
}

type Signed = Awaited<ReturnType<typeof signUp>>;

async function driveSessions(journey: Journey, { client, person, userId }: Signed): Promise<void> {
  const { canary, visitor } = journey;
  const event = "session_revocation";
  const success = { event, status: 200, userId };
  const other = await signIn(journey, person);
  await client.send("/api/auth/revoke-session", { token: other.sessionId }, success);
  const again = await signIn(journey, person);
  const token = decodeURIComponent(again.client.jar.get(cookieName) ?? "").split(".")[0] ?? "";
  await client.send("/api/auth/revoke-session", { token }, success);
  await client.send("/api/auth/revoke-session", { token: canary("a token") }, success);
  await client.send("/api/auth/revoke-other-sessions", {}, success);
  await client.send(
    "/api/auth/update-user",
    { name: canary("a name") + forged },
    {
      ...success,
      event: "profile_update",
    },
  );
  await visitor({ cookie: `${cookieName}=${canary("a cookie")}.${canary("a signature")}` }).send(
    "/api/auth/revoke-sessions",
    {},
    { event, status: 401, reason: "UNAUTHORIZED" },
  );
  await visitor().send(
    "/api/auth/update-user",
    { name: canary("a name") },
    { event: "profile_update", status: 401, reason: "UNAUTHORIZED" },
  );
  const leaving = await signIn(journey, person);
  await leaving.client.send("/api/auth/revoke-sessions", {}, success);
  // That ended every session of hers.
  await client.send("/api/auth/list-sessions", undefined, {
    event: null,
    status: 401,
    reason: "UNAUTHORIZED",
  });
}

async function drivePassword(journey: Journey, { person, userId }: Signed): Promise<void> {
  const { canary, visitor } = journey;
  const event = "password_change";
  const { client } = await signIn(journey, person);
  const path = "/api/auth/change-password";
  const change = { currentPassword: person.password, newPassword: canary("a new password") };
  await client.send(
    path,
    { ...change, currentPassword: canary("a wrong password") },
    { event, status: 400, reason: "INVALID_PASSWORD", userId },
  );
  await client.send(
    path,
    { ...change, newPassword: "canary7" },
    {
      event,
      status: 400,
      reason: "PASSWORD_TOO_SHORT",
    },
  );
  await visitor().send(path, change, { event, status: 401, reason: "UNAUTHORIZED" });
  await client.send(path, { ...change, revokeOtherSessions: true }, { event, status: 200, userId });
  const changed = { ...person, password: change.newPassword };
  const leaving = await signIn(journey, changed);
  await leaving.client.send(
    "/api/auth/sign-out",
    {},
    { event: "sign_out", status: 200, userId, sessionId: leaving.sessionId },
  );
  await visitor({ cookie: `${cookieName}=%E0%A4%A.${canary("a signature")}` }).send(
    "/api/auth/sign-out",
    {},
    { event: "sign_out", status: 200 },
  );
  const deletion = "account_deletion";
  await client.send(
    "/api/auth/delete-user",
    { password: canary("a wrong password") },
    { event: deletion, status: 400, reason: "INVALID_PASSWORD", userId },
  );
  await client.send(
    "/api/auth/delete-user",
    { password: change.newPassword },
    { event: deletion, status: 200, userId },
  );
}

/** Links that work once: of those in the log, whoever reads it could use one. */
async function driveLinks(journey: Journey, database: TestDatabase, server: Server): Promise<void> {
  const { canary, canaries, visitor } = journey;
  const { person, userId } = await signUp(journey);
  const env = { ...database.env, BETTER_AUTH_URL: server.url.replace("127.0.0.1", "localhost") };
  const tokenOf = async (...args: string[]) => {
    const { exitCode, stdout } = await runLatchkey(args, { env });
    expect(exitCode).toBe(0);
    const token = /=([\w-]{43})\n$/.exec(stdout)?.[1] ?? "";
    canaries[`the token of ${args.join(" ")}`] = token;
    return token;
  };
  const event = "password_recovery";
  const recovery = await tokenOf("users", "recovery-link", person.email);
  const path = "/api/auth/reset-password";
  const newPassword = canary("a new password");
  await visitor().send(`/recover?token=${recovery}`, undefined, { event: null, status: 303 });
  const wrong = { token: canary("a wrong token"), newPassword };
  const reason = "INVALID_RECOVERY_TOKEN";
  await visitor().send(path, wrong, { event, status: 400, reason });
  await visitor().send(path, { token: recovery, newPassword }, { event, status: 200, userId });
  await visitor().send(path, { token: recovery, newPassword }, { event, status: 400, reason });
  const invitation = await tokenOf("invite");
  await visitor().send(`/signup?invitation=${invitation}`, undefined, { event: null, status: 303 });
  const guest = {
    email: `${canary("an e-mail address")}@example.com`,
    password: canary("a password"),
    name: "Ben",
  };
  await visitor().send(signUpPath, { ...guest, invitation }, { event: "sign_up", status: 200 });
}

/** Reads, and what is refused before it is an action: nothing of it may be in the log, line or not. */
async function drivePresentations(journey: Journey): Promise<void> {
  const { canary, visitor, canaries } = journey;
  const none = (status: number): Expected => ({ event: null, status });
  const { client } = await signUp(journey);
  const signed = client.jar.get(cookieName) ?? "";
  const foreign = decodeURIComponent(signToken("f".repeat(32), `another ${canary("another secret")}`));
  canaries["a foreign signature"] = foreign.split(".")[1] ?? "";
  const present = (headers: Readonly<Record<string, string>>) => visitor(headers);
  await present({ authorization: `Bearer ${signed}` }).send("/api/auth/verify", undefined, none(200));
  await present({ authorization: `Bearer ${canary("a bearer value")}` }).send(
    "/api/auth/verify",
    undefined,
    none(401),
  );
  await present({ authorization: `Basic ${canary("basic credentials")}` }).send(
    "/api/auth/verify",
    undefined,
    none(401),
  );
  for (const value of [`"${canary("half a quote")}`, `%${canary("a broken escape")}`, foreign]) {
    const asked = present({ cookie: `${cookieName}=${value}` });
    await asked.send("/api/auth/verify", undefined, none(401));
    for (const path of ["/api/auth/get-session", "/api/auth/session", "/api/auth/get-session?x=1"])
      await asked.send(path, undefined, none(200));
  }
  await visitor().send(`/api/auth/get-session?token=${canary("a query")}`, undefined, none(200));
  await visitor().send(`/nowhere/${canary("a path")}`, undefined, none(404));
  await visitor().send(signInPath, `{"password":"${canary("a password")}"`, none(400));
  await visitor().send(signInPath, canary("a body").repeat(3_000), none(413));
  await visitor({ "content-type": "text/plain" }).send(signInPath, canary("a body"), none(415));
  // Its origin is told, with the setting that would list it; what stands behind the origin is not.
  await visitor({
    origin: "https://not-listed.example",
    referer: `https://not-listed.example/${canary("a path of another site")}`,
  }).send(signInPath, { email: "a@example.com", password: canary("a password") }, none(403));
  await visitor({ "x-request-id": canary("a request id"), "x-forwarded-for": "203.0.113.9" }).send(
    "/api/auth/verify",
    undefined,
    none(401),
  );
}

/** What the store says when it refuses or does not answer is what a log is most tempted to repeat. */
async function driveFaults(journey: Journey, dialect: Dialect, database: TestDatabase): Promise<void> {
  const { canary, visitor } = journey;
  const { client, person, userId, sessionId } = await signUp(journey);
  const unavailable = { status: 503, reason: "STORE_UNAVAILABLE" };
  const refused = { status: 500, reason: "INTERNAL_SERVER_ERROR" };
  const allow = await forbidWrites(dialect, database);
  const newcomer = {
    email: `${canary("an e-mail address")}@example.com`,
    password: canary("a password"),
    name: canary("a name"),
  };
  await visitor().send(signUpPath, newcomer, { event: "sign_up", ...refused });
  await visitor().send(signInPath, person, { event: "sign_in", ...refused, userId });
  await client.send("/api/auth/sign-out", {}, { event: "sign_out", ...refused, userId, sessionId });
  await client.send(
    "/api/auth/update-user",
    { name: canary("a name") },
    {
      event: "profile_update",
      ...refused,
      userId,
    },
  );
  await allow();
  if (database.network === null) return;
  database.network.stall(true);
  await Promise.all([
    visitor().send(signUpPath, newcomer, { event: "sign_up", ...unavailable }),
    visitor().send(signInPath, person, { event: "sign_in", ...unavailable }),
    client.send("/api/auth/sign-out", {}, { event: "sign_out", ...unavailable }),
    client.send("/api/auth/verify", undefined, { event: null, status: 503 }),
    client.send("/api/auth/get-session", undefined, { event: null, status: 503 }),
  ]);
  database.network.cut();
  database.network.stall(false);
}

/** @returns what allows them again. */
async function forbidWrites(dialect: Dialect, database: TestDatabase): Promise<() => Promise<void>> {
  const names = ["user", "session"].flatMap((table) =>
    ["INSERT", "UPDATE", "DELETE"].map((operation) => ({
      table,
      operation,
      name: `no_${table}_${operation}`,
    })),
  );
  if (dialect !== "sqlite") {
    await database.query(
      "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused: %', COALESCE(NEW, OLD); END $$",
    );
  }
  for (const { table, operation, name } of names) {
    const action =
      dialect === "sqlite"
        ? "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        : "FOR EACH ROW EXECUTE FUNCTION forbid()";
    await database.query(`CREATE TRIGGER ${name} BEFORE ${operation} ON "${table}" ${action}`);
  }
  return async () => {
    for (const { table, name } of names)
      await database.query(
        dialect === "sqlite" ? `DROP TRIGGER ${name}` : `DROP TRIGGER ${name} ON "${table}"`,
      );
  };
}

const combinations = dialects.flatMap((dialect) =>
  (["json", "pretty"] as const).map((format) => ({ dialect, format })),
);

describe.each(combinations)("the $format log at level trace on $dialect", ({ dialect, format }) => {
  let database: TestDatabase;
  let server: Server;
  let journey: Journey;
  let sessionIds: string[] = [];
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await startServer({
      ...database.env,
      LOG_LEVEL: "trace",
      LATCHKEY_LOG_FORMAT: format satisfies LogFormat,
      LATCHKEY_BEARER: "signed",
    });
    journey = createJourney(dialect, database, server);
    await driveAccounts(journey);
    await drivePresentations(journey);
    await driveLinks(journey, database, server);
    await driveFaults(journey, dialect, database);
    const rows = await database.query("SELECT id, token FROM session");
    sessionIds = rows.map((row) => String(row["id"]));
    rows.forEach((row, at) => (journey.canaries[`a stored token (${at})`] = String(row["token"])));
    const accounts = await database.query("SELECT password FROM account");
    accounts.forEach((row, at) => (journey.canaries[`a stored hash (${at})`] = String(row["password"])));
    await server.stop();
  });
  afterAll(() => database.close());

  test("S63: holds no credential, no name and no address", () => {
    const named = [...sessionIds, ...journey.actions.flatMap(({ sessionId }) => sessionId ?? [])];
    const ids = Object.fromEntries(named.map((id, at) => [`a session's id (${at})`, id]));
    expect(Object.keys(journey.canaries).length).toBeGreaterThan(60);
    expect(findCredentials(server.output(), { ...journey.canaries, ...ids })).toEqual([]);
  });

  test("S53, S65: is not forged by what callers send", () => {
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(server.output()).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    const lines = server.output().split("\n").slice(0, -1);
    const broken =
      format === "json"
        ? lines.filter((line) => parseObject(line).length === 0)
        : lines.filter(
            (line) => !/^(?:\[\d\d:\d\d:\d\d\.\d{3}\] [A-Z]+: | {4,}|(?:Open|Accounts|Next) {2,})/.test(line),
          );
    expect(broken).toEqual([]);
  });

  const hashed = (id: string) => new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 16);

  test("S64: tells each action once", () => {
    const entries = format === "json" ? jsonEntries(server.output()) : prettyEntries(server.output());
    const events = entries.filter((entry) => "outcome" in entry);
    const wanted = journey.actions.filter(({ event }) => event !== null);
    expect(wanted.length).toBeGreaterThan(30);
    const told = events.map(({ requestId }) => String(requestId));
    expect(told.sort()).toEqual(wanted.map(({ requestId }) => requestId).sort());
    for (const action of wanted) {
      const entry = events.find(({ requestId }) => requestId === action.requestId) ?? {};
      const { event, outcome, reason, userId, sessionId } = action;
      expect({ what: action.what, ...entry }).toMatchObject({
        what: action.what,
        level: "info",
        event,
        outcome,
        clientAddress: "127.0.0.1",
        ...(reason === undefined ? {} : { reason }),
        ...(userId === undefined ? {} : { userId }),
        ...(sessionId === undefined ? {} : { session: hashed(sessionId) }),
      });
      if (outcome === "success") expect(entry).not.toHaveProperty("reason");
      if (format === "json") expect(entry["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  test("S64: gives every request an id of its own", () => {
    const ids = journey.actions.map(({ requestId }) => requestId);
    expect(ids.filter((id) => !/^[A-Za-z0-9._-]{1,64}$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

type Entry = Readonly<Record<string, unknown>>;

function jsonEntries(output: string): Entry[] {
  return output.split("\n").flatMap(parseObject);
}

/** `[time] LEVEL: message`, then one indented `name: value` a line. */
function prettyEntries(output: string): Entry[] {
  return output
    .split(/^(?=\[)/m)
    .filter((block) => block.startsWith("["))
    .map((block) => {
      const [first = "", ...rest] = block.split("\n");
      const level = /\] ([A-Z]+):/.exec(first)?.[1]?.toLowerCase();
      const fields = rest.flatMap((line) => {
        const [, name, value] = /^ {4}(\w+): (.*)$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, unquoted(value)] as const];
      });
      return { level, ...Object.fromEntries(fields) };
    });
}

function unquoted(value: string): string {
  return value.startsWith('"') ? String(JSON.parse(value)) : value;
}

describe("findCredentials", () => {
  const token = "iK2rZJDpOaMimZoN4aaJGcJ7xHcqShk3";
  const signature = `${"Ab+/".repeat(10)}xyz=`;
  test.each([
    ["an argon2 hash", "hash=$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"],
    ["a scrypt hash", `${"0a".repeat(16)}:${"1b".repeat(64)}`],
    ["a signed session token", `x ${token}.${signature}`],
    ["a signed session token", `x ${encodeURIComponent(`${token}.${signature}`)}`],
    ["a bearer credential", `authorization: Bearer ${token}`],
    ["a URL's password", "cannot reach postgres://latchkey:hunter2@db.example/auth"],
    ["a test's password", "correct horse battery staple"],
  ])("finds %s in %s", (what, text) => {
    expect(findCredentials(`first\n${text}\n`)).toContainEqual(expect.objectContaining({ what, line: 2 }));
  });

  test.each([
    ["raw", (value: string) => value],
    ["in JSON", (value: string) => JSON.stringify({ value })],
    ["percent-encoded", encodeURIComponent],
    ["in base64", (value: string) => Buffer.from(value).toString("base64")],
    ["in hexadecimal", (value: string) => Buffer.from(value).toString("hex")],
  ])("finds a canary %s", (_how, spell) => {
    const value = 'canary "quoted" ünïcode/+';
    expect(findCredentials(`a ${spell(value)} b`, { canary: value })).toHaveLength(1);
  });

  test("says nothing about a clean line, nor repeats what it found", () => {
    expect(findCredentials("postgres://db.example/auth as latchkey, password ****")).toEqual([]);
    expect(JSON.stringify(findCredentials("a canary12345 b", { canary: "canary12345" }))).not.toContain(
      "canary12345",
    );
  });
});
