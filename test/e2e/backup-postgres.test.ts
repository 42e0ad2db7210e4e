import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { postgresTools } from "../support/postgres-tools.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const password = "correct horse battery";
const available = process.platform === "linux" && process.arch === "x64" && Bun.which("dpkg-deb") !== null;

describe.skipIf(!available).each(dialects.filter((dialect) => dialect !== "sqlite"))(
  "latchkey backup and restore on %s (needs dpkg-deb)",
  (dialect) => {
    let tools: string;
    let cwd: string;
    let server: RunningLatchkey;
    const databases: TestDatabase[] = [];
    const open = async () => {
      const database = await openTestDatabase(dialect);
      databases.push(database);
      return database;
    };
    let database: TestDatabase;
    let ann: ReturnType<typeof createClient>;
    const run = (args: readonly string[], on = database, path = `${tools}:/bin:/usr/bin`) =>
      runLatchkey(args, { env: { ...on.env, PATH: path, PGPASSWORD: secretOf() }, cwd });
    const secretOf = () => decodeURIComponent(new URL(database.url).password);
    const bare = ({ url: text }: TestDatabase) => {
      const url = new URL(text);
      url.password = "";
      return url.href;
    };
    beforeAll(async () => {
      tools = await postgresTools(18);
      cwd = temporaryDirectory("dumps");
      database = await open();
      server = await spawnLatchkey({ env: database.env });
      ann = createClient(server.origin);
      const { error } = await ann.auth.signUp.email({ email: "ann@example.com", password, name: "Ann" });
      expect(error).toBeNull();
    });
    afterAll(async () => {
      await server.stop();
      for (const each of databases) await each.close();
    });

    test("writes a dump beside the server, of one moment, and restores it into an empty database", async () => {
      const { exitCode, stdout, stderr } = await run(["backup", "ann.dump", "--json"]);
      const { talk, log } = splitLog(stderr);
      expect([exitCode, talk]).toEqual([0, ""]);
      const file = join(cwd, "ann.dump");
      expect(JSON.parse(stdout)).toEqual({
        path: file,
        users: 1,
        accounts: 1,
        sessions: 1,
        verifications: 0,
        locks: 0,
        bytes: statSync(file).size,
        verified: false,
        session: "untried",
        secret: null,
        removed: [],
      });
      expect(log).toMatchObject([
        { event: "backup", outcome: "success", path: file, users: 1, verified: false, removed: 0 },
      ]);
      expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
      const called = readFileSync(join(tools, "called"), "utf8");
      expect(called).toContain("password given");
      expect(called).not.toContain(secretOf());
      const taken = await run(["backup", "ann.dump"]);
      expect([taken.exitCode, taken.stderr]).toEqual([2, expect.stringContaining("is not overwritten")]);

      const target = await open();
      const restored = await run(["restore", "ann.dump", "--json"], target);
      expect([restored.exitCode, splitLog(restored.stderr)]).toMatchObject([
        0,
        { talk: "", log: [{ event: "restore", outcome: "success", path: file, users: 1 }] },
      ]);
      expect(JSON.parse(restored.stdout)).toMatchObject({ users: 1, sessions: 1, session: "verified" });
      const env = { ...target.env, BETTER_AUTH_SECRET: database.env["BETTER_AUTH_SECRET"] ?? "" };
      const second = await spawnLatchkey({ env });
      const again = createClient(second.origin, { jar: ann.jar });
      expect((await again.fetch("/api/auth/verify")).status).toBe(200);
      await second.stop();
      const twice = await run(["restore", "ann.dump"], target);
      expect([twice.exitCode, twice.stderr]).toEqual([2, expect.stringContaining("is not empty")]);
      expect(splitLog(twice.stderr).log).toMatchObject([{ event: "restore", reason: "database_not_empty" }]);
      expect(await target.query('SELECT count(*)::int AS n FROM "user"')).toEqual([{ n: 1 }]);
    });

    test("--verify-into restores into a scratch database, compares, and leaves it empty", async () => {
      const scratch = await open();
      const { exitCode, stdout, stderr } = await run([
        "backup",
        "tried.dump",
        "--json",
        "--verify-into",
        bare(scratch),
      ]);
      expect([exitCode, splitLog(stderr).talk]).toEqual([0, ""]);
      expect(JSON.parse(stdout)).toMatchObject({ users: 1, verified: true, session: "verified" });
      const tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()";
      expect(await scratch.query(tables)).toEqual([]);
      await scratch.query("CREATE TABLE mine (one int)");
      const refused = await run(["backup", "again.dump", "--verify-into", bare(scratch)]);
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("is not empty")]);
      expect(await scratch.query(tables)).toEqual([{ tablename: "mine" }]);
      const own = await run(["backup", "again.dump", "--verify-into", bare(database)]);
      expect([own.exitCode, own.stderr]).toEqual([2, expect.stringContaining("is not empty")]);
      const shown = await run(["backup", "again.dump", "--verify-into", scratch.url]);
      expect([shown.exitCode, shown.stderr]).toEqual([2, expect.stringContaining("holds a password")]);
      expect(splitLog(shown.stderr).log).toEqual([]);
      expect(readdirSync(cwd)).not.toContain("again.dump");
    });

    test("--verify-into leaves it empty where there is more than tables, so that the next one finds it so", async () => {
      const scratch = await open();
      const others = [
        "CREATE SCHEMA other",
        "CREATE TYPE other.mood AS ENUM ('well')",
        "CREATE TABLE other.mine (now other.mood, id serial)",
        "CREATE TYPE tone AS ENUM ('low')",
        "CREATE SEQUENCE counting",
        "CREATE VIEW seen AS SELECT id FROM other.mine",
        "CREATE FUNCTION one(tone) RETURNS int LANGUAGE sql AS 'SELECT 1'",
      ];
      for (const statement of others) await database.query(statement);
      for (const file of ["more-1.dump", "more-2.dump"]) {
        const { exitCode, stderr } = await run(["backup", file, "--verify-into", bare(scratch)]);
        expect([exitCode, splitLog(stderr).talk]).toEqual([0, ""]);
      }
      await scratch.query("CREATE TYPE mine AS ENUM ('one')");
      const refused = await run(["backup", "more-3.dump", "--verify-into", bare(scratch)]);
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("is not empty")]);
      for (const what of ["SCHEMA other", "FUNCTION one", "TYPE tone", "SEQUENCE counting"])
        await database.query(`DROP ${what} CASCADE`);
    });

    test("--keep keeps so many", async () => {
      const written: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const { exitCode, stdout } = await run(["backup", "kept", "--keep", "2", "--json"]);
        const { path, removed } = JSON.parse(stdout) as { path: string; removed: string[] };
        written.push(path);
        expect([exitCode, removed]).toEqual([0, round < 2 ? [] : [written[0] ?? ""]]);
      }
      expect(readdirSync(join(cwd, "kept")).toSorted()).toEqual(
        written.slice(1).map((path) => path.split("/").at(-1) ?? ""),
      );
    });

    test("is refused by an older pg_dump, an unsound dump and a database that is not latchkey's", async () => {
      const before = readdirSync(cwd).toSorted();
      const old = await run(["backup", "old.dump"], database, `${await postgresTools(15)}:/bin:/usr/bin`);
      expect([old.exitCode, old.stderr]).toEqual([
        1,
        expect.stringMatching(/is of PostgreSQL 15, and the server is 18.*\nTry: .*postgresql-client-18/),
      ]);
      const target = await open();
      const foreign = await run(["backup", "foreign.dump"], target);
      expect([foreign.exitCode, foreign.stderr]).toEqual([
        1,
        expect.stringContaining("it has no table user"),
      ]);
      expect(readdirSync(cwd).toSorted()).toEqual(before);
      writeFileSync(join(cwd, "text.dump"), "SELECT 1");
      const text = await run(["restore", "text.dump"], target);
      expect([text.exitCode, text.stderr]).toEqual([2, expect.stringContaining("is not what pg_dump")]);
      // Whole at its beginning, cut short behind it.
      const whole = readFileSync(join(cwd, "ann.dump"));
      writeFileSync(join(cwd, "short.dump"), whole.subarray(0, whole.length - 2000));
      const short = await run(["restore", "short.dump"], target);
      expect([short.exitCode, short.stderr]).toEqual([1, expect.stringContaining("pg_restore failed")]);
      expect(
        await target.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"),
      ).toEqual([]);
    });
  },
);
