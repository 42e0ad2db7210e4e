import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, spawnLatchkey } from "../support/executable.ts";
import { startPostgres } from "../support/postgres.ts";

const password = "correct horse battery";
const requestOrigin = "http://localhost:3000";
/** What the database refuses for good: nobody is told to try again. */
const refused = { status: 500, code: "INTERNAL_SERVER_ERROR" };
const unavailable = { status: 503, code: "STORE_UNAVAILABLE" };

setDefaultTimeout(60_000);

let people = 0;

/** A server on a database of its own, with what every fault test asks of it. */
async function open(database: TestDatabase) {
  const server = await spawnLatchkey({ env: database.env });
  const visitor = () => createClient(server.origin, { requestOrigin });
  const signUp = async (email = `fault-${(people += 1)}@example.com`) => {
    const client = visitor();
    const { error } = await client.auth.signUp.email({ email, password, name: "Fault" });
    return { client, email, error };
  };
  return { database, server, visitor, signUp };
}

const statuses = async (client: TestClient) => {
  const answers = await Promise.all([
    client.fetch("/api/auth/verify"),
    client.fetch("/api/auth/get-session"),
    client.fetch("/api/auth/session"),
    client.fetch("/api/auth/list-sessions"),
    ...(
      [
        "sign-out",
        "revoke-sessions",
        "revoke-other-sessions",
        "update-user",
        "change-password",
        "delete-user",
        "revoke-session",
      ] as const
    ).map((path) =>
      client.fetch(`/api/auth/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          name: "New",
          password,
          currentPassword: password,
          newPassword: "another good one",
          token: "x",
        }),
      }),
    ),
  ]);
  return answers.map((answer) => answer.status);
};

describe.each(dialects)("an aborted write on %s", (dialect) => {
  let it: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    it = await open(await openTestDatabase(dialect));
  });
  afterAll(async () => {
    await it.server.stop();
    await it.database.close();
  });
  const forbid = async (operation: string, table: string) => {
    if (dialect === "sqlite") {
      await it.database.query(
        `CREATE TRIGGER forbidden BEFORE ${operation} ON "${table}" BEGIN SELECT RAISE(ABORT, 'forbidden'); END`,
      );
      return () => it.database.query("DROP TRIGGER forbidden");
    }
    await it.database.query(
      "CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'forbidden'; END $$",
    );
    await it.database.query(
      `CREATE TRIGGER forbidden BEFORE ${operation} ON "${table}" FOR EACH ROW EXECUTE FUNCTION forbid()`,
    );
    return () => it.database.query(`DROP TRIGGER forbidden ON "${table}"`);
  };
  const counts = async () =>
    Number(
      (
        await it.database.query(
          'SELECT (SELECT count(*) FROM "user") + (SELECT count(*) FROM account) + (SELECT count(*) FROM session) AS n',
        )
      )[0]?.["n"],
    );

  test.each(["user", "account", "session"])("into %s leaves no half-made account", async (table) => {
    const before = await counts();
    const allow = await forbid("INSERT", table);
    const { error, email, client } = await it.signUp();
    expect(error).toMatchObject(refused);
    expect([await counts(), client.jar.header()]).toEqual([before, ""]);
    await allow();
    expect((await it.signUp(email)).error).toBeNull();
    expect(await counts()).toBe(before + 3);
  });

  test("C15: is told with its cause, and what is missing is refused alike", async () => {
    const before = it.server.logs().length;
    const { email } = await it.signUp();
    await it.database.query("ALTER TABLE session RENAME COLUMN user_agent TO elsewhere");
    const client = it.visitor();
    expect((await client.auth.signIn.email({ email, password })).error).toMatchObject(refused);
    await it.database.query("ALTER TABLE session RENAME COLUMN elsewhere TO user_agent");
    const [line] = it.server
      .logs()
      .slice(before)
      .filter(({ level }) => level === "error");
    expect(line?.["code"]).toBe("INTERNAL_SERVER_ERROR");
    expect(JSON.stringify(line?.["cause"])).toMatch(/user_agent|42703|SQLITE_ERROR/);
    expect((await client.auth.signIn.email({ email, password })).error).toBeNull();
  });

  test("of a sign-in's session is no sign-in", async () => {
    const { email } = await it.signUp();
    const allow = await forbid("INSERT", "session");
    const client = it.visitor();
    expect((await client.auth.signIn.email({ email, password })).error).toMatchObject(refused);
    expect(client.jar.header()).toBe("");
    await allow();
    expect((await client.auth.signIn.email({ email, password })).error).toBeNull();
  });

  test("of a sign-out is no sign-out", async () => {
    const { client } = await it.signUp();
    const allow = await forbid("DELETE", "session");
    expect((await client.auth.signOut()).error).toMatchObject(refused);
    expect((await client.fetch("/api/auth/verify")).status).toBe(200);
    await allow();
    expect((await client.auth.signOut()).data).toMatchObject({ success: true });
  });

  test("of a password change's revocation keeps the old password", async () => {
    const { client, email } = await it.signUp();
    const allow = await forbid("DELETE", "session");
    const change = { currentPassword: password, newPassword: "another good one", revokeOtherSessions: true };
    expect((await client.auth.changePassword(change)).error).toMatchObject(refused);
    await allow();
    expect((await it.visitor().auth.signIn.email({ email, password })).error).toBeNull();
  });
});

describe("a foreign lock on the SQLite file", () => {
  let it: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    it = await open(await openTestDatabase("sqlite"));
  });
  afterAll(async () => {
    await it.server.stop();
    await it.database.close();
  });
  const lock = () => {
    const foreign = new Database(it.database.url.slice("file:".length));
    foreign.run("BEGIN EXCLUSIVE");
    let held = true;
    return {
      held: () => held,
      release: () => {
        held = false;
        foreign.run("ROLLBACK");
        foreign.close();
      },
    };
  };

  test("of 1 s: reads go on, and the write is made once it is gone", async () => {
    const { client } = await it.signUp();
    const foreign = lock();
    const signUp = it.signUp();
    for (let asked = 0; asked < 20; asked += 1) {
      expect((await client.fetch("/api/auth/verify")).status).toBe(200);
      expect((await client.fetch("/health")).status).toBe(200);
      expect((await client.auth.getSession()).data).not.toBeNull();
    }
    expect(foreign.held()).toBe(true);
    await Bun.sleep(1_000);
    foreign.release();
    expect((await signUp).error).toBeNull();
  });

  test("of 5 s: reads go on, and every write is 503 and not made", async () => {
    const { client } = await it.signUp();
    const foreign = lock();
    const timer = setTimeout(foreign.release, 5_000);
    const [signUp, signOut, second] = await Promise.all([it.signUp(), client.auth.signOut(), it.signUp()]);
    expect(foreign.held()).toBe(true);
    for (const { error } of [signUp, signOut, second]) expect(error).toMatchObject(unavailable);
    expect([(await client.fetch("/api/auth/verify")).status, (await client.fetch("/health")).status]).toEqual(
      [200, 200],
    );
    clearTimeout(timer);
    foreign.release();
    expect((await it.signUp(signUp.email)).error).toBeNull();
  });
});

test("a disk that is full under many writers, and not full again: 503, then all is well", async () => {
  const database = await openTestDatabase("sqlite");
  // A file may have 256 KiB: a write beyond that fails like one on a full disk (with SIGXFSZ ignored, by EFBIG).
  const limited = await spawnLatchkey({
    env: database.env,
    executable: "/bin/sh",
    args: ["-c", 'trap "" XFSZ; ulimit -S -f 512; exec "$0"', await buildExecutable()],
  });
  const visitor = () => createClient(limited.origin, { requestOrigin });
  const first = visitor();
  const person = (email: string) => ({ email, password, name: "Full" });
  expect((await first.auth.signUp.email(person("first@example.com"))).error).toBeNull();
  const acknowledged: string[] = [];
  let refused = 0;
  for (let round = 0; refused === 0 && round < 5; round += 1) {
    const emails = Array.from({ length: 24 }, (_, index) => `full-${round}-${index}@example.com`);
    const answers = await Promise.all(emails.map((email) => visitor().auth.signUp.email(person(email))));
    for (const [index, { error }] of answers.entries()) {
      if (error === null) acknowledged.push(emails[index] ?? "");
      else expect(error).toMatchObject({ status: 503 });
    }
    refused = answers.filter(({ error }) => error !== null).length;
  }
  expect(refused).toBeGreaterThan(0);
  expect((await first.fetch("/api/auth/verify")).status).toBe(200);
  const lift = Bun.spawnSync(["prlimit", `--pid=${limited.pid}`, "--fsize=unlimited"]);
  expect({ exitCode: lift.exitCode, stderr: lift.stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  expect((await visitor().auth.signUp.email(person("after@example.com"))).error).toBeNull();
  expect((await first.auth.signOut()).error).toBeNull();
  const found = await database.query("SELECT email FROM user");
  expect(found.map(({ email }) => email)).toEqual(
    expect.arrayContaining([...acknowledged, "after@example.com"]),
  );
  expect(await database.query("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  expect(limited.stderr()).not.toContain("within a transaction");
  expect(await limited.stop()).toBe(0);
  await database.close();
});

test.each(["fast", "immediate"] as const)(
  "a PostgreSQL server that is stopped (%s) midway: 503, and back with everything acknowledged",
  async (mode) => {
    const postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const server = await spawnLatchkey({
      env: { DATABASE_URL: url, BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" },
    });
    const visitor = () => createClient(server.origin, { requestOrigin });
    const client = visitor();
    const person = { email: "restart@example.com", password, name: "Restart" };
    expect((await client.auth.signUp.email(person)).error).toBeNull();
    const cookie = client.jar.header();
    await postgres.halt(mode);
    expect(new Set(await statuses(client))).toEqual(new Set([503]));
    expect((await visitor().auth.signIn.email(person)).error).toMatchObject({ status: 503 });
    expect([(await client.fetch("/health")).status, (await client.fetch("/health/live")).status]).toEqual([
      503, 200,
    ]);
    expect(client.jar.header()).toBe(cookie);
    await postgres.resume();
    expect((await visitor().auth.signIn.email(person)).error).toBeNull();
    expect((await client.fetch("/api/auth/verify")).status).toBe(200);
    expect(await server.stop()).toBe(0);
    await postgres.stop();
  },
);

describe.each(["postgres", "neon"] as const)("a lost %s server", (dialect) => {
  let it: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    it = await open(await openTestDatabase(dialect));
  });
  afterAll(async () => {
    await it.server.stop();
    await it.database.close();
  });
  const network = () => {
    if (it.database.network === null) throw new Error("there is no network to this database");
    return it.database.network;
  };
  /** Until it answers 200 again, for 5 s at the most. */
  const recovered = async (client: TestClient) => {
    const deadline = Date.now() + 5_000;
    let status = 0;
    while (status !== 200 && Date.now() < deadline) status = (await client.fetch("/api/auth/verify")).status;
    return status;
  };

  test("whose connections are cut between requests is not noticed", async () => {
    const { client, email } = await it.signUp();
    for (let round = 0; round < 5; round += 1) {
      network().cut();
      expect((await client.fetch("/api/auth/verify")).status).toBe(200);
      expect((await it.visitor().auth.signIn.email({ email, password })).error).toBeNull();
    }
  });

  test("whose connection dies under a read is asked again", async () => {
    const { client } = await it.signUp();
    for (const path of ["/api/auth/verify", "/api/auth/list-sessions"]) {
      for (let round = 0; round < 3; round += 1) {
        network().cutNext();
        expect((await client.fetch(path)).status).toBe(200);
      }
    }
  });

  test("whose backends are terminated under load answers 200 or 503, never 401, and loses nothing", async () => {
    const { client } = await it.signUp();
    let running = true;
    const seen = new Set<number>();
    const reading = Array.from({ length: 8 }, async () => {
      while (running) seen.add((await client.fetch("/api/auth/verify")).status);
    });
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const [made] = await Promise.all([
        it.signUp(),
        it.database.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ),
      ]);
      if (made.error === null) acknowledged.push(made.email);
      else expect(made.error).toMatchObject(unavailable);
    }
    running = false;
    await Promise.all(reading);
    expect([...seen].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    for (const email of acknowledged) {
      expect(await it.database.query('SELECT 1 AS one FROM "user" WHERE email = $1', [email])).toHaveLength(
        1,
      );
    }
    expect(await recovered(client)).toBe(200);
  });

  test("that does not answer is 503 on every route, bounded, and 200 again when it does", async () => {
    const { client, email } = await it.signUp();
    network().stall(true);
    expect(new Set(await statuses(client))).toEqual(new Set([503]));
    expect((await it.visitor().auth.signIn.email({ email, password })).error).toMatchObject({ status: 503 });
    expect((await it.signUp()).error).toMatchObject({ status: 503 });
    const health = await client.fetch("/health");
    expect([health.status, (await client.fetch("/health/live")).status]).toEqual([503, 200]);
    expect(await health.json()).toMatchObject({
      status: "unavailable",
      checks: { database: { status: "unavailable" } },
    });
    network().stall(false);
    expect(await recovered(client)).toBe(200);
    expect((await it.visitor().auth.signIn.email({ email, password })).error).toBeNull();
  });
});

describe("a slow server", () => {
  test.concurrent.each(["postgres", "neon"] as const)(
    "does not make an account after its caller was told 503: %s",
    async (dialect) => {
      // A sign-up takes more round trips than fit into 5 s, and each of them is in time.
      const database = await openTestDatabase(dialect);
      const { server, signUp } = await open(database);
      await signUp();
      database.network?.delay(1_200);
      const { error, email } = await signUp();
      expect(error).toMatchObject(unavailable);
      // What it still had to say has been said once nobody is in a transaction.
      const isBusy = async () =>
        (
          await database.query(
            "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
          )
        ).length > 0;
      const quietFor = async (ms: number) => {
        const since = Date.now();
        while (Date.now() - since < ms) {
          if (await isBusy()) return false;
          await Bun.sleep(50);
        }
        return true;
      };
      const deadline = Date.now() + 30_000;
      while (!(await quietFor(3_000)) && Date.now() < deadline);
      expect(await database.query('SELECT 1 AS one FROM "user" WHERE email = $1', [email])).toEqual([]);
      await server.stop();
      await database.close();
    },
  );
});
