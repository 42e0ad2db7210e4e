import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const person = { email: "start@example.com", password: "correct horse battery", name: "Start" };

describe("a first start", () => {
  test("in an empty folder with an empty environment needs nothing, and keeps its files to itself", async () => {
    const server = await spawnLatchkey({ env: {} });
    const client = createClient(server.origin);
    expect((await client.auth.signUp.email(person)).error).toBeNull();
    const data = join(server.dir, "data");
    const modes = Object.fromEntries(
      ["", "secret", "latchkey.db", "latchkey.db-wal"].map((name) => [
        name,
        statSync(join(data, name)).mode & 0o777,
      ]),
    );
    expect(modes).toEqual({ "": 0o700, secret: 0o600, "latchkey.db": 0o600, "latchkey.db-wal": 0o600 });
    expect(server.logs()[0]).toMatchObject({ event: "starting", dataDirectory: data });
    expect(await server.stop()).toBe(0);
    expect(readdirSync(data).filter((name) => name.includes("tmp"))).toEqual([]);
    expect(readdirSync(server.dir)).toEqual(["data"]);
  });

  test.each(dialects)("S82: three at once on %s all start, and are one service", async (dialect) => {
    for (let round = 0; round < 5; round += 1) {
      const database = await openTestDatabase(dialect);
      const { BETTER_AUTH_SECRET: _generated, ...sqliteEnv } = database.env;
      const env = dialect === "sqlite" ? sqliteEnv : database.env;
      const servers = await Promise.all([1, 2, 3].map(() => spawnLatchkey({ env })));
      const [first, ...others] = servers.map((server) =>
        createClient(server.url, { requestOrigin: "http://localhost:3000" }),
      );
      expect((await first?.auth.signUp.email(person))?.error).toBeNull();
      for (const other of others) {
        const verified = await other.fetch("/api/auth/verify", {
          headers: { cookie: first?.jar.header() ?? "" },
        });
        expect(verified.status).toBe(200);
      }
      expect(await Promise.all(servers.map((server) => server.stop()))).toEqual([0, 0, 0]);
      await database.close();
    }
  });

  test("S80: killed anywhere, the next one works", async () => {
    for (let round = 0; round < 12; round += 1) {
      const cwd = temporaryDirectory("killed");
      const started = spawnLatchkey({ env: {}, cwd, readyTimeoutMs: 20 + round * 12 }).catch(() => undefined);
      await (await started)?.kill();
      const next = await spawnLatchkey({ env: {}, cwd });
      expect((await createClient(next.origin).auth.signUp.email(person)).error).toBeNull();
      expect(await next.stop()).toBe(0);
    }
  });

  test("refuses a database whose generated secret is gone, and touches neither", async () => {
    const server = await spawnLatchkey({ env: {} });
    await server.stop();
    const secret = join(server.dir, "data", "secret");
    await Bun.$`rm ${secret}`.quiet();
    const { exitCode, stderr } = await runLatchkey(["serve"], { cwd: server.dir, env: { PORT: "0" } });
    expect([exitCode, existsSync(secret)]).toEqual([1, false]);
    expect(stderr).toMatch(/Error: .*secret.*missing[\s\S]*Try: restore/);
  });

  test.each([
    ["an empty file", ""],
    ["another file", "not a database at all, but long enough to be read"],
  ])("S80: refuses %s in the database's place, and leaves it", async (_name, content) => {
    const cwd = temporaryDirectory("damaged");
    const path = join(cwd, "data", "latchkey.db");
    await Bun.write(path, content);
    const { exitCode, stderr } = await runLatchkey(["serve"], {
      cwd,
      env: { PORT: "0", BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" },
    });
    expect([exitCode, await Bun.file(path).text()]).toEqual([1, content]);
    expect(stderr).toContain("Error: ");
  });

  test.each([
    ["an unreachable PostgreSQL server", { DATABASE_URL: "postgres://u:canary-password@127.0.0.1:1/db" }],
    [
      "an unreachable Neon proxy",
      {
        DATABASE_URL: "postgres://u:canary-password@x.neon.tech/db",
        LATCHKEY_NEON_PROXY: "ws://127.0.0.1:1/v1",
      },
    ],
  ])("S71: says why it cannot start on %s, bounded, without the password", async (_name, env) => {
    const { exitCode, stderr, stdout } = await runLatchkey(["serve"], {
      env: { PORT: "0", BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh", ...env },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/Error: .+\nTry: .+/);
    expect(stderr + stdout).not.toContain("canary-password");
  });
});
