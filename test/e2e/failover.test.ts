import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Client } from "@neondatabase/serverless";
import { SQL } from "bun";
import { dialects } from "../support/databases.ts";
import { debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { type Haproxy, haproxyPackage, startHaproxy } from "../support/haproxy.ts";
import { type Ledger, openLedger } from "../support/load-ledger.ts";
import { type NeonRelay, startNeonRelay } from "../support/neon-relay.ts";
import { readDocument } from "../support/readme.ts";
import {
  type ReplicatedPostgres,
  startReplicatedPostgres,
  statementsOf,
} from "../support/replicated-postgres.ts";

setDefaultTimeout(600_000);

/** 1 unless `bun run test:long` says more. */
const rounds = Number(process.env["LATCHKEY_TEST_FAILOVERS"] ?? 1);
/** Of each kind, acknowledged before the primary is killed and again afterwards. */
const perPhase = 5;
const recoveryMs = 5_000;
const secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh";

const reason = await debianProgram(haproxyPackage).then(
  () => undefined,
  (error: unknown) => String(error),
);
const skips = reason !== undefined || !dialects.includes("postgres");

const { blocks } = readDocument("docs/failover.md");
const blockOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`docs/failover.md has no <!-- ${marker} -->`);
  return code;
};

describe.skipIf(skips)(
  `a PostgreSQL server with a standby, behind HAProxy${skips ? ` (${reason})` : ""}`,
  () => {
    let postgres: ReplicatedPostgres;
    let haproxy: Haproxy;
    let relay: NeonRelay;
    let servers: RunningLatchkey[];
    let ledger: Ledger;
    beforeAll(async () => {
      postgres = await startReplicatedPostgres({
        settings: blockOf("file: postgresql/postgresql.conf"),
        together: blockOf("sql: together"),
        alone: blockOf("sql: alone"),
      });
      const port = freePort();
      const [one, two] = postgres.ports;
      const configuration = blockOf("file: haproxy/haproxy.cfg")
        .replace("127.0.0.1:6432", `127.0.0.1:${port}`)
        .replace("192.0.2.1:5432", `127.0.0.1:${one}`)
        .replace("192.0.2.2:5432", `127.0.0.1:${two}`);
      haproxy = await startHaproxy(configuration, port);
      relay = await startNeonRelay();
      const env = { DATABASE_URL: postgres.url(port), BETTER_AUTH_SECRET: secret };
      const neon = { ...env, LATCHKEY_DATABASE_DRIVER: "neon", LATCHKEY_NEON_PROXY: relay.proxyUrl() };
      servers = [await spawnLatchkey({ env }), await spawnLatchkey({ env: neon })];
    });
    afterAll(async () => {
      for (const server of servers) await server.stop();
      await relay.close();
      await haproxy.stop();
      await postgres.stop();
    });
    const open = () => openLedger({ urls: servers.map(({ url }) => url) });
    const emails = async () =>
      (await postgres.query('SELECT email FROM "user"')).map(({ email }) => String(email));

    /** With what everybody said last, since it is not to be had again. */
    const explained = (error: unknown): never => {
      const logs = [
        haproxy.log(),
        ...servers.map((server) => `${server.url}\n${server.stderr().slice(-4_000)}`),
      ];
      throw new Error(logs.join("\n---\n"), { cause: error });
    };

    test(`S72: a killed primary loses nothing acknowledged, ${rounds} times`, async () => {
      for (let round = 0; round < rounds; round += 1) {
        if (round > 0) await postgres.replicate("synchronous");
        ledger = open();
        ledger.start();
        await ledger.more(perPhase);
        await postgres.killPrimary(round % 2 === 0 ? "machine" : "postmaster");
        postgres.promote();
        const backMs = await ledger.recovered(recoveryMs).catch(explained);
        await ledger.more(perPhase);
        // What was the primary comes back as if it still were: nobody is to be led there.
        await postgres.resurrect();
        await ledger.more(perPhase);
        await ledger.stop();
        const lost = await ledger.lost(await emails());
        console.log(`failover ${round + 1}: back in ${backMs} ms, ${JSON.stringify(ledger.report())}`);
        expect([ledger.lies, lost]).toEqual([[], []]);
      }
    });

    test("S72: a standby that is silent makes writes 503 and leaves verify alone, until it is not waited for", async () => {
      await postgres.replicate("synchronous");
      ledger = open();
      ledger.start();
      await ledger.more(1);
      postgres.network().stall(true);
      const before = ledger.report();
      while (ledger.report().unavailable < before.unavailable + 6) await Bun.sleep(50);
      const during = ledger.report();
      expect(during.verified).toBeGreaterThan(before.verified + 50);
      expect(during.slowestMs).toBeLessThan(6_500);
      for (const statement of statementsOf(blockOf("sql: alone"))) await postgres.query(statement);
      await ledger.recovered(5_000);
      await ledger.stop();
      const lost = await ledger.lost(await emails());
      console.log(`without a standby: ${JSON.stringify(ledger.report())}`);
      expect([ledger.lies, lost]).toEqual([[], []]);
    });

    test("a DATABASE_URL with both hosts is refused: no client here takes it", async () => {
      const [one, two] = postgres.ports;
      const url = postgres.url(one).replace(`:${one}/`, `:${one},127.0.0.1:${two}/`);
      expect(() => new SQL(url)).toThrow("Invalid URL");
      expect(() => new Client(url)).toThrow("Invalid URL");
      const { exitCode, stderr } = await runLatchkey(["config"], {
        env: { DATABASE_URL: url, BETTER_AUTH_SECRET: secret },
      });
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("DATABASE_URL")]);
    });

    test("the same test sees what asynchronous replication loses", async () => {
      await postgres.replicate("asynchronous");
      postgres.network().stall(true);
      ledger = open();
      ledger.start();
      await ledger.more(2);
      await postgres.killPrimary("machine");
      postgres.promote();
      await ledger.more(2);
      await ledger.stop();
      const lost = await ledger.lost(await emails());
      expect(lost.filter((what) => what.startsWith("account")).length).toBeGreaterThan(0);
      expect(
        ledger.lies.filter((what) => what.startsWith("verify of a live session: 401")).length,
      ).toBeGreaterThan(0);
    });
  },
);
