import { openLibc } from "../libc.ts";

/** How often it looks. */
const everyMs = 200;
/** poll(2): the other end is closed. */
const hungUp = 0x10;

/**
 * Waits for the end of the process that started this one, or of what that one keeps open on stdin: a pipe or a socket that
 * was closed before is nobody's sign. Unlike `endWithParent` it leaves time to clean up, and a parent may start this from a
 * thread that ends before it does. Nothing is read from stdin.
 * @returns what ended, for the log.
 */
export function whenParentEnds(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const parent = process.ppid;
  const isHungUp = watchStdin();
  const wasHungUp = isHungUp();
  const look = () => {
    const reason = process.ppid !== parent ? "parent ended" : "stdin closed";
    if (reason === "stdin closed" && (wasHungUp || !isHungUp())) return;
    clearInterval(timer);
    resolve(reason);
  };
  const timer = setInterval(look, everyMs);
  timer.unref();
  return promise;
}

/** Asks the system, which needs no byte of what others may want to read. */
function watchStdin(): () => boolean {
  const libc = openLibc({ poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });
  if (libc === null) return () => false;
  // struct pollfd: descriptor 0 in 32 bits, what is asked for, what is so; each in the machine's order.
  const entry = new Int16Array(4);
  return () => libc.poll(entry, 1, 0) > 0 && ((entry[3] ?? 0) & hungUp) !== 0;
}
