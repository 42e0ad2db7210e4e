import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { copyBinaries } from "./postgres-binaries.ts";
import { isWorldReachable, temporaryDirectory } from "./reaper.ts";

describe("copyBinaries", () => {
  test("makes the links a skipped postinstall left out, and opens what umask 077 closed", () => {
    const installed = join(temporaryDirectory("installed"), "native");
    for (const name of ["bin", "lib"]) mkdirSync(join(installed, name), { recursive: true, mode: 0o700 });
    for (const name of ["bin/initdb", "bin/postgres", "lib/libpq.so.5.18", "lib/libpq.a"]) {
      writeFileSync(join(installed, name), name, { mode: 0o600 });
    }
    const link = { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" };
    writeFileSync(join(installed, "pg-symlinks.json"), JSON.stringify([link]));
    chmodSync(installed, 0o700);

    const copy = copyBinaries(installed);

    expect(readlinkSync(join(copy, "lib/libpq.so.5"))).toBe("libpq.so.5.18");
    const mode = (name: string) => (statSync(join(copy, name)).mode & 0o777).toString(8);
    expect([mode("."), mode("bin"), mode("bin/postgres"), mode("lib/libpq.so.5")]).toEqual([
      "755",
      "755",
      "755",
      "644",
    ]);
    expect(isWorldReachable(join(copy, "bin"))).toBe(true);
    expect(isWorldReachable(installed)).toBe(false);
  });
});
