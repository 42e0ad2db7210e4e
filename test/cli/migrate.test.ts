import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { migrations } from "../../src/database/migrations.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { freshPlace, runCommand } from "./run-command.ts";

const tags = migrations.sqlite.map(({ tag }) => tag);
const linesOf = (state: string) => tags.map((tag) => `${state}  ${tag}\n`).join("");
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

const databases: TestDatabase[] = [];
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
});

async function emptyDatabase(dialect: (typeof dialects)[number]): Promise<TestDatabase> {
  const database = await openTestDatabase(dialect);
  databases.push(database);
  return database;
}

describe.each(dialects)("latchkey migrate on %s", (dialect) => {
  test("applies what is missing once, and says so before and after", async () => {
    const { env } = await emptyDatabase(dialect);
    const pending = await runCommand(["migrate", "--status"], { env });
    expect(pending).toEqual({
      exitCode: 1,
      stdout: linesOf("pending"),
      stderr: `Error: ${tags.length} migrations are pending\nTry: latchkey migrate\n`,
    });
    const first = await runCommand(["migrate"], { env });
    expect(first).toEqual({ exitCode: 0, stdout: linesOf("applied"), stderr: "" });
    const second = await runCommand(["migrate"], { env });
    expect(second).toEqual({ exitCode: 0, stdout: "the schema is up to date\n", stderr: "" });
    const status = await runCommand(["migrate", "--status"], { env });
    expect(status).toEqual({ exitCode: 0, stdout: linesOf("applied"), stderr: "" });
  });

  test("prints JSON", async () => {
    const { env } = await emptyDatabase(dialect);
    const json = async (...argv: string[]) => {
      const { exitCode, stdout } = await runCommand(["migrate", ...argv, "--json"], { env });
      return { exitCode, printed: JSON.parse(stdout) };
    };
    const nothing = { driver: dialect, applied: [], pending: [], unknown: [], minReader: 1 };
    expect(await json("--status")).toEqual({ exitCode: 1, printed: { ...nothing, pending: tags } });
    expect(await json()).toEqual({ exitCode: 0, printed: { driver: dialect, applied: tags } });
    expect(await json()).toEqual({ exitCode: 0, printed: { driver: dialect, applied: [] } });
    expect(await json("--status")).toEqual({ exitCode: 0, printed: { ...nothing, applied: tags } });
  });

  test("applies each migration once when several run at the same time", async () => {
    const { env, query } = await emptyDatabase(dialect);
    const results = await Promise.all([1, 2, 3, 4].map(() => runCommand(["migrate", "--json"], { env })));
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(results.flatMap(({ stdout }) => JSON.parse(stdout).applied)).toEqual(tags);
    expect(await query("SELECT tag FROM latchkey_migration ORDER BY tag")).toEqual(
      tags.map((tag) => ({ tag })),
    );
  });

  test("S83: tells a newer executable's migrations, and stops at those it cannot work with", async () => {
    const { env, query } = await emptyDatabase(dialect);
    await runCommand(["migrate"], { env });
    const insert =
      "INSERT INTO latchkey_migration (tag, hash, min_reader, applied_at) VALUES ($1, 'x', $2, 0)";
    await query(insert, ["9998_harmless", 1]);
    expect(await runCommand(["migrate", "--status"], { env })).toEqual({
      exitCode: 0,
      stdout: `${linesOf("applied")}unknown  9998_harmless\n`,
      stderr: "",
    });
    await query(insert, ["9999_drastic", 1000]);
    for (const argv of [["migrate"], ["migrate", "--status"]]) {
      const { exitCode, stdout, stderr } = await runCommand(argv, { env });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(/^Error: .*newer latchkey \(9999_drastic\).*\nTry: run the newer latchkey/);
    }
  });
});

