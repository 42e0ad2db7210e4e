import { ptr } from "bun:ffi";
import { openLibc } from "../libc.ts";

/** Tells systemd how the service is: sd_notify(3). What it cannot take is lost without a word, as it is there. */
export interface Notifier {
  /**
   * It answers. From now on systemd's watchdog is told of life, twice in each of its times.
   * @param isAlive asked each time, in an event loop that runs; false leaves the watchdog to its time.
   */
  ready(status: string, isAlive?: () => boolean): void;
  /** Does what SIGHUP asks for, and has systemd wait for it. Before `ready` systemd is told nothing of it. */
  reload(work: () => void | Promise<void>): Promise<void>;
  /** It finishes what is under way. */
  stopping(): void;
  /** Nothing is sent any more. */
  close(): void;
}

/** What systemd tells a service of itself. */
export interface NotifyEnvironment {
  /** NOTIFY_SOCKET: a path, or `@` and an abstract name. */
  readonly socket: string | undefined;
  /** WATCHDOG_USEC, in µs: without a sign of life for so long, the service is ended. */
  readonly watchdogUsec: string | undefined;
  /** WATCHDOG_PID: whose sign of life it waits for; unset: anybody's. */
  readonly watchdogPid: string | undefined;
}

const [familyUnix, datagram, closeOnExec] = [1, 2, 0o2000000];
/** MSG_NOSIGNAL | MSG_DONTWAIT: who does not read stops nobody. */
const sendFlags = 0x4000 | 0x40;
const clockMonotonic = 1;
/** A longer name is no address: unix(7). */
const pathBytesMax = 107;

/** Opens the way to systemd; null where none is asked for, or the system has no such sockets. */
export function openNotifier({ socket, watchdogUsec, watchdogPid }: NotifyEnvironment): Notifier | null {
  const address = socket === undefined ? null : addressOf(socket);
  const libc = address === null || process.platform !== "linux" ? null : openSockets();
  if (address === null || libc === null) return null;
  const descriptor = libc.socket(familyUnix, datagram | closeOnExec, 0);
  if (descriptor === -1) return null;
  const everyMs = watchdogEveryMs(watchdogUsec, watchdogPid);
  let timer: ReturnType<typeof setInterval> | undefined;
  let isOpen = true;
  let isStopping = false;
  let readyText: string | undefined;
  const send = (...assignments: readonly string[]) => {
    const message = new TextEncoder().encode(assignments.join("\n"));
    if (isOpen)
      libc.sendto(descriptor, ptr(message), message.length, sendFlags, ptr(address), address.length);
  };
  return {
    ready(status, isAlive = () => true) {
      readyText = status;
      send("READY=1", `STATUS=${status}`);
      clearInterval(timer);
      if (everyMs === null) return;
      const live = () => {
        if (isStopping || isAlive()) send("WATCHDOG=1");
      };
      live();
      timer = setInterval(live, everyMs);
      timer.unref();
    },
    async reload(work) {
      // By its time systemd tells this one from an earlier one.
      if (readyText !== undefined && !isStopping)
        send("RELOADING=1", `MONOTONIC_USEC=${monotonicUsec(libc)}`);
      try {
        await work();
      } finally {
        // It may be done when the end has begun.
        if (readyText !== undefined && !isStopping) send("READY=1", `STATUS=${readyText}`);
      }
    },
    // The watchdog goes on: what is under way may take longer than its time.
    stopping() {
      isStopping = true;
      send("STOPPING=1", "STATUS=finishing the requests under way");
    },
    close() {
      clearInterval(timer);
      isOpen = false;
      libc.close(descriptor);
    },
  };
}

function monotonicUsec(libc: NonNullable<ReturnType<typeof openSockets>>): bigint {
  const now = new BigInt64Array(2);
  libc.clock_gettime(clockMonotonic, ptr(now));
  const [seconds = 0n, nanoseconds = 0n] = now;
  return seconds * 1_000_000n + nanoseconds / 1_000n;
}

function openSockets() {
  return openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
}

/** struct sockaddr_un; null of what is none, such as a virtual machine's `vsock:…`. */
function addressOf(socket: string): Uint8Array | null {
  const name = new TextEncoder().encode(socket);
  if (!/^[/@]./.test(socket) || name.length > pathBytesMax) return null;
  const isAbstract = socket.startsWith("@");
  const address = new Uint8Array(2 + name.length + (isAbstract ? 0 : 1));
  new Uint16Array(address.buffer, 0, 1)[0] = familyUnix;
  address.set(name, 2);
  if (isAbstract) address[2] = 0;
  return address;
}

/** Half of systemd's time, in ms; null where it waits for nobody, or for another process. */
function watchdogEveryMs(watchdogUsec: string | undefined, watchdogPid: string | undefined): number | null {
  if (watchdogPid !== undefined && watchdogPid !== String(process.pid)) return null;
  const usec = /^\d{1,15}$/.test(watchdogUsec ?? "") ? Number(watchdogUsec) : 0;
  return usec === 0 ? null : Math.max(1, Math.floor(usec / 2_000));
}
