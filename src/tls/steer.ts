import { ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { openLibc } from "../libc.ts";

/** Linux's numbers, the same on x86-64 and arm64: of socket(7), and of a filter's instruction that returns a constant. */
const [levelSocket, acceptsConnections, attachReuseportFilter, returnConstant] = [1, 30, 51, 6];

/**
 * Runs `open`, which listens on a port that one other listener of this process has, and has the system hand every new connection to
 * the new one (SO_ATTACH_REUSEPORT_CBPF of socket(7)); the other one then empties, and can be closed without a reset.
 * Where that cannot be done, both get their part of them. @returns what `open` does.
 */
export function openSteering<Listening>(open: () => Listening): Listening {
  const libc = openLibc({
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  });
  // Bun does not tell its descriptor; the system gives the lowest that is free.
  const expected = openSync("/dev/null", "r");
  closeSync(expected);
  const opened = open();
  if (libc === null) return opened;
  const [answer, length] = [new Int32Array(1), new Uint32Array([4])];
  const asked = libc.getsockopt(expected, levelSocket, acceptsConnections, ptr(answer), ptr(length));
  if (asked !== 0 || answer[0] !== 1) return opened;
  // The second that listens is number 1. Once it is alone there is no such number, and the system takes it anyway.
  const instruction = new Uint8Array(8);
  const fields = new DataView(instruction.buffer);
  fields.setUint16(0, returnConstant, true);
  fields.setUint32(4, 1, true);
  const program = new Uint8Array(16);
  const header = new DataView(program.buffer);
  header.setUint16(0, 1, true);
  header.setBigUint64(8, BigInt(ptr(instruction)), true);
  libc.setsockopt(expected, levelSocket, attachReuseportFilter, ptr(program), program.length);
  return opened;
}
