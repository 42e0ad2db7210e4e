import { ptr } from "bun:ffi";
import { join } from "node:path";
import { openLibc } from "../../src/libc.ts";
import { temporaryDirectory } from "./reaper.ts";

/** What systemd listens on: a Unix datagram socket, here of the test's own. Linux alone. */
export interface NotifySocket {
  /** What NOTIFY_SOCKET is set to. */
  readonly name: string;
  /** All that has come so far: each datagram's assignments. */
  received(): readonly Readonly<Record<string, string>>[];
  close(): void;
}

const [familyUnix, datagram, nonBlocking] = [1, 2, 0o4000];
const sizeMax = 4_096;

/** @param kind a path of a file, or an abstract name. */
export function openNotifySocket(kind: "path" | "abstract" = "path"): NotifySocket {
  const libc = openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  if (libc === null) throw new Error("there is no C library");
  const path = join(temporaryDirectory("notify"), "socket");
  const name = kind === "path" ? path : `@${path}`;
  const address = Buffer.concat([
    Buffer.from([familyUnix, 0]),
    Buffer.from(kind === "path" ? `${path}\0` : `\0${path}`),
  ]);
  const descriptor = libc.socket(familyUnix, datagram | nonBlocking, 0);
  if (libc.bind(descriptor, ptr(address), address.length) !== 0) throw new Error(`${name} cannot be bound`);
  const datagrams: Readonly<Record<string, string>>[] = [];
  const read = (): boolean => {
    const bytes = new Uint8Array(sizeMax);
    const size = Number(libc.recv(descriptor, ptr(bytes), sizeMax, 0));
    if (size <= 0) return false;
    const lines = new TextDecoder().decode(bytes.subarray(0, size)).split("\n");
    datagrams.push(
      Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      ),
    );
    return true;
  };
  return {
    name,
    received() {
      while (read());
      return datagrams;
    },
    close: () => void libc.close(descriptor),
  };
}
