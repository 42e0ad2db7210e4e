import type { Socket } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { eventually, processFigures } from "../support/process-figures.ts";

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

/** A connection that stays. */
async function keptConnection(url: string) {
  const { hostname, port } = new URL(url);
  let answer = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { data: (_, bytes) => void (answer += bytes.toString()) },
  });
  return {
    /** @returns the answer's status. */
    async post(path: string, fields: object): Promise<string | undefined> {
      answer = "";
      const body = JSON.stringify(fields);
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await eventually(() => answer.includes("\r\n\r\n"), 10_000);
      return answer.split(" ")[1];
    },
    end: () => void socket.end(),
  };
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

    test("cannot be all there are: whoever takes every descriptor at once loses them, and a kept connection signs in meanwhile", async () => {
      const env = { HOST: "0.0.0.0", PORT: String(freePort()), LATCHKEY_LIMITS: "on" };
      const small = await spawnLatchkey({
        env,
        executable: "/bin/sh",
        args: ["-c", 'ulimit -n 150; exec "$0"', await buildExecutable()],
      });
      const owner = await keptConnection(small.url);
      const signUp = { name: "Ann", email: "ann@example.com", password: "purple walrus 77 tea" };
      expect(await owner.post("/api/auth/sign-up/email", signUp)).toBe("200");
      // Whatever is done once a second is done anew.
      await Bun.sleep(1_100);
      const stranger = await connect(outside ?? "", Number(new URL(small.url).port), 300);
      const isFull = () => processFigures(small.pid).descriptors >= 150;
      expect(await eventually(isFull, 10_000)).toBe(true);
      expect(await owner.post("/api/auth/sign-in/email", signUp)).toBe("200");
      expect(await eventually(() => stranger.open() <= 37, 15_000)).toBe(true);
      expect((await fetch(`${small.url}/health/live`, { keepalive: false })).status).toBe(200);
      expect(small.logs().filter(({ event }) => event === "stray_error")).toEqual([]);
      for (const socket of stranger.sockets) socket.end();
      owner.end();
      expect(await small.stop()).toBe(0);
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
