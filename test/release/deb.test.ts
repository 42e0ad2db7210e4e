import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeDeb } from "../../release/deb.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(30_000);

const isMissing = Bun.which("dpkg-deb") === null;
const note = isMissing ? " (needs dpkg-deb: apt-get install dpkg)" : "";

/** With a small file in the executable's place: test/ship installs the real one. */
function write(architecture: "amd64" | "arm64" = "amd64"): string {
  const folder = temporaryDirectory("deb");
  writeFileSync(join(folder, "latchkey"), "#!/bin/sh\n");
  writeFileSync(join(folder, "latchkey-1.2.3-licences.txt"), "licences\n");
  return writeDeb(join(folder, "latchkey"), folder, "1.2.3", architecture, {
    compression: "gzip",
    date: 1_700_000_000,
  });
}
const ask = (...args: readonly string[]) => Bun.spawnSync(["dpkg-deb", ...args]).stdout.toString();

test.skipIf(isMissing)(`a package has the files where they belong, root's, of one time${note}`, () => {
  const path = write();
  expect(path).toEndWith("/latchkey_1.2.3_amd64.deb");
  const lines = ask("--contents", path).trim().split("\n");
  expect(new Set(lines.map((line) => /root\/root +\d+ (\S+ \S+)/.exec(line)?.[1]))).toEqual(
    new Set(["2023-11-14 22:13"]),
  );
  const files = lines
    .filter((line) => !line.startsWith("d"))
    .map((line) => `${line.split(" ")[0]} ${line.split(" ").at(-1)}`);
  expect(files).toEqual([
    "-rw-r----- ./etc/latchkey/latchkey.env",
    "-rwxr-xr-x ./usr/bin/latchkey",
    "-rw-r--r-- ./usr/lib/systemd/system/latchkey.service",
    "-rw-r--r-- ./usr/lib/sysusers.d/latchkey.conf",
    "-rw-r--r-- ./usr/share/doc/latchkey/changelog.gz",
    "-rw-r--r-- ./usr/share/doc/latchkey/copyright",
    "-rw-r--r-- ./usr/share/doc/latchkey/latchkey-licences.txt.gz",
    "-rw-r--r-- ./usr/share/lintian/overrides/latchkey",
    "-rw-r--r-- ./usr/share/man/man1/latchkey.1.gz",
  ]);
});

test.skipIf(isMissing)(`a package says what it is, for each kind of machine${note}`, () => {
  for (const architecture of ["amd64", "arm64"] as const) {
    const fields = ask("--field", write(architecture), "Package", "Version", "Architecture", "Maintainer");
    expect(fields).toBe(
      `Package: latchkey\nVersion: 1.2.3\nArchitecture: ${architecture}\nMaintainer: latchkey contributors <noreply@latchkey.invalid>\n`,
    );
  }
  expect(ask("--info", write(), "conffiles")).toBe("/etc/latchkey/latchkey.env\n");
});

test.skipIf(isMissing)(`two packages of the same are the same bytes${note}`, () => {
  expect(readFileSync(write()).equals(readFileSync(write()))).toBe(true);
});

test.skipIf(isMissing)(`the scripts of a package are ones that a shell reads${note}`, () => {
  for (const script of ["postinst", "prerm", "postrm"]) {
    const check = Bun.spawnSync(["sh", "-n"], {
      stdin: new TextEncoder().encode(ask("--info", write(), script)),
    });
    expect({ script, exitCode: check.exitCode }).toEqual({ script, exitCode: 0 });
  }
});
