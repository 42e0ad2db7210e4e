import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type Pgbouncer, type PgbouncerOptions, startPgbouncer } from "../support/pgbouncer.ts";

const password = "correct horse battery";
const requestOrigin = "http://localhost:3000";
/** How often each round of sign-ups and verifies is run; 1 unless `bun run test:long` says more. */
const rounds = Number(process.env["LATCHKEY_TEST_POOLER_ROUNDS"] ?? 1);

setDefaultTimeout(60_000);

type Mode = Omit<PgbouncerOptions, "url">;
/** 1.18 knows nothing of prepared statements. */
const modes: readonly (readonly [string, Mode])[] = [
  ["PgBouncer 1.18, session mode", { suite: "bookworm", poolMode: "session", poolSize: 8 }],
  ["PgBouncer 1.18, transaction mode", { suite: "bookworm", poolMode: "transaction" }],
  [
    "PgBouncer 1.24, session mode",
    { suite: "trixie", poolMode: "session", maxPreparedStatements: 0, poolSize: 8 },
  ],
  [
    "PgBouncer 1.24, transaction mode",
    { suite: "trixie", poolMode: "transaction", maxPreparedStatements: 0 },
  ],
  [
    "PgBouncer 1.24, transaction mode that keeps prepared statements",
    { suite: "trixie", poolMode: "transaction", maxPreparedStatements: 200 },
  ],
];
const servers = dialects.filter((dialect) => dialect !== "sqlite");

