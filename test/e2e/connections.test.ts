import type { Socket } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/process-figures.ts";

setDefaultTimeout(60_000);

/** An address of this machine that is not loopback's. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
const skips = process.platform !== "linux" || outside === undefined;

interface Connections {
  readonly open: () => number;
  readonly sockets: readonly Socket[];
}

async function connect(hostname: string, port: number, count: number): Promise<Connections> {
  let closed = 0;
  const socket = { data: () => {}, error: () => {}, close: () => void (closed += 1) };
  const sockets = await Promise.all(
    Array.from({ length: count }, () => Bun.connect({ hostname, port, socket })),
  );
  return { open: () => count - closed, sockets };
}

describe.skipIf(skips)(
  `S69: the connections of one address${skips ? " (needs Linux and an address that is not loopback's)" : ""}`,
  () => {
    let server: RunningLatchkey;
    let port = 0;
    beforeAll(async () => {
      const env = {
        HOST: "0.0.0.0",
        PORT: String(freePort()),
        LATCHKEY_LIMITS: "on",
        LATCHKEY_LIMIT_CONNECTIONS: "20",
      };
      server = await spawnLatchkey({ env });
      port = Number(new URL(server.url).port);
    });
    afterAll(async () => {
      await server.stop();
    });

    test("are closed beyond its share, whoever asks on the others is answered, and the log says so", async () => {
      const stranger = await connect(outside ?? "", port, 60);
      const own = await connect("127.0.0.1", port, 60);
      expect(await eventually(() => stranger.open() === 20, 10_000)).toBe(true);
      expect(own.open()).toBe(60);
      const kept = stranger.sockets.filter(({ readyState }) => readyState === 1);
      let answered = 0;
      for (const socket of kept) {
        socket.reload({ socket: { data: () => void (answered += 1), error: () => {}, close: () => {} } });
        socket.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      }
      expect(await eventually(() => answered === kept.length, 10_000)).toBe(true);
      expect(answered).toBe(20);
      const line = () => server.logs().find(({ event }) => event === "connections_closed");
      expect(await eventually(() => line() !== undefined, 10_000)).toBe(true);
      expect(line()).toMatchObject({
        clientAddress: outside,
        closed: 40,
        setting: "LATCHKEY_LIMIT_CONNECTIONS",
      });
      for (const socket of [...stranger.sockets, ...own.sockets]) socket.end();
    });

    test("of a trusted proxy are its own affair", async () => {
      const env = {
        HOST: "0.0.0.0",
        PORT: String(freePort()),
        LATCHKEY_LIMITS: "on",
        LATCHKEY_LIMIT_CONNECTIONS: "20",
        LATCHKEY_TRUSTED_PROXIES: `${outside}/32`,
      };
      const behind = await spawnLatchkey({ env });
      const proxy = await connect(outside ?? "", Number(new URL(behind.url).port), 60);
      await Bun.sleep(5_000);
      expect(proxy.open()).toBe(60);
      for (const socket of proxy.sockets) socket.end();
      expect(await behind.stop()).toBe(0);
    });
  },
);
