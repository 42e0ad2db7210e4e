import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSigning } from "../release/signing.ts";
import { runLatchkey } from "./support/executable.ts";
import { makeSigningKey } from "./support/next-release.ts";
import { temporaryDirectory } from "./support/reaper.ts";

setDefaultTimeout(120_000);

const project = join(import.meta.dir, "..");
const folder = join(project, "dist", "release");
const target = `${process.platform}-${process.arch}`;

interface BillOfMaterials {
  readonly components: readonly { readonly purl?: string; readonly hashes?: readonly object[] }[];
}

const run = async (command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) => {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
};
const read = (name: string) => readFileSync(join(folder, name), "utf8");

let said: string;
beforeAll(async () => {
  const { code, stdout, stderr } = await run([process.execPath, "release/release.ts", target], project);
  if (code !== 0) throw new Error(stderr);
  said = stdout;
});

test("a release without a key says that it is unsigned, and each executable's size", () => {
  expect(said).toContain("UNSIGNED: LATCHKEY_RELEASE_KEY_FILE names no key.");
  expect(said).toContain("latchkey upgrade trusts no key of itself");
  const { size } = statSync(join(folder, `latchkey-0.1.0-${target}`));
  expect(said).toContain(`${size} bytes  latchkey-0.1.0-${target}\n`);
});

test("keys that do not fit together are refused before anything is built", async () => {
  const key = join(temporaryDirectory("key"), "latchkey.key");
  writeFileSync(key, "untrusted comment: none\nRWQ=\n");
  const other = makeSigningKey().publicKey;
  const wrong: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{ LATCHKEY_RELEASE_KEY_FILE: key }, "it is no minisign secret key"],
    [{ LATCHKEY_RELEASE_KEY_FILE: `${key}.missing` }, "no such file"],
    [{ LATCHKEY_RELEASE_PUBLIC_KEY: `${other},RWQ` }, "RWQ is no minisign public key"],
  ];
  for (const [env, says] of wrong) {
    const { code, stderr } = await run([process.execPath, "release/release.ts", target], project, env);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
  }
  expect(readdirSync(folder)).toContain("SHA256SUMS");
});

test("executables trust the key that signs, and those beside it that are named", () => {
  const { text, publicKey } = makeSigningKey();
  const key = join(temporaryDirectory("key"), "latchkey.key");
  writeFileSync(key, text);
  const read = (others: string) =>
    readSigning({ LATCHKEY_RELEASE_KEY_FILE: key, LATCHKEY_RELEASE_PUBLIC_KEY: others }).trusted;
  const other = makeSigningKey().publicKey;
  expect(read("")).toEqual([publicKey]);
  expect(read(`${other}, ${publicKey}`)).toEqual([other, publicKey]);
  expect(() => read(other)).toThrow(`lacks ${publicKey}`);
});

test("S89: a release has checksums of all its files, and they are right", async () => {
  const files = readdirSync(folder).filter((name) => name !== "SHA256SUMS");
  expect(files.toSorted()).toEqual([
    "latchkey-0.1.0-licences.txt",
    `latchkey-0.1.0-${target}`,
    "latchkey-0.1.0.cdx.json",
  ]);
  const { code, stdout } = await run(["sha256sum", "--check", "SHA256SUMS"], folder);
  expect([code, stdout.trimEnd().split("\n").length]).toEqual([0, files.length]);
});

test("S89: a release's executable is what `bun run build` makes", async () => {
  const { code } = await run(["cmp", join(folder, `latchkey-0.1.0-${target}`), "dist/latchkey"], project);
  expect(code).toBe(0);
  const executable = join(folder, `latchkey-0.1.0-${target}`);
  expect(await runLatchkey(["version"], { executable })).toMatchObject({ exitCode: 0 });
});

test("S89: the list of components is CycloneDX, and has each package by what the lockfile pins", async () => {
  const document = read("latchkey-0.1.0.cdx.json");
  const problems = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(document);
  expect(problems).toBeNull();
  const { components } = JSON.parse(document) as BillOfMaterials;
  const purls = components.flatMap(({ purl }) => (purl === undefined ? [] : [purl]));
  // Those that are asked for by name, but for what is for uploads alone.
  const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    dependencies: Readonly<Record<string, string>>;
  };
  const named = Object.entries(dependencies).map(
    ([name, version]) => `pkg:npm/${name.replace("@", "%40")}@${version}`,
  );
  expect(named.filter((purl) => !purls.includes(purl))).toEqual([]);
  const bare = components.filter(({ purl, hashes }) => purl !== undefined && hashes?.length !== 1);
  expect(bare).toEqual([]);
  const licences = read("latchkey-0.1.0-licences.txt");
  expect(purls.filter((purl) => !licences.includes(nameOf(purl)))).toEqual([]);
});

const nameOf = (purl: string) => decodeURIComponent(purl.replace("pkg:npm/", "")).replace(/@(?=[^@]*$)/, " ");

test("an unknown target is refused with those that there are", async () => {
  const { code, stderr } = await run([process.execPath, "release/release.ts", "amiga"], project);
  expect([code, stderr]).toEqual([2, expect.stringContaining("linux-arm64-musl")]);
});
