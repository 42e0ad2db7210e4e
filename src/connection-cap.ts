import { ptr } from "bun:ffi";
import { existsSync, openSync, readSync } from "node:fs";
import ipaddr from "ipaddr.js";
import { clientOf } from "./auth/hash-line.ts";
import { openLibc } from "./libc.ts";

/** Nor more than this share of what the process may open. */
const descriptorsShare = 1 / 4;
const everyMs = 2_000;
/** How long it looks in one turn of the event loop: some 11 µs a connection. */
const turnMs = 2;

export interface ConnectionCapOptions {
  /** Of the connections that are counted, together. */
  readonly ports: readonly number[];
  /** Whether a peer speaks for many: a proxy. */
  readonly isTrusted: (peer: string) => boolean;
  /** Hears of an address whose connections beyond the cap were closed, and how many those were. */
  readonly onClosed: (client: string, closed: number) => void;
  /** Of one address. */
  readonly max: number;
}

/**
 * Closes what one address holds beyond its share of connections, every two seconds: Bun's server says nothing of connections
 * on which nothing is asked, so the process looks at its own sockets. On Linux alone; this machine's own peers and proxies
 * are let be. @returns what ends it.
 */
export function capConnections(options: ConnectionCapOptions): () => void {
  const sockets = openSockets();
  if (sockets === null) return () => {};
  const look = async () => {
    const max = Math.min(options.max, Math.floor(sockets.limit() * descriptorsShare));
    const held = new Map<string, number>();
    const closed = new Map<string, number>();
    const end = sockets.end();
    let since = performance.now();
    for (let descriptor = 3; descriptor < end; descriptor += 1) {
      if (performance.now() - since > turnMs) {
        await Bun.sleep(0);
        since = performance.now();
      }
      const peer = sockets.peerOf(descriptor, options.ports);
      if (peer === null || isSpared(peer, options)) continue;
      const client = clientOf(peer);
      const own = (held.get(client) ?? 0) + 1;
      held.set(client, own);
      if (own <= max) continue;
      sockets.close(descriptor);
      closed.set(client, (closed.get(client) ?? 0) + 1);
    }
    for (const [client, count] of closed) options.onClosed(client, count);
  };
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => (isLooking = false));
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function isSpared(peer: string, { isTrusted }: ConnectionCapOptions): boolean {
  return ipaddr.process(peer).range() === "loopback" || isTrusted(peer);
}

interface Sockets {
  /** No descriptor is as high as this. */
  end(): number;
  /** How many may be open. */
  limit(): number;
  /** The other end's address, where it is a connection to one of these ports. */
  peerOf(descriptor: number, ports: readonly number[]): string | null;
  /** As if the other end had closed it: whoever owns it does the rest. */
  close(descriptor: number): void;
}

/** Linux's numbers. */
const [inet, inet6, both, descriptorLimit] = [2, 10, 2, 7];
const addressBytes = 128;
const statusFile = "/proc/self/status";
/** More than Linux writes there. */
const statusBytes = 16_384;

/** Null where there is none to ask. */
function openSockets(): Sockets | null {
  if (process.platform !== "linux" || !existsSync(statusFile)) return null;
  const libc = openLibc({
    getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
    getpeername: { args: ["int", "ptr", "ptr"], returns: "int" },
    getrlimit: { args: ["int", "ptr"], returns: "int" },
    shutdown: { args: ["int", "int"], returns: "int" },
  });
  if (libc === null) return null;
  // Kept open: where an address has taken every descriptor, there is none to open it with.
  const status = openSync(statusFile, "r");
  const text = Buffer.alloc(statusBytes);
  const address = new Uint8Array(addressBytes);
  const view = new DataView(address.buffer);
  const length = new Uint32Array(1);
  const limits = new BigUint64Array(2);
  const ask = (name: "getpeername" | "getsockname", descriptor: number): boolean => {
    length[0] = addressBytes;
    return libc[name](descriptor, ptr(address), ptr(length)) === 0;
  };
  return {
    end() {
      const found = text.toString("latin1", 0, readSync(status, text, 0, statusBytes, 0));
      return Number(/^FDSize:\s*(\d+)$/m.exec(found)?.[1] ?? 0);
    },
    limit() {
      libc.getrlimit(descriptorLimit, ptr(limits));
      return Number(limits[0]);
    },
    peerOf(descriptor, ports) {
      if (!ask("getsockname", descriptor)) return null;
      const family = view.getUint16(0, true);
      if ((family !== inet && family !== inet6) || !ports.includes(view.getUint16(2))) return null;
      if (!ask("getpeername", descriptor)) return null;
      const bytes = family === inet ? address.subarray(4, 8) : address.subarray(8, 24);
      return ipaddr.fromByteArray([...bytes]).toString();
    },
    close: (descriptor) => void libc.shutdown(descriptor, both),
  };
}
