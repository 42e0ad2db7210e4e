import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { CommandError } from "../errors.ts";
import { openLibc } from "../libc.ts";
import { listen } from "../server.ts";

/** A port that workers of this process may listen on, and no other latchkey. */
export interface PortClaim {
  /** What the host name stands for, for the workers to listen on. */
  readonly address: string;
  readonly port: number;
  release(): void;
}

const functions = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
} as const;

/** Linux's numbers, the same on x86-64 and arm64. */
const [familyIpv4, familyIpv6, streamCloseOnExec] = [2, 10, 1 | 0o2000000];
const [levelSocket, reuseAddress, reusePort] = [1, 2, 15];
/** With PORT=0 somebody else may take the port that was found free. */
const triesMax = 5;

/**
 * Claims a port for as long as this process lives, by a socket that is bound to it and never listens.
 *
 * SO_REUSEPORT lets every process of a user listen, a second latchkey by mistake included. So the claim is bound without it,
 * which the system grants to one alone, and gets it afterwards: from then on workers, which have it, may listen, and whoever
 * claims is refused, though no worker listens at the moment.
 * @throws CommandError as `listen` does.
 */
export async function claimPort(hostname: string, port: number): Promise<PortClaim> {
  for (let tried = 1; ; tried += 1) {
    const address = await addressOf(hostname);
    // A port in use is refused with its reason, and port 0 becomes what it stands for.
    const found = listen(address, port);
    await found.stop();
    const release = bindAlone(address, found.port);
    if (release !== null) return { address, port: found.port, release };
    if (port !== 0 || tried === triesMax)
      throw new CommandError(
        `port ${found.port} on ${hostname} cannot be had for several workers: it was taken a moment ago, or this system does not share it`,
        "start again, or remove LATCHKEY_WORKERS",
      );
  }
}

/** A name that stands for nothing stays as it is, for `listen` to refuse. */
async function addressOf(hostname: string): Promise<string> {
  if (isIP(hostname) !== 0) return hostname;
  return await lookup(hostname, { order: "ipv4first" }).then(
    ({ address }) => address,
    () => hostname,
  );
}

/** @returns what gives the port back; null when it cannot be had. */
function bindAlone(address: string, port: number): (() => void) | null {
  const libc = openLibc(functions);
  if (libc === null) return null;
  const set = (descriptor: number, option: number, value: 0 | 1) =>
    libc.setsockopt(descriptor, levelSocket, option, new Int32Array([value]), 4) === 0;
  const name = socketAddress(address, port);
  // Connections that have just ended stand in the way of a strict bind, not of the second one.
  for (const isStrict of [true, false]) {
    const family = isIP(address) === 6 ? familyIpv6 : familyIpv4;
    const descriptor = libc.socket(family, streamCloseOnExec, 0);
    if (descriptor < 0) return null;
    if (!isStrict) set(descriptor, reuseAddress, 1);
    const isBound = libc.bind(descriptor, name, name.length) === 0;
    if (isBound && set(descriptor, reuseAddress, 0) && set(descriptor, reusePort, 1))
      return () => void libc.close(descriptor);
    libc.close(descriptor);
  }
  return null;
}

/** `struct sockaddr_in` and `sockaddr_in6` of ip(7) and ipv6(7). */
function socketAddress(address: string, port: number): Uint8Array {
  const isIpv6 = isIP(address) === 6;
  const bytes = new Uint8Array(isIpv6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv6 ? familyIpv6 : familyIpv4, true);
  view.setUint16(2, port);
  const [host = "", zone] = address.split("%");
  bytes.set(ipaddr.parse(host).toByteArray(), isIpv6 ? 8 : 4);
  if (zone !== undefined) view.setUint32(24, scopeOf(zone), true);
  return bytes;
}

/** Of an address that counts on one interface alone: the interface's number, as such or by its name. */
function scopeOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  const scopes = (networkInterfaces()[zone] ?? []).map((one) => ("scopeid" in one ? (one.scopeid ?? 0) : 0));
  return Math.max(0, ...scopes);
}