/** Why a release's PgBouncer does not run here; undefined where it does. */
async function missing(suite: Mode["suite"]): Promise<string | undefined> {
  try {
    await debianProgram({ suite, name: "pgbouncer", program: "usr/sbin/pgbouncer" });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

const absent = new Map<string, string | undefined>();
if (servers.length > 0)
  for (const suite of ["bookworm", "trixie"] as const) absent.set(suite, await missing(suite));

for (const [name, mode] of modes) {
  const reason = absent.get(mode.suite);
  for (const dialect of servers)
    describe.skipIf(reason !== undefined)(
      `A1: ${dialect} behind ${name}${reason === undefined ? "" : ` (${reason})`}`,
      () => behind(dialect, mode),
    );
}

function behind(dialect: "postgres" | "neon", mode: Mode): void {
  let pooler: Pgbouncer;
  let direct = "";
  let database: TestDatabase;
  let server: RunningLatchkey;
  let people = 0;
  const visitor = () => createClient(server.origin, { requestOrigin });
  const newEmail = () => `pooled-${(people += 1)}@example.com`;
  const signUp = async (email = newEmail()) => {
    const client = visitor();
    const { error } = await client.auth.signUp.email({ email, password, name: "Pooled" });
    return { client, email, error };
  };
  const verify = async (client: TestClient) => {
    const answer = await client.fetch("/api/auth/verify");
    await answer.arrayBuffer();
    return answer.status;
  };

  beforeAll(async () => {
    database = await openTestDatabase(dialect, {
      async pooled(url) {
        direct = url;
        pooler = await startPgbouncer({ url, ...mode });
        return pooler.url;
      },
    });
    const connections = mode.poolMode === "session" ? { LATCHKEY_DATABASE_CONNECTIONS: "8" } : {};
    server = await spawnLatchkey({ env: { ...database.env, ...connections } });
  });
  afterAll(async () => {
    await server.stop();
    await pooler.stop();
    await database.close();
  });

  // Two more servers find no connections of a session pooler's eight left.
  if (mode.poolMode === "transaction")
    test("S14: limits 50 failures at once on two instances as if they came one after the other", async () => {
      const env = { ...database.env, LATCHKEY_LIMITS: "on", LATCHKEY_LIMIT_SIGN_IN: "10/15m" };
      const pair = [await spawnLatchkey({ env }), await spawnLatchkey({ env })];
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, at) => {
          const client = createClient(pair[at % 2]?.origin ?? "", { requestOrigin });
          const { error } = await client.auth.signIn.email({ email: `n${at}@example.com`, password });
          return error?.status;
        }),
      );
      expect(answers.toSorted()).toEqual([...Array(10).fill(401), ...Array(40).fill(429)]);
      await Promise.all(pair.map((one) => one.stop()));
      await database.query("DELETE FROM latchkey_limit");
    });

  test("signs up, in and out, changes the password, revokes and deletes", async () => {
    const { client, email, error } = await signUp();
    expect(error).toBeNull();
    expect((await client.auth.getSession()).data?.user).toMatchObject({ email });
    const other = visitor();
    expect((await other.auth.signIn.email({ email, password })).error).toBeNull();
    expect((await client.auth.listSessions()).data).toHaveLength(2);
    const newPassword = "another good one";
    const change = { currentPassword: password, newPassword, revokeOtherSessions: true };
    expect((await client.auth.changePassword(change)).error).toBeNull();
    expect([await verify(client), await verify(other)]).toEqual([200, 401]);
    expect((await other.auth.signIn.email({ email, password })).error).toMatchObject({ status: 401 });
    expect((await client.auth.signOut()).error).toBeNull();
    expect(await verify(client)).toBe(401);
    expect((await client.auth.signIn.email({ email, password: newPassword })).error).toBeNull();
    expect((await client.auth.deleteUser({ password: newPassword })).error).toBeNull();
    expect(await verify(client)).toBe(401);
  });

  test("answers 200 verifies at once, again and again, and 60 sign-ups beside them", async () => {
    const { client } = await signUp();
    const stranger = visitor();
    const expected = Array.from({ length: 200 }, (_, at) => (at % 4 === 3 ? 401 : 200));
    for (let round = 0; round < rounds; round += 1) {
      // As many at once as are hashed within a request's time on a slow machine.
      const lane = async () => {
        const made = [];
        for (let at = 0; at < 10; at += 1) made.push(await signUp());
        return made;
      };
      const signedUp = Promise.all(Array.from({ length: 6 }, lane));
      // Until long after latchkey has found out what the pooler keeps.
      for (let wave = 0; wave < 8; wave += 1)
        expect(
          await Promise.all(expected.map((status) => verify(status === 200 ? client : stranger))),
        ).toEqual(expected);
      const made = (await signedUp).flat();
      expect(made.filter(({ error }) => error !== null)).toEqual([]);
      expect(await Promise.all(made.map((person) => verify(person.client)))).toEqual(Array(60).fill(200));
    }
    const warnings = server.logs().filter(({ level }) => level === "error" || level === "warn");
    expect(warnings).toEqual([]);
  });

  test("goes on unnoticed when connections are cut, on either side of the pooler", async () => {
    const { client } = await signUp();
    for (let round = 0; round < 3; round += 1) {
      database.network?.cut();
      expect(await verify(client)).toBe(200);
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
      expect(await verify(client)).toBe(200);
      expect((await signUp()).error).toBeNull();
    }
  });

  test("is 503 while the pooler is gone, and well when it is back", async () => {
    const { client } = await signUp();
    await pooler.stop();
    const [status, { error }] = await Promise.all([verify(client), signUp()]);
    expect([status, error]).toEqual([
      503,
      expect.objectContaining({ status: 503, code: "STORE_UNAVAILABLE" }),
    ]);
    pooler = await startPgbouncer({ url: direct, ...mode, port: pooler.port });
    const deadline = Date.now() + 5_000;
    while ((await verify(client)) !== 200 && Date.now() < deadline) await Bun.sleep(20);
    expect(await verify(client)).toBe(200);
    expect((await signUp()).error).toBeNull();
  });
}

describe.skipIf(absent.get("trixie") !== undefined || servers.length === 0)(
  "A1: a pooler in statement mode",
  () => {
    test("is refused with the reason: latchkey needs transactions", async () => {
      let pooler: Pgbouncer | undefined;
      const database = await openTestDatabase("postgres", {
        async pooled(url) {
          pooler = await startPgbouncer({ url, suite: "trixie", poolMode: "statement" });
          return pooler.url;
        },
      });
      for (const args of [["migrate"], ["doctor"]]) {
        const { exitCode, stdout, stderr } = await runLatchkey(args, { env: database.env });
        expect([exitCode, stdout + stderr]).toEqual([1, expect.stringContaining("pool_mode = transaction")]);
      }
      await pooler?.stop();
      await database.close();
    });
  },
);
