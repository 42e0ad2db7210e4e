import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects } from "../../support/databases.ts";
import {
  type Difference,
  ends,
  everyTag,
  isSqlite,
  type LegacyDatabase,
  legacyTables,
  made,
  openEmpty,
  openLegacy,
  person,
  tagsAfterAdoption,
} from "./fixtures.ts";
import { structure } from "./structure.ts";

// The first test starts PostgreSQL.
setDefaultTimeout(30_000);

const opened: LegacyDatabase[] = [];
const track = async (opening: Promise<LegacyDatabase>) => {
  const database = await opening;
  opened.push(database);
  return database;
};
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

describe.each(dialects)("adoptTables on %s", (dialect) => {
  const legacy = (difference?: Difference) => track(openLegacy(dialect, difference));
  const instant = isSqlite(dialect) ? "integer" : "timestamp";
  const flag = isSqlite(dialect) ? "integer" : "boolean";
  const fresh = async () => {
    const database = await track(openEmpty(dialect));
    expect(await database.migrate()).toEqual([...everyTag]);
    return await structure(database);
  };
  /** Adopts and answers what stands then. */
  const adopt = async (difference?: Difference) => {
    const database = await legacy(difference);
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
    const journal = await database.query("SELECT tag FROM latchkey_migration ORDER BY tag");
    expect(journal.map((row) => row["tag"])).toEqual([...everyTag]);
    expect(await database.migrate()).toEqual([]);
    return database;
  };
  const find = async (database: LegacyDatabase, token: string) => {
    const store = database.open();
    try {
      return await store.sessions.find(token);
    } finally {
      await store.close();
    }
  };

  test("leaves unrelated tables alone and makes its own beside them", async () => {
    const database = await track(openEmpty(dialect));
    await database.query("CREATE TABLE post (id text PRIMARY KEY NOT NULL)");
    await database.query("INSERT INTO post VALUES ('1')");
    expect(await database.migrate()).toEqual([...everyTag]);
    expect(await database.query("SELECT * FROM post")).toEqual([{ id: "1" }]);
  });

  test("makes the tables those of a fresh database and keeps every row", async () => {
    const database = await adopt({
      onDelete: isSqlite(dialect) ? "ON DELETE no action" : "ON DELETE restrict",
      unique: false,
      columns: Object.fromEntries(
        ["user.created_at", "user.updated_at", "session.created_at", "session.updated_at"]
          .concat(["account.created_at", "account.updated_at"])
          .concat(["verification.created_at", "verification.updated_at"])
          .map((name) => [name, `${instant} ${isSqlite(dialect) ? "DEFAULT (unixepoch())" : ""}`]),
      ),
    });
    expect(await structure(database)).toEqual((await fresh()) as object);
    expect(await find(database, "token-session-ann")).toEqual({
      id: "session-ann",
      token: "token-session-ann",
      userId: "ann",
      expiresAt: Date.parse(ends),
      createdAt: Date.parse(made),
      updatedAt: Date.parse(made),
      ipAddress: null,
      userAgent: null,
      user: {
        id: "ann",
        name: "Ann",
        email: "ann@example.com",
        emailVerified: true,
        image: null,
        createdAt: Date.parse(made),
        updatedAt: Date.parse(made),
      },
    });
    expect(await database.query("SELECT id, password FROM account")).toEqual([
      { id: "account-ann", password: "hash-ann" },
    ]);
    expect(await database.query("SELECT value FROM verification")).toEqual([{ value: "ann" }]);
  });

  test("takes varchar for text, adds missing nullable columns and creates verification", async () => {
    const database = await adopt({
      without: ["verification"],
      columns: {
        "user.id": "varchar(36) PRIMARY KEY NOT NULL",
        "user.email": "varchar(255) NOT NULL",
        "session.user_id": "varchar(36) NOT NULL",
        "user.image": null,
        "session.ip_address": null,
        "session.user_agent": null,
        "account.access_token_expires_at": null,
        "account.scope": null,
      },
    });
    await database.query(
      "UPDATE account SET scope = 'x', access_token_expires_at = NULL WHERE id = 'account-ann'",
    );
    await database.query("UPDATE session SET ip_address = '::1', user_agent = 'x'");
    expect(await database.query(`SELECT image FROM "user"`)).toEqual([{ image: null }]);
    expect(await database.query("SELECT * FROM verification")).toEqual([]);
    const names = (found: unknown) =>
      (found as { columns: Record<string, unknown>[] }).columns.map(({ owner, name }) => [owner, name]);
    expect(names(await structure(database))).toEqual(names(await fresh()));
  });

  test("keeps further columns, their values, indexes and foreign keys", async () => {
    const columns = {
      "user.role": "text",
      "user.banned": `${flag} DEFAULT false NOT NULL`,
      "user.locale": "text NOT NULL DEFAULT 'it''s'",
      // What makes SQLite rebuild the table.
      "user.updated_at": `${instant}`,
      "session.team_id": "text REFERENCES team(id) ON DELETE SET NULL",
      "session.updated_at": `${instant}`,
    };
    const database = await track(openEmpty(dialect));
    const rows = [...person(dialect, "ann", { role: "admin", locale: "de" }), ...person(dialect, "bob")];
    const statements = [
      "CREATE TABLE team (id text PRIMARY KEY NOT NULL)",
      "INSERT INTO team VALUES ('red')",
      ...legacyTables(dialect, { columns }),
    ];
    for (const statement of statements) await database.query(statement);
    for (const [table, row] of rows) {
      const values = Object.keys(row).map((_, at) => `$${at + 1}`);
      const names = Object.keys(row).join(", ");
      await database.query(`INSERT INTO "${table}" (${names}) VALUES (${values.join()})`, Object.values(row));
    }
    await database.query(`CREATE INDEX user_role_idx ON "user" (role)`);
    await database.query("CREATE INDEX session_team_idx ON session (team_id) WHERE team_id IS NOT NULL");
    await database.query('CREATE TABLE post (id text, author text REFERENCES "user"(id) ON DELETE CASCADE)');
    await database.query("INSERT INTO post VALUES ('1', 'ann')");
    await database.query("UPDATE session SET team_id = 'red' WHERE user_id = 'ann'");

    expect(await database.migrate()).toEqual(tagsAfterAdoption);

    const no = isSqlite(dialect) ? 0 : false;
    expect(await database.query(`SELECT id, role, banned, locale FROM "user" ORDER BY id`)).toEqual([
      { id: "ann", role: "admin", banned: no, locale: "de" },
      { id: "bob", role: null, banned: no, locale: "it's" },
    ]);
    expect(await database.query("SELECT user_id, team_id FROM session ORDER BY id")).toEqual([
      { user_id: "ann", team_id: "red" },
      { user_id: "bob", team_id: null },
    ]);
    await database.query(
      `INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at) SELECT 'cyd', name, 'cyd', email_verified, created_at, updated_at FROM "user" WHERE id = 'ann'`,
    );
    expect(await database.query(`SELECT banned, locale FROM "user" WHERE id = 'cyd'`)).toEqual([
      { banned: no, locale: "it's" },
    ]);
    const indexes = JSON.stringify(await structure(database));
    expect(indexes).toContain("user_role_idx");
    expect(indexes).toContain("session_team_idx");
    expect(await database.query("SELECT * FROM post")).toEqual([{ id: "1", author: "ann" }]);
    const keys = JSON.stringify((await structure(database)) as { keys: unknown }).toLowerCase();
    expect(keys).toContain("set null");
  });

  test("lets accounts be written again where BetterAuth 1.7.0 to 1.7.2 required an issuer", async () => {
    const rows = person(dialect, "ann").map(([table, row]) =>
      table === "account"
        ? ([table, { ...row, issuer: "local:credential" }] as const)
        : ([table, row] as const),
    );
    const database = await adopt({
      columns: { "account.issuer": "text NOT NULL" },
      rows,
      then: ["CREATE UNIQUE INDEX account_issuer_accountId_uidx ON account (issuer, account_id)"],
    });
    expect(await database.query("SELECT id, issuer FROM account")).toEqual([
      { id: "account-ann", issuer: "local:credential" },
    ]);
    await database.query(
      "INSERT INTO account (id, account_id, provider_id, user_id, created_at, updated_at) SELECT 'second', 'x', 'y', user_id, created_at, updated_at FROM account",
    );
    expect(await database.query("SELECT issuer FROM account WHERE id = 'second'")).toEqual([
      { issuer: null },
    ]);
  });

  test.each([["without a foreign key", null] as const, ["with one that does not cascade", ""] as const])(
    "lets a deleted user's sessions and accounts go, %s before",
    async (_, onDelete) => {
      const database = await adopt({ onDelete });
      const store = database.open();
      const transaction = await store.begin();
      await transaction.query(`DELETE FROM "user" WHERE id = 'ann'`);
      await transaction.commit();
      await store.close();
      expect(await database.query("SELECT id FROM session UNION ALL SELECT id FROM account")).toEqual([]);
    },
  );

  test("replaces equal indexes of its own names and leaves another's alone", async () => {
    const database = await adopt({
      then: [
        "CREATE INDEX session_expires_at_idx ON session (expires_at)",
        "CREATE UNIQUE INDEX account_provider_account_uidx ON account (provider_id, account_id)",
        `CREATE INDEX "session_userId_idx" ON session (user_id)`,
        "CREATE INDEX session_user_idx ON session (user_id)",
      ],
    });
    const found = JSON.stringify(await structure(database));
    expect(found).toContain("session_user_idx");
    expect(found).toContain("session_expires_at_idx");
  });

  test("takes a unique constraint of another name for its own", async () => {
    const database = await adopt({
      unique: false,
      then: [`CREATE UNIQUE INDEX user_email_key ON "user" (email)`],
    });
    const found = JSON.stringify(await structure(database));
    expect(found).toContain("user_email_key");
    expect(found).not.toContain("user_email_unique");
    expect(found).toContain("session_token_unique");
  });

  test("lowers e-mail addresses, which BetterAuth looks up in lower case", async () => {
    const database = await adopt({
      rows: [
        ...person(dialect, "ann", { email: "Ann@Example.COM" }),
        ...person(dialect, "bob", { email: "Émile[x]@example.com" }),
        ...person(dialect, "cyd", { email: "ünchanged_{1}@example.com" }),
      ],
    });
    expect(await database.query(`SELECT id, email FROM "user" ORDER BY id`)).toEqual([
      { id: "ann", email: "ann@example.com" },
      { id: "bob", email: "émile[x]@example.com" },
      { id: "cyd", email: "ünchanged_{1}@example.com" },
    ]);
  });

  test("lowers more addresses than one statement takes", async () => {
    const rows = Array.from({ length: 401 }, (_, at) =>
      person(dialect, `p${at}`, { email: `P${at}@Example.com` }),
    );
    const database = await legacy({ rows: rows.flatMap(([user]) => (user === undefined ? [] : [user])) });
    await database.migrate();
    const left = await database.query(
      `SELECT count(*) AS left FROM "user" WHERE email <> id || '@example.com'`,
    );
    expect(Number(left[0]?.["left"])).toBe(0);
  }, 20_000);
});
