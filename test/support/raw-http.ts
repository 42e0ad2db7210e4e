import * as fc from "fast-check";
import type { Fuzzed } from "./fuzz-wild.ts";

/** A request's bytes, as a client would send them that does not look at what it sends. */
function serialize({ method, path, headers, body }: Fuzzed, host: string): Buffer {
  const content = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${content.length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), content]);
}

const pieces = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  "\xff\xfe",
  "Content-Length: 5\r\n",
  "Content-Length: -1\r\n",
  "Content-Length: 99999999999999999999\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Host: evil.example\r\n",
  "Host:\r\n",
  "Expect: 100-continue\r\n",
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
  " folded: header\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "ffffffffffffffff\r\n",
  "5;x=y\r\nhello\r\n0\r\n\r\n",
  `X: ${"a".repeat(20_000)}\r\n`,
  "X: y\r\n".repeat(300),
].map((text) => Buffer.from(text, "latin1"));

/** What can happen to bytes; `at` and `length` say where, in shares of the whole. */
interface Damage {
  readonly kind: "insert" | "delete" | "repeat" | "flip" | "cut" | "line";
  readonly at: number;
  readonly length: number;
  readonly piece: Buffer;
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("insert", "line", "delete", "repeat", "flip", "cut"),
  at: share,
  length: share.map((one) => one ** 4),
  piece: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  ),
});

function apply(bytes: Buffer, { kind, at, length, piece }: Damage): Buffer {
  const from = Math.floor(at * bytes.length);
  const to = Math.min(bytes.length, from + Math.ceil(length * bytes.length));
  const [before, middle, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
  if (kind === "insert") return Buffer.concat([before, piece, middle, after]);
  if (kind === "delete") return Buffer.concat([before, after]);
  if (kind === "repeat") return Buffer.concat([before, middle, middle, after]);
  if (kind === "flip") return Buffer.concat([before, middle.map((byte) => byte ^ 0x5a), after]);
  if (kind === "cut") return before;
  const lineEnd = bytes.indexOf("\r\n", from);
  const next = lineEnd === -1 ? bytes.length : lineEnd + 2;
  return Buffer.concat([bytes.subarray(0, next), piece, bytes.subarray(next)]);
}

/** Requests after an accident or three, one after the other on a connection; now and then no request at all. */
export function rawBytes(requests: fc.Arbitrary<Fuzzed>, host: string): fc.Arbitrary<Buffer> {
  const one = fc
    .tuple(requests, fc.array(damage, { maxLength: 3 }))
    .map(([request, damages]) => damages.reduce(apply, serialize(request, host)));
  return fc.oneof(
    { weight: 8, arbitrary: one },
    { weight: 2, arbitrary: fc.array(one, { minLength: 2, maxLength: 4 }).map((all) => Buffer.concat(all)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );
}

/** Sends bytes on a connection of their own. @returns all that came until it was closed, or nothing came for `quietMs`. */
export async function sendRaw(url: string, bytes: Uint8Array, quietMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const over = Promise.withResolvers<void>();
  const received: Uint8Array[] = [];
  let timer = setTimeout(over.resolve, quietMs);
  let unsent = bytes;
  const push = (socket: { write(data: Uint8Array): number }) => {
    unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: push,
      drain: (opened) => (unsent.length > 0 ? push(opened) : undefined),
      data: (_, chunk) => {
        received.push(Uint8Array.from(chunk));
        clearTimeout(timer);
        timer = setTimeout(over.resolve, quietMs);
      },
      close: () => over.resolve(),
      error: () => over.resolve(),
    },
  });
  await over.promise;
  clearTimeout(timer);
  socket.terminate();
  return Buffer.concat(received).toString("latin1");
}
