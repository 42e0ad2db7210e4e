import { dlopen, type FFIFunction } from "bun:ffi";

const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;

/** Functions of Linux's C library, glibc's or musl's; null elsewhere, or where it has another name. */
export function openLibc<const Functions extends Record<string, FFIFunction>>(functions: Functions) {
  if (process.platform !== "linux") return null;
  for (const library of ["libc.so.6", musl]) {
    try {
      return dlopen(library, functions).symbols;
    } catch {
      // The other one, or none.
    }
  }
  return null;
}
