import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type Ledger, openLedger } from "../support/load-ledger.ts";
import type { Network } from "../support/relay.ts";
import { startTcpRelay, type TcpRelay } from "../support/tcp-relay.ts";

setDefaultTimeout(600_000);

/** How often each fault comes; 1 unless `bun run test:long` says more. */
const rounds = Number(process.env["LATCHKEY_TEST_FAULT_ROUNDS"] ?? 1);
/** In the long form longer than a request may take. */
const holdMs = rounds === 1 ? 1_200 : 6_000;
const servers = dialects.filter((dialect) => dialect !== "sqlite");

interface Case {
  readonly dialect: string;
  readonly database: TestDatabase;
  /** Below Neon's WebSocket, too, where a reset breaks its frames. */
  readonly network: Network;
  readonly server: RunningLatchkey;
  readonly ledger: Ledger;
  readonly close: () => Promise<void>;
}

async function openCase(dialect: "postgres" | "neon"): Promise<Case> {
  const database = await openTestDatabase(dialect);
  let env = database.env;
  let relay: TcpRelay | undefined;
  if (dialect === "neon") {
    const proxy = new URL(env["LATCHKEY_NEON_PROXY"] ?? "");
    relay = await startTcpRelay({ targetPort: Number(proxy.port) });
    proxy.port = String(relay.port);
    env = { ...env, LATCHKEY_NEON_PROXY: proxy.href };
  }
  const network = relay ?? database.network;
  if (network === null) throw new Error("there is no network to this database");
  const server = await spawnLatchkey({ env });
  const ledger = openLedger({ urls: [server.url] });
  const close = async () => {
    await server.stop();
    await relay?.close();
    await database.close();
  };
  return { dialect, database, network, server, ledger, close };
}

/** `breaks`: nothing comes through, so that somebody has to be told 503. */
const faults: readonly { name: string; breaks: boolean; set: (network: Network, on: boolean) => void }[] = [
  { name: "answers that are late", breaks: false, set: ({ delay }, on) => delay(on ? 200 : 0) },
  { name: "4,000 bytes a second", breaks: false, set: ({ throttle }, on) => throttle(on ? 4_000 : null) },
  { name: "cuts before a COMMIT arrives", breaks: true, set: ({ cutOn }, on) => cutOn(on ? "COMMIT" : null) },
  { name: "resets in the middle of an answer", breaks: true, set: ({ tear }, on) => tear(on) },
  { name: "answers that do not arrive", breaks: true, set: ({ mute }, on) => mute(on) },
  { name: "nothing that arrives", breaks: true, set: ({ stall }, on) => stall(on) },
  { name: "ends of what the server says", breaks: true, set: ({ halfClose }, on) => halfClose(on) },
];

describe.skipIf(servers.length === 0)("S72, S73: between latchkey and its server, under load", () => {
  let cases: readonly Case[];
  beforeAll(async () => {
    cases = await Promise.all((["postgres", "neon"] as const).map(openCase));
    for (const { ledger } of cases) ledger.start();
  });
  afterAll(async () => {
    for (const { close } of cases) await close();
  });

  const suffer = async (
    { dialect, database, ledger, network }: Case,
    { name, breaks, set }: (typeof faults)[number],
  ) => {
    await ledger.more(1);
    const before = ledger.report();
    // What is said can be read above Neon's WebSocket alone.
    const inner = database.network ?? network;
    set(name.includes("COMMIT") ? inner : network, true);
    await Bun.sleep(holdMs);
    const deadline = Date.now() + 5_000;
    while (breaks && ledger.report().unavailable === before.unavailable && Date.now() < deadline)
      await Bun.sleep(20);
    set(name.includes("COMMIT") ? inner : network, false);
    const refused = ledger.report().unavailable - before.unavailable;
    const backMs = await ledger.recovered(5_000);
    console.log(`${dialect}, ${name}: ${refused} refused, back in ${backMs} ms`);
    if (breaks) expect(refused).toBeGreaterThan(0);
    expect(ledger.lies).toEqual([]);
  };

  test.each(faults)("$name: 503 at the most, and well within 5 s of their end", async (fault) => {
    for (let round = 0; round < rounds; round += 1) await Promise.all(cases.map((one) => suffer(one, fault)));
  });

  test("nothing that was acknowledged is lost, and nobody waited for longer than a request may take", async () => {
    const audit = async ({ dialect, ledger, database }: Case) => {
      await ledger.stop();
      const emails = (await database.query('SELECT email FROM "user"')).map(({ email }) => String(email));
      const lost = await ledger.lost(emails);
      console.log(`${dialect}: ${JSON.stringify(ledger.report())}`);
      expect([ledger.lies, lost]).toEqual([[], []]);
      expect(ledger.report().slowestMs).toBeLessThan(6_500);
    };
    await Promise.all(cases.map(audit));
  });
});

describe.skipIf(servers.length === 0).each(servers)("S74: a %s server that became read-only", (dialect) => {
  test("makes writes 503, and verify stays exact", async () => {
    const database = await openTestDatabase(dialect);
    const server = await spawnLatchkey({ env: database.env });
    const ledger = openLedger({ urls: [server.url] });
    // The driver's URL may be a relay's: the name is the same.
    const name = new URL(database.url).pathname.slice(1);
    const setReadOnly = async (on: boolean) => {
      await database.query("SET default_transaction_read_only = off");
      await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${on ? "on" : "off"}`);
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    };
    ledger.start();
    await ledger.more(1);
    await setReadOnly(true);
    const before = ledger.report();
    while (ledger.report().unavailable < before.unavailable + 5) await Bun.sleep(20);
    const during = ledger.report();
    const verifies = () => ledger.report().verified - during.verified;
    const deadline = Date.now() + 5_000;
    while (verifies() < 50 && Date.now() < deadline) await Bun.sleep(20);
    expect(verifies()).toBeGreaterThanOrEqual(50);
    await setReadOnly(false);
    await ledger.recovered(5_000);
    await ledger.stop();
    const emails = (await database.query('SELECT email FROM "user"')).map(({ email }) => String(email));
    expect([ledger.lies, await ledger.lost(emails)]).toEqual([[], []]);
    await server.stop();
    await database.close();
  });
});
