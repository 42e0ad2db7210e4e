import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blockOf, runCode } from "../support/documented.ts";
import { findMinisign, type Minisign } from "../support/minisign.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

const page = "docs/install.md";
const { blocks, text } = readDocument(page);
const check = "run: check";

test("every command and every drop-in of docs/install.md but the check of the download is run by test/ship", () => {
  const tests = ["install-page", "deb", "oci"]
    .map((name) => readFileSync(join(projectDirectory, `test/ship/${name}.test.ts`), "utf8"))
    .join("\n");
  const untried = blocks.filter(({ marker }) => marker !== check && !tests.includes(`"${marker}"`));
  expect(untried.map(({ line, code }) => `${line}: ${code}`)).toEqual([]);
  expect(blocks.length).toBeGreaterThan(5);
});

test("the page names every executable for Linux that a release has, by its name", () => {
  const release = readFileSync(join(projectDirectory, "release/release.ts"), "utf8");
  const targets = [...release.matchAll(/^ {2}"(linux-[\w-]+)",$/gm)].map(([, target]) => target);
  const named = [...text.matchAll(/^\|.*\|$/gm)].flatMap(([row]) =>
    [...row.matchAll(/`latchkey-0\.1\.0-(linux-[\w-]+)`/g)].map(([, target]) => target),
  );
  expect(targets.length).toBe(5);
  expect(named.toSorted()).toEqual(targets.toSorted());
});

const found = await findMinisign();
const minisign = (): Minisign => {
  if (typeof found === "string") throw new Error(found);
  return found;
};

test.skipIf(typeof found === "string")(
  `a download that is signed and whole becomes an executable by the name of the next commands, any other does not${typeof found === "string" ? ` (${found})` : ""}`,
  async () => {
    const { folder, read } = await minisign().makePair(null);
    writeFileSync(join(folder, "latchkey.pub"), read("key.pub"));
    const name = "latchkey-0.1.0-linux-x64";
    const content = "an executable\n";
    const sum = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    writeFileSync(join(folder, name), content);
    writeFileSync(join(folder, "SHA256SUMS"), `${sum}  ${name}\n${sum}  latchkey-0.1.0-linux-arm64\n`);
    await minisign().run(["-S", "-s", "key.sec", "-m", "SHA256SUMS"], folder);
    const run = async () =>
      await runCode(`PATH="${minisign().inPath()}:$PATH"\n${blockOf(page, check)}`, { cwd: folder });

    writeFileSync(join(folder, name), "another\n");
    expect(await run()).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`${name}: FAILED`) });
    writeFileSync(join(folder, name), content);
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect([
      read("latchkey"),
      statSync(join(folder, "latchkey")).mode & 0o777,
      blockOf(page, "run: print").startsWith("./latchkey "),
    ]).toEqual([content, 0o755, true]);
    writeFileSync(join(folder, "SHA256SUMS"), read("SHA256SUMS").replace(sum, "0".repeat(64)));
    expect((await run()).exitCode).toBe(1);
  },
);
