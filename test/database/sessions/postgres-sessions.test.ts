import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { migrateServer } from "../../../src/database/migrate-server.ts";
import { openPostgres } from "../../../src/database/postgres.ts";
import { openPostgresSessions } from "../../../src/database/sessions/postgres-sessions.ts";
import type { SessionStore } from "../../../src/database/sessions/store.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { within } from "../../support/within.ts";

setDefaultTimeout(60_000);

let database: TestDatabase;
let sessions: SessionStore;
let connected = 0;

beforeAll(async () => {
  database = await openTestDatabase("postgres");
  const migrating = openPostgres(database.url, 16);
  await migrateServer(migrating);
  await migrating.close();
  await database.query(
    `INSERT INTO "user" (id, name, email, email_verified, image) VALUES ('u', 'Ü 😀', 'u@example.com', true, NULL)`,
  );
  for (const token of ["a", "b", "c", `odd"\\,{}' 😀`, "", "NULL"])
    await database.query(
      "INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, user_agent) VALUES ('id-' || $1, $1, 'u', '2026-01-02T03:04:05.678901Z', '2026-01-01T00:00:00.999999Z', '2026-01-01T00:00:00Z', 'agent')",
      [token],
    );
  sessions = openPostgresSessions({
    open(options) {
      connected += 1;
      return new SQL(database.url, { max: 1, connectionTimeout: 2, ...options });
    },
    keepsSessions: async () => false,
    late: { mark: (text) => text, cancel: () => {} },
  });
});
afterEach(() => {
  database.network?.stall(false);
});
afterAll(async () => {
  await sessions.close();
  await database.close();
});

const found = async (token: string) => {
  const looking = Promise.resolve(sessions.find(token)).then(
    (row) => row?.token ?? null,
    (error: { status?: number; code?: string }) => `${error.status} ${error.code}`,
  );
  return { result: await within(looking, 10_000) };
};
const unavailable = "503 STORE_UNAVAILABLE";

describe("openPostgresSessions", () => {
  test("reads a session and its user, instants cut to the millisecond", async () => {
    expect(await sessions.find("a")).toEqual({
      id: "id-a",
      token: "a",
      userId: "u",
      expiresAt: Date.parse("2026-01-02T03:04:05.678Z"),
      createdAt: Date.parse("2026-01-01T00:00:00.999Z"),
      updatedAt: Date.parse("2026-01-01T00:00:00.000Z"),
      ipAddress: null,
      userAgent: "agent",
      user: {
        id: "u",
        name: "Ü 😀",
        email: "u@example.com",
        emailVerified: true,
        image: null,
        createdAt: expect.any(Number),
        updatedAt: expect.any(Number),
      },
    });
  });

  test.each([
    ["1969-12-31T23:59:59.123001Z", Date.parse("1969-12-31T23:59:59.123Z")],
    ["2239-07-07T07:34:51.807Z", Date.parse("2239-07-07T07:34:51.807Z")],
    ["9999-12-31T23:59:59Z", Date.parse("9999-12-31T23:59:59Z")],
    ["infinity", Number.POSITIVE_INFINITY],
  ])("reads the instant %s", async (instant, expected) => {
    await database.query("UPDATE session SET expires_at = $1 WHERE token = 'b'", [instant]);
    expect((await sessions.find("b"))?.expiresAt).toBe(expected);
  });

  test.each([`odd"\\,{}' 😀`, "", "NULL", "a"])(
    "finds the token %j, whatever an array makes of it",
    async (token) => {
      expect((await found(token)).result).toBe(token);
    },
  );

  test.each(["none", `a","b`, "null", "{}", "a'; DELETE FROM session; --", "%"])(
    "finds no token %j",
    async (token) => {
      expect((await found(token)).result).toBeNull();
    },
  );

  test("answers many at once, each with its own", async () => {
    const tokens = Array.from({ length: 1_000 }, (_, at) => ["a", "b", "c", `none-${at}`][at % 4] ?? "");
    const results = await Promise.all(tokens.map(async (token) => (await found(token)).result));
    expect(results).toEqual(tokens.map((token) => (token.startsWith("none") ? null : token)));
  });

  test("sees what was committed before it was asked", async () => {
    await database.query(
      "INSERT INTO session (id, token, user_id, expires_at) VALUES ('new', 'new', 'u', now())",
    );
    expect((await found("new")).result).toBe("new");
    await database.query("DELETE FROM session WHERE token = 'new'");
    expect((await found("new")).result).toBeNull();
  });

  test("asks once more when its connection was cut, and nobody notices", async () => {
    for (let round = 0; round < 5; round += 1) {
      database.network?.cut();
      expect((await found("a")).result).toBe("a");
    }
  });

  test("asks once more when the server ended its connection", async () => {
    for (let round = 0; round < 3; round += 1) {
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
      expect((await found("a")).result).toBe("a");
    }
  });

  test("gives up within a second on a network that stalls, and recovers when it moves", async () => {
    await found("a");
    const before = connected;
    database.network?.stall(true);
    const looks = await Promise.all(["a", "b", "c", "none"].map(found));
    expect(looks.map(({ result }) => result)).toEqual(Array(4).fill(unavailable));
    expect(connected).toBe(before + 1);
    const still = await found("a");
    expect(still.result).toBe(unavailable);
    database.network?.stall(false);
    const deadline = Date.now() + 5_000;
    let last = await found("a");
    while (last.result !== "a" && Date.now() < deadline) last = await found("a");
    expect(last.result).toBe("a");
    expect((await found("none")).result).toBeNull();
  });

  test("is 503, never no session, when the table cannot be read", async () => {
    await database.query("ALTER TABLE session RENAME TO elsewhere");
    expect((await found("a")).result).toBe(unavailable);
    await database.query("ALTER TABLE elsewhere RENAME TO session");
    expect((await found("a")).result).toBe("a");
  });
});
