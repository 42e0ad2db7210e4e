import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";
import { SQL } from "bun";
import { sharedPostgres } from "./postgres.ts";
import { startTcpRelay, type TcpRelay } from "./tcp-relay.ts";

setDefaultTimeout(60_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function relayTo(targetPort: number, delayMs = 0): Promise<TcpRelay> {
  const relay = await startTcpRelay({ targetPort, delayMs });
  cleanups.push(relay.close);
  return relay;
}

async function relayedDatabase(delayMs = 0): Promise<{ relay: TcpRelay; sql: SQL }> {
  const server = await sharedPostgres();
  const relay = await relayTo(server.port, delayMs);
  const url = new URL(await server.createDatabase());
  url.port = String(relay.port);
  const sql = new SQL(url, { max: 1 });
  cleanups.push(() => sql.close({ timeout: 0 }));
  return { relay, sql };
}

/** Sends everything it gets back and closes when its client does. */
async function startEcho(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  cleanups.push(() => server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("startTcpRelay", () => {
  test("commits a transaction and rolls one back", async () => {
    const { sql } = await relayedDatabase();
    await sql`CREATE TABLE mark (id integer)`;
    await sql.begin((transaction) => transaction`INSERT INTO mark VALUES (1)`);
    const failed = sql.begin(async (transaction) => {
      await transaction`INSERT INTO mark VALUES (2)`;
      throw new Error("changed my mind");
    });
    expect(failed).rejects.toThrow("changed my mind");
    expect([...(await sql`SELECT id FROM mark`)]).toEqual([{ id: 1 }]);
  });

  test("adds its delay to every round trip, once for queries sent together", async () => {
    const { sql } = await relayedDatabase(40);
    await sql`SELECT 1`;
    const single = performance.now();
    await sql`SELECT 1`;
    const singleMs = performance.now() - single;
    const together = performance.now();
    await Promise.all(Array.from({ length: 50 }, (_, index) => sql`SELECT ${index}::int`));
    const togetherMs = performance.now() - together;
    expect(singleMs).toBeGreaterThanOrEqual(39);
    expect(togetherMs).toBeGreaterThanOrEqual(39);
    expect(togetherMs).toBeLessThan(50 * 40);
  });

  test.each([0, 6])("keeps every byte in order, both ways, with %i ms of delay", async (delayMs) => {
    const relay = await relayTo(await startEcho(), delayMs);
    const sent = randomBytes(8 * 1024 * 1024);
    const socket = connect(relay.port, "127.0.0.1");
    const received: Buffer[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on("data", (bytes: Buffer) => {
      received.push(bytes);
      if (received.reduce((sum, part) => sum + part.length, 0) >= sent.length) resolve();
    });
    for (let offset = 0; offset < sent.length; ) {
      const length = 1 + ((offset * 31) % 50_000);
      socket.write(sent.subarray(offset, offset + length));
      offset += length;
    }
    await promise;
    socket.destroy();
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  test("passes a close on behind the bytes", async () => {
    const server = createServer((socket) => socket.end("goodbye"));
    const listening = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    cleanups.push(() => server.close());
    const address = server.address();
    const relay = await relayTo(typeof address === "object" && address !== null ? address.port : 0, 10);
    const socket = connect(relay.port, "127.0.0.1");
    let text = "";
    const closed = Promise.withResolvers<void>();
    socket.on("data", (bytes: Buffer) => void (text += bytes.toString()));
    socket.on("close", () => closed.resolve());
    await closed.promise;
    expect(text).toBe("goodbye");
  });

  test("cuts connections, and lets new ones through", async () => {
    const { relay, sql } = await relayedDatabase();
    const [before] = await sql`SELECT pg_backend_pid() AS pid`;
    const asleep = sql`SELECT pg_sleep(30)`.then(
      () => "answered",
      () => "broken",
    );
    await Bun.sleep(50);
    relay.cut();
    expect(await asleep).toBe("broken");
    const [after] = await sql`SELECT pg_backend_pid() AS pid`;
    expect(after.pid).not.toBe(before.pid);
  });

  test("lets nothing through while stalled, then everything", async () => {
    const { relay, sql } = await relayedDatabase();
    await sql`SELECT 1`;
    relay.stall(true);
    let answered = false;
    const answer = sql`SELECT 7 AS seven`.then((rows) => {
      answered = true;
      return [...rows];
    });
    await Bun.sleep(100);
    expect(answered).toBe(false);
    relay.stall(false);
    expect(await answer).toEqual([{ seven: 7 }]);
  });

  test("closes a client whose server refuses", async () => {
    const server = createServer();
    const listening = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await new Promise((resolve) => server.close(resolve));
    const relay = await relayTo(port);
    const socket = connect(relay.port, "127.0.0.1");
    socket.on("error", () => {});
    const closed = Promise.withResolvers<string>();
    socket.on("close", () => closed.resolve("closed"));
    expect(await closed.promise).toBe("closed");
  });
});