describe("latchkey migrate on the embedded database", () => {
  test("makes directory, secret and database for their owner alone, whatever the umask", async () => {
    const { cwd, dataDir, database } = freshPlace();
    const umask = process.umask(0);
    try {
      expect((await runCommand(["migrate"], { cwd })).exitCode).toBe(0);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(umask);
    }
    expect([dataDir, database, join(dataDir, "secret")].map(modeOf)).toEqual(["700", "600", "600"]);
    const secret = readFileSync(join(dataDir, "secret"), "utf8");
    await runCommand(["migrate"], { cwd });
    expect(readFileSync(join(dataDir, "secret"), "utf8")).toBe(secret);
  });

  test("--status makes nothing where there is nothing", async () => {
    const { cwd } = freshPlace();
    expect((await runCommand(["migrate", "--status"], { cwd })).exitCode).toBe(1);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("--status leaves no file behind in a database at rest", async () => {
    const { cwd, dataDir, database } = freshPlace();
    await runCommand(["migrate"], { cwd });
    const db = new Database(database);
    db.run("PRAGMA journal_mode = WAL");
    db.close();
    const before = readdirSync(dataDir).toSorted();
    expect((await runCommand(["migrate", "--status"], { cwd })).exitCode).toBe(0);
    expect(readdirSync(dataDir).toSorted()).toEqual(before);
  });

  test("--status sees what stands in the write-ahead log of a database in use", async () => {
    const { cwd, database } = freshPlace();
    await runCommand(["migrate"], { cwd });
    const db = new Database(database);
    db.run("PRAGMA journal_mode = WAL");
    db.run("DELETE FROM latchkey_migration WHERE tag = ?", [tags.at(-1) ?? ""]);
    try {
      const { stdout } = await runCommand(["migrate", "--status", "--json"], { cwd });
      expect(JSON.parse(stdout).pending).toEqual(tags.slice(-1));
    } finally {
      db.close();
    }
  });

  test("refuses a database whose generated secret is gone, and makes no other", async () => {
    const { cwd, dataDir } = freshPlace();
    await runCommand(["migrate"], { cwd });
    rmSync(join(dataDir, "secret"));
    const { exitCode, stderr } = await runCommand(["migrate"], { cwd });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: .*secret .* is missing or damaged\nTry: restore /);
    expect(existsSync(join(dataDir, "secret"))).toBe(false);
  });

  test.each([
    ["an empty file", ""],
    ["another file", "hello, this is no database\n".repeat(100)],
  ])("refuses %s, and leaves it alone", async (_, content) => {
    const { cwd, dataDir, database } = freshPlace();
    mkdirSync(dataDir, { mode: 0o700 });
    writeFileSync(database, content);
    writeFileSync(join(dataDir, "secret"), "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=\n");
    for (const argv of [["migrate"], ["migrate", "--status"]]) {
      const { exitCode, stdout, stderr } = await runCommand(argv, { cwd });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(/^Error: .*\nTry: .*\n$/);
    }
    expect(readFileSync(database, "utf8")).toBe(content);
  });
});

describe("latchkey migrate of a server that an option names", () => {
  const place = () => {
    const { cwd, dataDir, database } = freshPlace();
    writeFileSync(join(cwd, "latchkey.env"), `LATCHKEY_DATA_DIR=${dataDir}\n`);
    const inShell = join(cwd, "other");
    const migrateThere = async (...argv: string[]) =>
      await runCommand(["migrate", "--env-file", "latchkey.env", ...argv], {
        cwd,
        env: { LATCHKEY_DATA_DIR: inShell },
      });
    return { dataDir, database, inShell, migrateThere };
  };

  test("takes that one's database, and not the shell's", async () => {
    const { database, inShell, migrateThere } = place();
    const pending = await migrateThere("--status");
    expect([pending.exitCode, pending.stderr]).toEqual([
      1,
      expect.stringMatching(/pending\nTry: latchkey migrate --env-file latchkey\.env\n$/),
    ]);
    expect((await migrateThere()).exitCode).toBe(0);
    expect((await migrateThere("--status")).exitCode).toBe(0);
    expect([existsSync(database), existsSync(inShell)]).toEqual([true, false]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "makes nothing of root's in another user's folder, and goes on with what is there",
    async () => {
      const { dataDir, database, migrateThere } = place();
      mkdirSync(dataDir, { mode: 0o700 });
      chownSync(dataDir, 4321, 4321);
      const refused = await migrateThere();
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain("setpriv --reuid 4321");
      expect(existsSync(database)).toBe(false);
      chownSync(dataDir, 0, 0);
      await migrateThere();
      for (const path of [dataDir, database, join(dataDir, "secret")]) chownSync(path, 4321, 4321);
      expect((await migrateThere()).exitCode).toBe(0);
    },
  );
});
