import { SQL } from "bun";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialect, dialects, openTestDatabase } from "../support/databases.ts";
import { spawnLatchkey } from "../support/executable.ts";
import { addMember } from "../support/member.ts";

setDefaultTimeout(60_000);

const servers = dialects.filter((dialect): dialect is Exclude<Dialect, "sqlite"> => dialect !== "sqlite");
const connections = 4;

describe.skipIf(servers.length === 0).each(servers)("S70: the pool of connections to %s", (dialect) => {
  test("is as large as it is told; who waits in vain for one is 503, and verify goes on", async () => {
    const database = await openTestDatabase(dialect);
    const env = { ...database.env, LATCHKEY_DATABASE_CONNECTIONS: String(connections) };
    const server = await spawnLatchkey({ env });
    const members = await Promise.all(Array.from({ length: 4 * connections }, () => addMember(database)));
    const browsers = await Promise.all(
      members.map(async (member) => member.browser(server.origin, await member.session())),
    );
    const rename = async (name = "Renamed") =>
      await Promise.all(
        browsers.map(async (browser) => {
          const asked = performance.now();
          const { status } = await browser.fetch("/api/auth/update-user", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ name }),
          });
          return { status, ms: performance.now() - asked };
        }),
      );
    const opened = async () => {
      const [row] = await database.query(
        `SELECT count(*) AS n FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'another'`,
      );
      return Number(row?.["n"]);
    };

    // The first lookups are followed, once, by another connection in place of theirs.
    expect(new Set((await rename()).map(({ status }) => status))).toEqual(new Set([200]));
    for (let quiet = 0; quiet < 10; quiet = (await opened()) > connections ? 0 : quiet + 1)
      await Bun.sleep(50);

    const another = new SQL(database.url, { max: 1, connection: { application_name: "another" } });
    const held = Promise.withResolvers<void>();
    const isHeld = Promise.withResolvers<void>();
    const lock = another.begin(async (transaction) => {
      await transaction.unsafe('LOCK TABLE "user" IN EXCLUSIVE MODE');
      isHeld.resolve();
      await held.promise;
    });
    await isHeld.promise;
    let isDone = false;
    const renaming = rename("Renamed again").finally(() => {
      isDone = true;
    });
    const seen = { most: 0, verified: new Set<number>() };
    while (!isDone) {
      seen.most = Math.max(seen.most, await opened());
      seen.verified.add((await browsers[0]?.fetch("/api/auth/verify"))?.status ?? 0);
      await Bun.sleep(50);
    }
    const refused = await renaming;
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
    expect(Math.max(...refused.map(({ ms }) => ms))).toBeLessThan(6_000);
    expect(seen).toEqual({ most: connections, verified: new Set([200]) });

    held.resolve();
    await lock;
    await another.close();
    expect(await database.query(`SELECT 1 FROM "user" WHERE name = 'Renamed again'`)).toEqual([]);
    expect(new Set((await rename()).map(({ status }) => status))).toEqual(new Set([200]));
    await server.stop();
    await database.close();
  });
});
