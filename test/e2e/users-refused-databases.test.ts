import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey } from "../support/executable.ts";
import { addMember } from "../support/member.ts";

setDefaultTimeout(60_000);

describe.each(dialects)("latchkey users on %s", (dialect) => {
  test("refuses a schema that is missing, older or too new, and changes nothing", async () => {
    const database = await openTestDatabase(dialect);
    const list = () => runLatchkey(["users", "list"], { env: database.env });
    if (dialect !== "sqlite") {
      const missing = await list();
      expect([missing.exitCode, missing.stderr]).toEqual([
        1,
        expect.stringContaining("no tables of latchkey's"),
      ]);
    }
    await runLatchkey(["migrate"], { env: database.env });
    const [last] = await database.query("SELECT tag FROM latchkey_migration ORDER BY tag DESC LIMIT 1");
    await database.query(
      "UPDATE latchkey_migration SET tag = '9999_future', min_reader = 99 WHERE tag = $1",
      [String(last?.["tag"])],
    );
    const newer = await list();
    expect([newer.exitCode, newer.stderr]).toEqual([
      1,
      expect.stringContaining("migrated by a newer latchkey"),
    ]);
    await database.query("DELETE FROM latchkey_migration WHERE tag = '9999_future'");
    const older = await list();
    expect([older.exitCode, older.stderr]).toEqual([
      1,
      expect.stringContaining(`${String(last?.["tag"])} pending\nTry: latchkey migrate`),
    ]);
    expect(
      await database.query("SELECT count(*) AS n FROM latchkey_migration WHERE tag = $1", [
        String(last?.["tag"]),
      ]),
    ).toEqual([{ n: expect.anything() }]);
    await database.close();
  });

  test("gives up on a database that does not answer, and says so", async () => {
    const database = await openTestDatabase(dialect);
    if (dialect === "sqlite") {
      await runLatchkey(["migrate"], { env: database.env });
      const { Database } = await import("bun:sqlite");
      const holder = new Database(database.url.slice("file:".length));
      const member = await addMember(database);
      holder.run("BEGIN IMMEDIATE");
      const { exitCode, stderr } = await runLatchkey(["users", "revoke", member.id], { env: database.env });
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringMatching(/"reason":"failed"[\s\S]*Error: .*locked[\s\S]*Try: try again/),
      ]);
      holder.close();
    } else {
      using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const env = {
        ...database.env,
        DATABASE_URL: `postgresql://a:b@127.0.0.1:${silent.port}/c`,
        ...(dialect === "neon" ? { LATCHKEY_NEON_PROXY: `ws://127.0.0.1:${silent.port}/v1` } : {}),
      };
      const startedAt = performance.now();
      const { exitCode, stderr } = await runLatchkey(["users", "revoke", "ann@example.com"], { env });
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringMatching(/"outcome":"failure"[\s\S]*Error: .+\nTry: .+/),
      ]);
      expect(performance.now() - startedAt).toBeLessThan(20_000);
    }
    await database.close();
  });
});
