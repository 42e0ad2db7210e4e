import { Database as SqliteDatabase } from "bun:sqlite";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SQL } from "bun";
import { migrations } from "../../src/database/migrations.ts";
import type { CommandError } from "../../src/errors.ts";
import { readSchemaStatus } from "../../src/database/migrate-server.ts";
import { inspectSqliteSchema } from "../../src/database/inspect-sqlite.ts";
import { dialects } from "../support/databases.ts";
import { everyTag, type LegacyDatabase, openEmpty, openLegacy, tagsAfterAdoption } from "./adopt/fixtures.ts";
import { structure } from "./adopt/structure.ts";

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

const status = async (database: LegacyDatabase) => {
  // The server's own connections would put the file into WAL mode.
  if (database.config.driver === "sqlite") return await inspectSqliteSchema(database.config.path);
  const store = database.open();
  try {
    return await readSchemaStatus(store);
  } finally {
    await store.close();
  }
};

describe.each(dialects)("migrations on %s", (dialect) => {
  const empty = () => track(openEmpty(dialect));
  const migrated = async () => {
    const database = await empty();
    await database.migrate();
    return database;
  };
  const newer = (minReader: number) =>
    `INSERT INTO latchkey_migration (tag, hash, min_reader, applied_at) VALUES ('9999_newer', 'x', ${minReader}, 1)`;

  test("make a fresh database once and say when", async () => {
    const database = await empty();
    expect(await database.migrate()).toEqual(everyTag);
    const before = await database.content();
    expect(await database.migrate()).toEqual([]);
    expect(await database.content()).toEqual(before as object);
    const rows = await database.query(
      "SELECT tag, hash, min_reader, applied_at FROM latchkey_migration ORDER BY tag",
    );
    expect(rows.map(({ tag, min_reader }) => [tag, min_reader])).toEqual(
      migrations.sqlite.map(({ tag, minReader }) => [tag, minReader]),
    );
    for (const row of rows) {
      expect(row["hash"]).toMatch(/^[0-9a-f]{64}$/);
      expect(Math.abs(Number(row["applied_at"]) - Date.now())).toBeLessThan(60_000);
    }
    expect(await status(database)).toEqual({ applied: everyTag, pending: [], unknown: [] });
  });

  test("go on from where an older latchkey stopped", async () => {
    const database = await migrated();
    const whole = await structure(database);
    await database.query("DROP INDEX session_expires_at_idx");
    await database.query("DROP INDEX account_provider_account_uidx");
    await database.query("DELETE FROM latchkey_migration WHERE tag = '0001_indexes'");
    expect(await status(database)).toEqual({
      applied: everyTag.filter((tag) => tag !== "0001_indexes"),
      pending: ["0001_indexes"],
      unknown: [],
    });
    expect(await database.migrate()).toEqual(["0001_indexes"]);
    expect(await structure(database)).toEqual(whole as object);
  });

  test("S81: leave nothing of a migration that fails", async () => {
    const database = await migrated();
    await database.query("DROP INDEX session_expires_at_idx");
    await database.query("DELETE FROM latchkey_migration WHERE tag = '0001_indexes'");
    const before = await database.content();
    // Its first index is still there.
    await expect(database.migrate()).rejects.toThrow("already exists");
    expect(await database.content()).toEqual(before as object);
  });

  test("S83: of a newer latchkey are passed over where it lets this one work", async () => {
    const database = await migrated();
    await database.query(newer(everyTag.length));
    expect(await database.migrate()).toEqual([]);
    expect(await status(database)).toEqual({ applied: everyTag, pending: [], unknown: ["9999_newer"] });
  });

  test("S83: of a newer latchkey that does not let this one work are refused", async () => {
    const database = await migrated();
    await database.query(newer(everyTag.length + 1));
    const before = await database.content();
    expect(await database.refusal()).toContain("migrated by a newer latchkey (9999_newer)");
    expect(await database.content()).toEqual(before as object);
    const error = await status(database).then(
      () => undefined,
      (cause: unknown) => cause as CommandError,
    );
    expect([error?.message, error?.remedy]).toEqual([
      expect.stringContaining("newer latchkey"),
      expect.stringMatching(
        dialect === "sqlite"
          ? /^run the newer latchkey again.*latchkey\.db\.before-9999_newer/
          : /^run the newer latchkey again.*into an empty database$/,
      ),
    ]);
  });

  test("that were applied in another form are refused", async () => {
    const database = await migrated();
    await database.query("UPDATE latchkey_migration SET hash = 'x' WHERE tag = '0001_indexes'");
    expect(await database.refusal()).toContain("migration 0001_indexes was applied in another form");
    await expect(status(database)).rejects.toThrow("another form");
  });

  test("are only read by a look at their status", async () => {
    const database = await empty();
    const before = await database.content();
    expect(await status(database)).toEqual({ applied: [], pending: everyTag, unknown: [] });
    expect(await database.content()).toEqual(before as object);
  });
});

