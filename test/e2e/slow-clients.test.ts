import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Listener, listen } from "../../src/server.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(60_000);

/** Sends `first`, then `byte` twice a second; reads what comes unless told otherwise. */
async function connect(port: number, first: string, byte: string, reads = true) {
  const closed = Promise.withResolvers<void>();
  let received = 0;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_socket, chunk) => void (received += chunk.length),
      end: () => closed.resolve(),
      close: () => closed.resolve(),
    },
  });
  if (!reads) socket.pause();
  socket.write(first);
  const drip = setInterval(() => socket.write(byte), 500);
  return {
    closed: closed.promise.then(() => true),
    received: () => received,
    end: () => {
      clearInterval(drip);
      socket.terminate();
    },
  };
}

describe("S40: the executable cuts a client", () => {
  let server: RunningLatchkey;
  beforeAll(async () => {
    server = await spawnLatchkey({ env: {} });
  });
  afterAll(() => server.stop());

  test.concurrent.each([
    ["that drips its headers, though a byte comes every half second", "GET / HTTP/1.1\r\nX-Slow: ", "x"],
    ["that stops within its headers", "GET /health HTTP/1.1\r\nHost: a\r\n", ""],
    ["that says nothing", "", ""],
  ])("%s", async (_what, first, byte) => {
    const client = await connect(Number(new URL(server.url).port), first, byte);
    expect(await within(client.closed, 2_000)).toBeUndefined();
    expect(await within(client.closed, 20_000)).toBe(true);
    client.end();
  });
});

const idleTimeoutSeconds = 8;
/** Bun looks at its connections every four seconds. */
const cutWithinMs = 1_000 * (idleTimeoutSeconds + 8);

/** What the executable does after 240 s, by its own listener after 8. */
describe("S40: the listener cuts a client", () => {
  let listener: Listener;
  let cut = Promise.withResolvers<void>();
  beforeAll(() => {
    listener = listen("127.0.0.1", 0, { idleTimeoutSeconds });
    listener.serve({
      fetch: async (request) => {
        const isLong = request.url.endsWith("/long");
        if (isLong) request.signal.addEventListener("abort", () => cut.resolve());
        return new Response("x".repeat(isLong ? 16_000_000 : 1));
      },
      routes: {},
    });
  });
  afterAll(() => listener.stop());

  test.concurrent("that asks and does not read the answer", async () => {
    cut = Promise.withResolvers();
    const client = await connect(listener.port, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", "", false);
    const isCut = cut.promise.then(() => true);
    expect(await within(isCut, 2_000)).toBeUndefined();
    expect(await within(isCut, cutWithinMs)).toBe(true);
    client.end();
  });

  test.concurrent("that was answered and drips the headers of what it asks next", async () => {
    const client = await connect(
      listener.port,
      "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: ",
      "x",
    );
    expect(await within(client.closed, 2_000)).toBeUndefined();
    expect(client.received()).toBeGreaterThan(0);
    expect(await within(client.closed, cutWithinMs)).toBe(true);
    client.end();
  });
});
