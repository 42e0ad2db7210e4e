import { readdirSync } from "node:fs";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const server = "postgres://app:pw@db.example.com/auth";
const good = "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh";

describe("a start is refused, the setting named and nothing made,", () => {
  test.each<readonly [string, string, Readonly<Record<string, string>>]>([
    ["S55: without a secret beside a database server", "BETTER_AUTH_SECRET", { DATABASE_URL: server }],
    ["S55: with a short secret", "BETTER_AUTH_SECRET", { BETTER_AUTH_SECRET: good.slice(0, 31) }],
    [
      "S55: with BetterAuth's default secret",
      "BETTER_AUTH_SECRET",
      { BETTER_AUTH_SECRET: "better-auth-secret-12345678901234567890" },
    ],
    ["S55: with a repeated character", "BETTER_AUTH_SECRET", { BETTER_AUTH_SECRET: "a".repeat(64) }],
    ["S56: with plain http elsewhere", "BETTER_AUTH_URL", { BETTER_AUTH_URL: "http://auth.example.com" }],
    ["S56: with plain http in a network", "BETTER_AUTH_URL", { BETTER_AUTH_URL: "http://192.168.1.10:3001" }],
    ...["*", "https://*.example.com", "null", "https://docs.example.com/guide", "ftp://docs.example.com"].map(
      (origin) =>
        [
          `S57: with the origin ${origin}`,
          "BETTER_AUTH_TRUSTED_ORIGINS",
          { BETTER_AUTH_TRUSTED_ORIGINS: `http://localhost:3000,${origin}` },
        ] as const,
    ),
    ["S60: with an unknown name", "LATCHKEY_SESSION_MAXAGE", { LATCHKEY_SESSION_MAXAGE: "1d" }],
  ])("%s", async (_what, variable, env) => {
    const cwd = temporaryDirectory("refused");
    const { exitCode, stderr } = await runLatchkey(["serve"], { cwd, env: { PORT: "0", ...env } });
    expect([exitCode, readdirSync(cwd)]).toEqual([2, []]);
    expect(stderr).toContain(variable);
    expect(stderr).toMatch(/^Error: .+\nTry: .+/);
  });
});

describe.each(dialects)("S16: a first start on %s", (dialect) => {
  test("makes nobody: no account, no session, and no name and password that a tutorial has", async () => {
    const database = await openTestDatabase(dialect);
    const running = await spawnLatchkey({ env: database.env });
    const counts = await Promise.all(
      ['"user"', "account", "session", "verification"].map(async (table) =>
        Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]?.["n"]),
      ),
    );
    expect(counts).toEqual([0, 0, 0, 0]);
    for (const email of ["admin@example.com", "admin@localhost.com", "root@example.com", "test@example.com"])
      for (const password of ["admin", "password", "latchkey", "changeme", "12345678"]) {
        const { status } = await fetch(`${running.url}/api/auth/sign-in/email`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ email, password }),
        });
        expect({ email, password, status }).toEqual({ email, password, status: 401 });
      }
    await running.stop();
    await database.close();
  });
});