describe.each(["sqlite", "postgres"] as const)("S82: three starts at once on %s", (dialect) => {
  test.each([
    ["a fresh database", openEmpty, everyTag],
    ["another service's database", openLegacy, tagsAfterAdoption],
  ] as const)(
    "all succeed on %s, 20 times over, and one does the work",
    async (_, open, expected) => {
      for (let round = 0; round < 20; round += 1) {
        const database = await open(dialect);
        if (dialect === "sqlite" && expected === everyTag) rmSync(pathOf(database));
        const applied = await Promise.all([database.migrate(), database.migrate(), database.migrate()]);
        expect(applied.map((tags) => tags.join()).toSorted()).toEqual(["", "", expected.join()]);
        await database.close();
      }
    },
    60_000,
  );
});

const pathOf = (database: LegacyDatabase) => database.url.replace(/^file:/, "");

describe("a SQLite file", () => {
  test.each([
    ["a fresh file", false],
    ["another service's file", true],
  ])(
    "S82: is made ready by three processes at once, 20 times over, from %s",
    async (_, legacy) => {
      const module = JSON.stringify(Bun.resolveSync("../../src/database/migrate-sqlite.ts", import.meta.dir));
      // Each says that it is there and waits for the word, so that they start together.
      const script = `const { migrateSqliteFile } = await import(${module});
        for await (const path of console) console.log(JSON.stringify(await migrateSqliteFile(path)));`;
      const processes = Array.from({ length: 3 }, () =>
        Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" }),
      );
      const answers = processes.map((child) => lines(child.stdout));
      try {
        for (let round = 0; round < 20; round += 1) {
          const database = await (legacy ? openLegacy : openEmpty)("sqlite");
          if (!legacy) rmSync(pathOf(database));
          for (const child of processes) {
            void child.stdin.write(`${pathOf(database)}\n`);
            void child.stdin.flush();
          }
          const applied = await Promise.all(answers.map(async (answer) => (await answer.next()).value));
          const work = JSON.stringify(legacy ? tagsAfterAdoption : everyTag);
          expect(applied.toSorted()).toEqual([work, "[]", "[]"].toSorted());
          // Of two that close at the same instant SQLite takes neither for the last; the next one to close takes the log away.
          const after = new SqliteDatabase(pathOf(database));
          after.run("SELECT 1 FROM latchkey_migration");
          after.close(true);
          const files = ["latchkey.db", ...(legacy ? ["latchkey.db.before-adoption"] : [])];
          expect(readdirSync(dirname(pathOf(database))).toSorted()).toEqual(files);
          await database.close();
        }
      } finally {
        for (const child of processes) child.kill();
        await Promise.all(processes.map((child) => child.exited));
      }
    },
    60_000,
  );

  test("is in WAL mode once it is migrated, and was not before it could be", async () => {
    const database = await track(openLegacy("sqlite"));
    const mode = () => database.query("PRAGMA journal_mode");
    expect(await mode()).toEqual([{ journal_mode: "delete" }]);
    await database.migrate();
    expect(await mode()).toEqual([{ journal_mode: "wal" }]);
  });

  test("is waited for while another process writes", async () => {
    const database = await track(openLegacy("sqlite"));
    const other = new SqliteDatabase(pathOf(database));
    other.run("BEGIN IMMEDIATE");
    const migration = database.migrate();
    await Bun.sleep(50);
    other.run("COMMIT");
    other.close();
    expect(await migration).toEqual(tagsAfterAdoption);
  });

  test.each([
    ["empty", "", "is empty"],
    ["another kind of file", "hello, this is no database", "is not a SQLite database"],
  ])("S80: is refused when it is %s", async (_, content, said) => {
    const database = await track(openEmpty("sqlite"));
    writeFileSync(pathOf(database), content);
    const before = await database.content();
    expect(await database.refusal()).toContain(said);
    expect(await database.content()).toEqual(before as object);
    expect(readdirSync(dirname(pathOf(database)))).toEqual(["latchkey.db"]);
  });

  test("S80: is refused when it is a directory", async () => {
    const database = await track(openEmpty("sqlite"));
    rmSync(pathOf(database));
    mkdirSync(pathOf(database));
    expect(await database.refusal()).toContain("is not a file");
  });
});

describe("migrateServer", () => {
  test("waits for an instance whose migration takes longer than a statement may", async () => {
    const database = await track(openEmpty("postgres"));
    const other = new SQL(database.url, { max: 1 });
    const migration = await other.begin(async (transaction) => {
      await transaction.unsafe("SELECT pg_advisory_xact_lock(7263451)");
      const running = database.migrate();
      // Longer than lock_timeout and than statement_timeout.
      await transaction.unsafe("SELECT pg_sleep(4.5)");
      return { running };
    });
    expect(await migration.running).toEqual(everyTag);
    await other.close();
  }, 20_000);
});

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
