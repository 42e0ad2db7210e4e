import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writePackages } from "../../release/packages.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const isMissing = Bun.which("dpkg-deb") === null;

test.skipIf(isMissing).each([
  { targets: [], made: [] },
  { targets: ["darwin-arm64", "linux-x64-musl"], made: [] },
  { targets: ["linux-x64"], made: ["latchkey-1.2.3-oci.tar", "latchkey_1.2.3_amd64.deb"] },
  {
    targets: ["linux-x64", "linux-arm64"],
    made: ["latchkey-1.2.3-oci.tar", "latchkey_1.2.3_amd64.deb", "latchkey_1.2.3_arm64.deb"],
  },
])(
  `of a release of $targets packages are made: $made${isMissing ? " (needs dpkg-deb: apt-get install dpkg)" : ""}`,
  async ({ targets, made }) => {
    const folder = temporaryDirectory("release");
    const executables = targets.map((target) => `latchkey-1.2.3-${target}`);
    for (const name of executables) writeFileSync(join(folder, name), `for ${name}`);
    const paths = await writePackages(folder, "1.2.3", "gzip");
    expect(paths.toSorted()).toEqual(made.map((name) => join(folder, name)));
    expect(readdirSync(folder).toSorted()).toEqual([...executables, ...made].toSorted());
  },
);
