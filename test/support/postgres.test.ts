import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { sharedPostgres, startPostgres, type TestPostgres } from "./postgres.ts";

setDefaultTimeout(60_000);

async function ask(url: string, query: string): Promise<Record<string, unknown>[]> {
  const sql = new SQL(url, { max: 1 });
  try {
    return [...(await sql.unsafe(query))];
  } finally {
    await sql.close();
  }
}

describe("sharedPostgres", () => {
  test("is PostgreSQL 18, one for the whole process, reached as an ordinary role", async () => {
    const server = await sharedPostgres();
    expect(await sharedPostgres()).toBe(server);
    const [row] = await ask(
      await server.createDatabase(),
      "SELECT current_setting('server_version_num')::int / 10000 AS version, current_user::text AS role, rolsuper FROM pg_roles WHERE rolname = current_user",
    );
    expect(row).toEqual({ version: 18, role: "latchkey", rolsuper: false });
  });

  test("refuses a wrong password", async () => {
    const server = await sharedPostgres();
    const url = new URL(await server.createDatabase());
    url.password = "wrong";
    expect(ask(url.href, "SELECT 1")).rejects.toThrow("password authentication failed");
  });

  test("creates databases that share nothing", async () => {
    const server = await sharedPostgres();
    const [first, second] = await Promise.all([server.createDatabase(), server.createDatabase()]);
    await ask(first, "CREATE TABLE mark (id integer)");
    expect(await ask(second, "SELECT to_regclass('mark')::text AS mark")).toEqual([{ mark: null }]);
  });

  test("drops a database that is in use", async () => {
    const server = await sharedPostgres();
    const url = await server.createDatabase();
    const sql = new SQL(url, { max: 1 });
    await sql`SELECT 1`;
    await server.dropDatabase(new URL(url).pathname.slice(1));
    expect(ask(url, "SELECT 1")).rejects.toThrow("does not exist");
    await sql.close();
  });

  test("terminates the connections to one database and no other", async () => {
    const server = await sharedPostgres();
    const [url, otherUrl] = [await server.createDatabase(), await server.createDatabase()];
    const [sql, other] = [new SQL(url, { max: 1 }), new SQL(otherUrl, { max: 1 })];
    const pidOf = async (connection: SQL) => (await connection`SELECT pg_backend_pid() AS pid`)[0].pid;
    const [pid, otherPid] = [await pidOf(sql), await pidOf(other)];
    await server.terminateBackends(new URL(url).pathname.slice(1));
    const backends = await ask(
      otherUrl,
      `SELECT pid FROM pg_stat_activity WHERE pid IN (${pid}, ${otherPid})`,
    );
    expect(backends).toEqual([{ pid: otherPid }]);
    await Promise.all([sql.close(), other.close()]);
  });
});

describe("startPostgres", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test.each(["fast", "immediate"] as const)("keeps what is committed over a restart (%s)", async (mode) => {
    const url = await server.createDatabase();
    const { pid } = server;
    await ask(url, "CREATE TABLE kept AS SELECT 1 AS id");
    await server.restart(mode);
    expect(server.pid).not.toBe(pid);
    expect(await ask(url, "SELECT id FROM kept")).toEqual([{ id: 1 }]);
  });

  test("refuses connections while it is halted", async () => {
    const url = await server.createDatabase();
    await server.halt();
    expect(ask(url, "SELECT 1")).rejects.toThrow();
    await server.resume();
    expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("is gone after stop, its files too", async () => {
    const own = await startPostgres();
    const directory = dataDirectoryOf(own.pid);
    expect(existsSync(directory)).toBe(true);
    await own.stop();
    expect([isAlive(own.pid), existsSync(directory)]).toEqual([false, false]);
  });

  test("is gone when its test process is killed, its files too", async () => {
    const script = `import { startPostgres } from ${JSON.stringify(join(import.meta.dir, "postgres.ts"))};
      const server = await startPostgres();
      console.log(server.pid);
      setInterval(() => {}, 1000);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stdin: "ignore" });
    const { value } = await child.stdout.getReader().read();
    const pid = Number(new TextDecoder().decode(value));
    const directory = dataDirectoryOf(pid);
    expect(isAlive(pid)).toBe(true);
    child.kill("SIGKILL");
    const deadline = Date.now() + 10_000;
    while ((isAlive(pid) || existsSync(directory)) && Date.now() < deadline) await Bun.sleep(20);
    expect([isAlive(pid), existsSync(directory)]).toEqual([false, false]);
  });
});

/** The argument after `-D`. Linux only: the rest of the suite does not depend on /proc. */
function dataDirectoryOf(pid: number): string {
  if (process.platform !== "linux") return "/nonexistent";
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[2] ?? "";
}

/** A zombie that nobody has waited for is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
