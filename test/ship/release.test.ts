import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import { readSecretKey } from "../../release/minisign-key.ts";
import { createClient } from "../support/client.ts";
import { startable, startOn } from "../support/foreign-machine.ts";
import { findMinisign, type Minisign, requireBothWays } from "../support/minisign.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(900_000);

const project = join(import.meta.dir, "..", "..");
const found = await findMinisign();
const minisign = (): Minisign => {
  if (typeof found === "string") throw new Error(found);
  return found;
};
const executables = (folder: string) =>
  readdirSync(folder).filter(
    (name) => name.startsWith(`latchkey-${packageJson.version}-`) && !name.endsWith(".txt"),
  );

/** What stands in docs/upgrade.md, with its files in a folder. */
const signing = (folder: string) =>
  (readDocument("docs/upgrade.md").blocks.find(({ marker }) => marker === "run: signing")?.code ?? "exit 1")
    .replaceAll(/latchkey\.(?:pub|key)/g, `${folder}/$&`)
    .replace("PASSWORD_FILE=password", `PASSWORD_FILE=${folder}/password`);

async function run(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
  typed = "",
) {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
    stdin: new TextEncoder().encode(typed),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

describe("a release", () => {
  let folder: string;
  let publicKey: string;
  let said: string;
  beforeAll(async () => {
    const keys = temporaryDirectory("keys");
    publicKey = join(keys, "latchkey.pub");
    writeFileSync(join(keys, "password"), "a password\n");
    // minisign asks for it twice.
    const { code, stdout, stderr } = await run(
      ["sh", "-ec", signing(keys)],
      project,
      {
        PATH: `${minisign().inPath()}:${process.env["PATH"]}`,
      },
      "a password\na password\n",
    );
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    said = stdout;
    folder = join(project, "dist", "release");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is signed by the key that its executables trust, which has a password, and minisign says so", async () => {
    const verified = await minisign().run(["-V", "-p", publicKey, "-m", "SHA256SUMS"], folder);
    expect([verified.code, verified.output]).toEqual([
      0,
      expect.stringContaining(`latchkey ${packageJson.version}`),
    ]);
    const packages = readdirSync(folder).filter((name) => /\.(?:deb|tar)$/.test(name));
    expect(packages.toSorted()).toEqual([
      `latchkey-${packageJson.version}-oci.tar`,
      `latchkey_${packageJson.version}_amd64.deb`,
      `latchkey_${packageJson.version}_arm64.deb`,
    ]);
    const sums = await run(["sha256sum", "--check", "SHA256SUMS"], folder);
    expect([sums.code, said]).toEqual([0, expect.stringContaining("Signed by")]);
    const own = join(folder, `latchkey-${packageJson.version}-linux-x64`);
    const args = ["upgrade", "--from", own, "--no-restart", "--allow-downgrade", "--dry-run"];
    const { code, stdout, stderr } = await run([own, ...args], temporaryDirectory("trusting"));
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining("already"), ""]);
  });

  test.each(startable)("for %s starts, signs somebody up, and knows them", async (target) => {
    const file = join(folder, `latchkey-${packageJson.version}-${target}`);
    const server = await startOn(target, file);
    const ann = createClient(server.origin);
    const { error } = await ann.auth.signUp.email({
      email: "ann@example.com",
      password: "correct horse battery",
      name: "Ann",
    });
    const health = await fetch(`${server.url}/health`);
    const { version } = (await health.json()) as { version: string };
    expect([error, health.status, version, (await ann.fetch("/api/auth/verify")).status]).toEqual([
      null,
      200,
      packageJson.version,
      200,
    ]);
    await server.stop();
    console.log(`${target}: started, ${statSync(file).size} bytes`);
  });

  test("of other systems is started nowhere here", () => {
    const others = executables(folder).filter(
      (name) => !startable.some((target) => name.endsWith(`-${target}`)),
    );
    for (const name of others)
      console.log(`${name}: NOT STARTED, ${statSync(join(folder, name)).size} bytes`);
    expect(others.map((name) => name.replace(/^latchkey-[\d.]+-/, "")).toSorted()).toEqual([
      "darwin-arm64",
      "darwin-x64",
      "windows-x64.exe",
    ]);
  });
});

test("of two clones in different folders is the same, byte by byte, its signature too", async () => {
  const pair = await minisign().makePair(null);
  const clone = async (name: string, env: Readonly<Record<string, string>>) => {
    const folder = join(temporaryDirectory("clone"), name);
    const cloned = await run(["git", "clone", "--quiet", project, folder], project);
    expect([cloned.code, cloned.stderr]).toEqual([0, ""]);
    await run(["bun", "install", "--frozen-lockfile", "--silent"], folder);
    const built = await run(["bun", "release/release.ts", "linux-x64", "linux-arm64"], folder, {
      ...env,
      LATCHKEY_RELEASE_KEY_FILE: join(pair.folder, "key.sec"),
    });
    expect([built.code, built.stderr]).toEqual([0, expect.any(String)]);
    return join(folder, "dist", "release");
  };
  const here = await clone("a", { TZ: "UTC" });
  const there = await clone("a folder with blanks/and a longer name", {
    TZ: "Asia/Tokyo",
    LC_ALL: "de_DE.UTF-8",
  });
  expect(readdirSync(here)).toEqual(readdirSync(there));
  for (const name of ["SHA256SUMS", "SHA256SUMS.minisig"])
    expect(readFileSync(join(here, name), "utf8")).toBe(readFileSync(join(there, name), "utf8"));
});

test.skipIf(typeof found === "string")(
  `a key of minisign's with a password signs${typeof found === "string" ? ` (${found})` : ""}`,
  async () => {
    await requireBothWays(minisign(), "a password");
    const { read } = await minisign().makePair("a password");
    expect(() => readSecretKey(read("key.sec"), null)).toThrow("it has a password");
    expect(() => readSecretKey(read("key.sec"), "another")).toThrow("the password is wrong");
  },
);
