import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { migrations } from "../../../src/database/migrations.ts";
import {
  type Difference,
  ends,
  everyTag,
  type LegacyDatabase,
  legacyTables,
  openEmpty,
  openLegacy,
  tagsAfterAdoption,
} from "./fixtures.ts";
import { structure } from "./structure.ts";

// The first test starts PostgreSQL.
setDefaultTimeout(30_000);

const opened: LegacyDatabase[] = [];
const track = (database: LegacyDatabase) => {
  opened.push(database);
  return database;
};
const legacy = async (difference?: Difference) => track(await openLegacy("postgres", difference));
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

const constraints = async ({ query }: LegacyDatabase) =>
  (
    await query(
      "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conrelid = 'session'::regclass AND contype = 'f'",
    )
  ).map(({ text }) => text);
const cascading = `FOREIGN KEY (user_id) REFERENCES "user"(id) ON DELETE CASCADE`;
const asText = (column: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at`;

describe("adoptTables on PostgreSQL", () => {
  test("takes naive instants for UTC to the microsecond, whatever the database's zone", async () => {
    const database = await legacy({ then: ["UPDATE session SET expires_at = '2126-07-09 10:11:12.345678'"] });
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`ALTER DATABASE ${name} SET timezone = 'America/New_York'`);
    await database.migrate();
    expect(await database.query(`SELECT ${asText("expires_at")} FROM session`)).toEqual([
      { at: "2126-07-09T10:11:12.345678" },
    ]);
    const store = database.open();
    expect((await store.sessions.find("token-session-ann"))?.expiresAt).toBe(Date.parse(ends));
    await store.close();
  });

  test("replaces defaults that would be off by the zone", async () => {
    const database = await legacy({
      columns: { "user.created_at": "timestamp(3) DEFAULT timezone('utc', now()) NOT NULL" },
    });
    await database.migrate();
    const [row] = await database.query(
      `INSERT INTO "user" (id, name, email, updated_at) VALUES ('x', 'x', 'x', now()) RETURNING abs(extract(epoch FROM created_at - clock_timestamp())) < 60 AS now, email_verified`,
    );
    expect(row).toEqual({ now: true, email_verified: false });
  });

  test("writes no table anew that is right", async () => {
    const database = track(await openEmpty("postgres"));
    for (const statement of migrations.pg[0]?.statements ?? []) await database.query(statement);
    const files = () =>
      database.query(
        "SELECT relname, relfilenode::int8::text FROM pg_class WHERE relkind = 'r' AND relname IN ('user', 'session', 'account', 'verification') ORDER BY 1",
      );
    const before = await files();
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
    expect(await files()).toEqual(before);
  });

  test("works in the schema that comes first, past tables of the same names elsewhere", async () => {
    for (const adopted of [true, false]) {
      const database = track(await openEmpty("postgres"));
      const name = new URL(database.url).pathname.slice(1);
      await database.query(`CREATE TABLE public."user" (id integer PRIMARY KEY)`);
      await database.query("CREATE SCHEMA auth");
      await database.query(`ALTER DATABASE ${name} SET search_path = auth, public`);
      const sql = new SQL(database.url, { max: 1 });
      if (adopted)
        for (const statement of legacyTables("postgres", { onDelete: null })) await sql.unsafe(statement);
      expect(await database.migrate()).toEqual(adopted ? tagsAfterAdoption : everyTag);
      const targets = "SELECT confrelid::regclass::text AS target FROM pg_constraint WHERE contype = 'f'";
      expect([...(await sql.unsafe(targets))]).toEqual(
        Array.from({ length: 3 }, () => ({ target: `"user"` })),
      );
      expect([
        ...(await sql.unsafe("SELECT schemaname FROM pg_tables WHERE tablename = 'latchkey_migration'")),
      ]).toEqual([{ schemaname: "auth" }]);
      expect(
        await database.query(
          `SELECT count(*)::int AS columns FROM pg_attribute WHERE attrelid = 'public."user"'::regclass AND attnum > 0`,
        ),
      ).toEqual([{ columns: 1 }]);
      await sql.close();
    }
  });

  test("checks a foreign key that was never checked", async () => {
    const adding = `ALTER TABLE session ADD ${cascading} NOT VALID`;
    const database = await legacy({ onDelete: null, then: [adding] });
    await database.migrate();
    expect(await constraints(database)).toEqual([cascading]);
  });

  test("drops a foreign key that keeps users from being deleted beside one that does not", async () => {
    const adding = `ALTER TABLE session ADD FOREIGN KEY (user_id) REFERENCES "user"(id)`;
    const database = await legacy({ then: [adding] });
    await database.migrate();
    expect(await constraints(database)).toEqual([cascading]);
  });

  test("replaces a constraint of its index's name, and adds to one that is only checked at the end", async () => {
    const database = await legacy({
      unique: false,
      then: [
        "ALTER TABLE account ADD CONSTRAINT account_provider_account_uidx UNIQUE (provider_id, account_id)",
        `ALTER TABLE "user" ADD CONSTRAINT user_email_key UNIQUE (email) DEFERRABLE INITIALLY DEFERRED`,
      ],
    });
    await database.migrate();
    const found = JSON.stringify(await structure(database));
    expect(found).toContain("user_email_unique");
    expect(found).toContain("user_email_key");
    expect(found).toContain("CREATE UNIQUE INDEX account_provider_account_uidx");
    expect(found).not.toContain("UNIQUE (provider_id, account_id)");
  });

  test("accepts a further column that fills itself", async () => {
    const database = await legacy({ columns: { "user.number": "bigint GENERATED ALWAYS AS IDENTITY" } });
    await database.migrate();
    expect(await database.query(`SELECT number::int FROM "user"`)).toEqual([{ number: 1 }]);
  });

  test("leaves Drizzle's own journal as it is", async () => {
    const database = await legacy({
      then: [
        "CREATE SCHEMA drizzle",
        "CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)",
        "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('abc', 1700000000000)",
      ],
    });
    await database.migrate();
    expect(
      await database.query("SELECT id, hash, created_at::text FROM drizzle.__drizzle_migrations"),
    ).toEqual([{ id: 1, hash: "abc", created_at: "1700000000000" }]);
  });

  test("says what PostgreSQL has against the change", async () => {
    const database = await legacy({
      then: ["CREATE VIEW live AS SELECT id FROM session WHERE expires_at > now()"],
    });
    const before = await database.content();
    expect(await database.refusal()).toContain(
      "the database says: cannot alter type of a column used by a view",
    );
    expect(await database.content()).toEqual(before as object);
  });

  test("gives up while another service holds the tables", async () => {
    const database = await legacy();
    const other = new SQL(database.url, { max: 1 });
    await other.begin(async (transaction) => {
      await transaction.unsafe("SELECT 1 FROM session");
      expect(await database.refusal()).toBe("the database's tables are in use by another service");
    });
    await other.close();
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
  });
});
