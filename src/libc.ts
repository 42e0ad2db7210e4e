import { dlopen, type FFIFunction, type Library } from "bun:ffi";

/** By platform and C library; a file that is not there is passed over. */
const libraries = [
  "libc.so.6",
  "libSystem.B.dylib",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
  "libc.so",
];

/** Opens the C library for a few of its functions; null where it cannot be called. */
export function openLibc<Functions extends Record<string, FFIFunction>>(
  functions: Functions,
): Library<Functions>["symbols"] | null {
  for (const name of libraries) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // Another platform's name.
    }
  }
  return null;
}
