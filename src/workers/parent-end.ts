import { openLibc } from "../libc.ts";

/** prctl(2): the signal that this process gets when the one that started it ends. */
const setParentEndSignal = 1;
const signalKill = 9;

/**
 * Has the system kill this process when its parent ends, however that ends and whatever this one is doing.
 * @returns false where the system does not do that.
 */
export function endWithParent(): boolean {
  const libc = openLibc({ prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } });
  return libc?.prctl(setParentEndSignal, signalKill, 0, 0, 0) === 0;
}
