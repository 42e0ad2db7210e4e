import { Database } from "bun:sqlite";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import { lockFile } from "../../src/file-lock.ts";
import { createClient } from "../support/client.ts";
import { buildExecutable, runLatchkey } from "../support/executable.ts";
import {
  buildNext,
  downloadOf,
  installed,
  makeSigningKey,
  nextTag,
  nextVersion,
  releaseKey,
  signFolder,
} from "../support/next-release.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import {
  besideIn,
  openUpgradeMachine,
  type UpgradeMachine,
  upgradePassword,
} from "../support/upgrade-machine.ts";

setDefaultTimeout(60_000);

let next: string;
let download: string;
let key: readonly string[];
beforeAll(async () => {
  next = await buildNext();
  download = await downloadOf(next);
  key = ["--key", releaseKey().publicKey];
});

const opened: UpgradeMachine[] = [];
afterAll(async () => {
  for (const machine of opened) await machine.close();
});
const open = async (dialect: "sqlite" | "postgres" = "sqlite") => {
  const machine = await openUpgradeMachine(dialect);
  opened.push(machine);
  return machine;
};
const fileOf = ({ database }: UpgradeMachine) => database.url.replace(/^file:/, "");
const tagsIn = async ({ database }: UpgradeMachine) =>
  (await database.query("SELECT tag FROM latchkey_migration ORDER BY tag")).map(({ tag }) => String(tag));
const isNew = async (machine: UpgradeMachine) => (await tagsIn(machine)).includes(nextTag);
const current = "0.1.0";

describe("latchkey upgrade", () => {
  test("checks, copies, exchanges, restarts, and tells; nobody is signed out, and again it does nothing", async () => {
    const machine = await open();
    const dry = await machine.upgrade(download, [...key, "--dry-run", "--json"]);
    expect([dry.exitCode, JSON.parse(dry.stdout)]).toEqual([
      0,
      {
        from: current,
        to: nextVersion,
        executable: machine.executable,
        pending: [nextTag],
        outcome: "dry run",
      },
    ]);
    expect([besideIn(machine.executable), machine.restarts(), await machine.version()]).toEqual([
      ["latchkey"],
      0,
      `latchkey ${current}`,
    ]);
    const { exitCode, stdout, stderr } = await machine.upgrade(download, [...key, "--json"]);
    expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
    const told = JSON.parse(stdout) as { readonly previous: string; readonly snapshot: string };
    expect(JSON.parse(stdout)).toEqual({
      from: current,
      to: nextVersion,
      executable: machine.executable,
      previous: `${machine.executable}.previous`,
      snapshot: expect.stringContaining(join("before-upgrade", "latchkey-")),
      pending: [nextTag],
      outcome: "upgraded",
    });
    expect(splitLog(stderr).log).toMatchObject([
      {
        event: "upgrade",
        outcome: "success",
        operator: process.getuid?.(),
        from: current,
        to: nextVersion,
        signedBy: releaseKey().id,
        migrations: [nextTag],
      },
    ]);
    expect([await machine.serving(), await machine.isSignedIn(), await isNew(machine)]).toEqual([
      nextVersion,
      true,
      true,
    ]);
    expect(besideIn(machine.executable)).toEqual(["latchkey", "latchkey.previous"]);
    const before = await runLatchkey(["version"], { executable: told.previous });
    expect(before.stdout).toBe(`latchkey ${current}\n`);
    using snapshot = new Database(told.snapshot, { readonly: true });
    expect(snapshot.query('SELECT count(*) AS n FROM "user"').get()).toEqual({ n: 1 });

    const again = await machine.upgrade(download);
    expect([again.exitCode, again.stdout]).toEqual([0, `${machine.executable} is ${nextVersion} already\n`]);
    expect(machine.restarts()).toBe(1);
    // The one before works on what the new one made of the database; without the flag it is refused.
    const older = await downloadOf(await buildExecutable(), { version: current });
    const refused = await machine.upgrade(older);
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining(`mv ${machine.executable}.previous ${machine.executable}`),
    ]);
    const back = await machine.upgrade(older, ["--allow-downgrade", "--no-snapshot"]);
    expect([back.exitCode, await machine.serving(), await machine.isSignedIn()]).toEqual([0, current, true]);
  });

  test("refuses what is not to be trusted, not for this machine, or not latchkey, and changes nothing", async () => {
    const machine = await open();
    const folderOf = async (change: (file: string) => Promise<void> | void) => {
      const file = await downloadOf(next);
      await change(file);
      return file;
    };
    const sumsOf = (file: string) => join(dirname(file), "SHA256SUMS");
    const script = join(temporaryDirectory("script"), `latchkey-${nextVersion}-linux-x64`);
    writeFileSync(script, '#!/bin/sh\necho \'{"version":"0.2.0"}\'\n');
    chmodSync(script, 0o755);
    await signFolder(script, releaseKey());
    const foreign = Buffer.from(await Bun.file(next).slice(0, 4_096).bytes());
    // Its machine: AArch64 of an executable for x86-64, and the other way round.
    foreign.writeUInt16LE(foreign.readUInt16LE(18) === 183 ? 62 : 183, 18);
    const other = join(temporaryDirectory("foreign"), `latchkey-${nextVersion}-linux-arm64`);
    writeFileSync(other, foreign);
    await signFolder(other, releaseKey());
    const broken = join(temporaryDirectory("broken"), `latchkey-${nextVersion}-linux-x64`);
    writeFileSync(broken, Buffer.from(await Bun.file(next).slice(0, 4_096).bytes()));
    await signFolder(broken, releaseKey());
    const wrong: readonly (readonly [file: string, args: readonly string[], says: string, reason: string])[] =
      [
        [download, [], "built without a release's public key", "no_key"],
        [download, ["--key", makeSigningKey().publicKey], "it is of key", "wrong_signature"],
        [download, ["--key", "nonsense"], "no minisign public key", "unusable_key"],
        [
          await folderOf((file) => signFolder(file, makeSigningKey())),
          key,
          "it is of key",
          "wrong_signature",
        ],
        [
          await folderOf((file) =>
            writeFileSync(sumsOf(file), readFileSync(sumsOf(file), "utf8").replace(/^0/, "1")),
          ),
          key,
          "not of this content",
          "wrong_signature",
        ],
        [
          await buildExecutable(),
          [...key, "--checksums", sumsOf(download)],
          "it is not a file of that release, or was changed",
          "wrong_checksum",
        ],
        [await downloadOf(next, { version: "0.3.0" }), key, "is listed as 0.3.0", "wrong_version"],
        [await downloadOf(await buildExecutable(), { version: current }), key, "already", ""],
        [other, key, "is not for this machine", "unusable_executable"],
        [broken, key, "is no latchkey, or does not start", "unusable_executable"],
        [script, key, "is not for this machine", "unusable_executable"],
        [join(dirname(download), "nothing"), key, "there is no file", "no_file"],
      ];
    for (const [file, args, says, reason] of wrong) {
      const { exitCode, stdout, stderr } = await machine.upgrade(file, args);
      expect([says, exitCode, stdout + stderr]).toEqual([
        says,
        reason === "" ? 0 : 2,
        expect.stringContaining(says),
      ]);
      const { log } = splitLog(stderr);
      if (reason !== "") expect(log).toMatchObject([{ event: "upgrade", outcome: "failure", reason }]);
    }
    expect([machine.restarts(), besideIn(machine.executable), await isNew(machine)]).toEqual([
      0,
      ["latchkey"],
      false,
    ]);
    expect(existsSync(join(dirname(fileOf(machine)), "before-upgrade"))).toBe(false);
    // Somebody who says so takes it unsigned.
    const dry = await machine.upgrade(next, ["--insecure-no-signature", "--dry-run"]);
    expect([dry.exitCode, dry.stderr]).toEqual([0, expect.stringContaining("nobody has signed")]);
    machine.set({ NEXT_MIN_READER: "99" });
    const warned = await machine.upgrade(download, [...key, "--dry-run"]);
    expect([warned.exitCode, warned.stderr]).toEqual([
      0,
      expect.stringContaining("the way back is the snapshot"),
    ]);
  });

  test.each(["start", "after migration"])(
    "goes back where the new one fails (%s), and what was acknowledged meanwhile stays",
    async (fails) => {
      const machine = await open();
      machine.set({ NEXT_FAILS: fails });
      const { exitCode, stderr } = await machine.upgrade(download, [...key, "--timeout", "30"]);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${current} is back, and answers`)]);
      expect(splitLog(stderr).log).toMatchObject([
        { event: "upgrade", outcome: "failure", reason: "failed" },
      ]);
      expect([await machine.serving(), await machine.isSignedIn(), machine.restarts()]).toEqual([
        current,
        true,
        2,
      ]);
      // The migration is one with which the one before can work: nothing is taken away.
      expect(await isNew(machine)).toBe(fails !== "start");
      expect([besideIn(machine.executable), await machine.version()]).toEqual([
        ["latchkey"],
        `latchkey ${current}`,
      ]);
    },
  );

  test("puts the database back where the one before cannot work on it, if nothing was acknowledged", async () => {
    const machine = await open();
    machine.set({ NEXT_FAILS: "after migration", NEXT_MIN_READER: "99" });
    const { exitCode, stderr } = await machine.upgrade(download, [...key, "--timeout", "30"]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("the database is what it was before")]);
    expect([await machine.serving(), await machine.isSignedIn(), await isNew(machine)]).toEqual([
      current,
      true,
      false,
    ]);
  });

  test("keeps the new one where the one before cannot work on the database and something was acknowledged", async () => {
    const machine = await open();
    machine.set({ NEXT_FAILS: "unhealthy", NEXT_MIN_READER: "99" });
    const upgrading = machine.upgrade(download, [...key, "--timeout", "10"]);
    while ((await machine.serving()) !== nextVersion) await Bun.sleep(20);
    const ben = createClient(machine.origin);
    const { error } = await ben.auth.signUp.email({
      email: "ben@example.com",
      password: upgradePassword,
      name: "Ben",
    });
    expect(error).toBeNull();
    const { exitCode, stderr } = await upgrading;
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${current} cannot take its place`)]);
    expect(stderr).toContain("1 of user");
    expect(stderr).toContain(`latchkey.previous restore ${fileOf(machine)}.before-${nextTag}`);
    expect([await machine.serving(), await machine.isSignedIn()]).toEqual([nextVersion, true]);
    expect((await ben.fetch("/api/auth/verify")).status).toBe(200);
    expect(besideIn(machine.executable)).toEqual(["latchkey", "latchkey.previous"]);
  });

  test("does not wait for a restart that does not end", async () => {
    const machine = await open();
    const { exitCode, stderr } = await machine.upgrade(download, [...key, "--timeout", "1"], {
      restart: "exec sleep 3600",
    });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("did not end within 1 s; going back")]);
    expect([besideIn(machine.executable), await machine.version(), await machine.serving()]).toEqual([
      ["latchkey"],
      `latchkey ${current}`,
      current,
    ]);
  });

  test("starts the new one again where the way back fails at a step", async () => {
    const machine = await open();
    machine.set({ NEXT_FAILS: "after migration" });
    const restart = `rm -f ${machine.executable}.previous; ${machine.restartCommand}`;
    const { exitCode, stderr } = await machine.upgrade(download, [...key, "--timeout", "30"], { restart });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${current} cannot take its place`)]);
    expect([machine.restarts(), besideIn(machine.executable)]).toEqual([2, ["latchkey"]]);
  });

  test("after one that was cut short, goes back to before both", async () => {
    const machine = await open();
    machine.set({ NEXT_MIN_READER: "99" });
    const restart = `${machine.restartCommand}; kill -9 $PPID`;
    expect((await machine.upgrade(download, key, { restart })).exitCode).toBe(137);
    expect([await machine.serving(), await isNew(machine)]).toEqual([nextVersion, true]);
    machine.set({ NEXT_FAILS: "start", NEXT_MIN_READER: "99" });
    const other = join(temporaryDirectory("other"), "latchkey");
    writeFileSync(other, Buffer.concat([readFileSync(next), Buffer.from("other bytes")]), { mode: 0o755 });
    const third = await downloadOf(other);
    const { exitCode, stderr } = await machine.upgrade(third, [
      ...key,
      "--allow-downgrade",
      "--timeout",
      "30",
    ]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${current} is back, and answers`)]);
    expect(stderr).toContain("the database is what it was before");
    expect([await machine.serving(), await machine.isSignedIn(), await isNew(machine)]).toEqual([
      current,
      true,
      false,
    ]);
  });

  test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
    "decides by the credentials that went away with the service (needs root)",
    async () => {
      const machine = await open();
      // As systemd does with LoadCredential=: there from the start on, and gone when it fails.
      const folder = `/run/credentials/latchkey-test-${crypto.randomUUID()}.service`;
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const source = join(temporaryDirectory("credentials"), "secret");
      writeFileSync(source, machine.database.env["BETTER_AUTH_SECRET"] ?? "", { mode: 0o600 });
      const load = `mkdir -p ${folder}; cp ${source} ${folder}/secret`;
      const restart = `${load}; ${machine.restartCommand} || { rm -r ${folder}; exit 1; }`;
      expect(Bun.spawnSync(["sh", "-ec", load]).exitCode).toBe(0);
      machine.set({
        NEXT_FAILS: "after migration",
        NEXT_MIN_READER: "99",
        BETTER_AUTH_SECRET: "",
        BETTER_AUTH_SECRET_FILE: `${folder}/secret`,
      });
      const held = () => readdirSync("/run").filter((name) => name.startsWith("latchkey-upgrade-"));
      const before = held();
      const { exitCode, stderr } = await machine.upgrade(download, [...key, "--timeout", "30"], { restart });
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("the database is what it was before")]);
      expect([await machine.serving(), await machine.isSignedIn(), held()]).toEqual([current, true, before]);
    },
  );

  test("is not kept from its work by who locks the executable's folder", async () => {
    const machine = await open();
    const release = lockFile(dirname(machine.executable));
    const { exitCode, stderr } = await machine.upgrade(download, [...key, "--dry-run"]);
    release?.();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect([release === null, besideIn(machine.executable)]).toEqual([false, ["latchkey"]]);
    // Nor is a link followed that somebody has put in its place.
    const target = join(temporaryDirectory("target"), "target");
    symlinkSync(target, `${machine.executable}.upgrade.lock`);
    const refused = await machine.upgrade(download, [...key, "--dry-run"]);
    expect([refused.exitCode, refused.stderr, existsSync(target)]).toEqual([
      1,
      expect.stringContaining("nothing was changed"),
      false,
    ]);
  });

  test("puts no snapshot where the service's user leads it", async () => {
    const machine = await open();
    const target = temporaryDirectory("target");
    symlinkSync(target, join(dirname(fileOf(machine)), "before-upgrade"));
    const { exitCode, stderr } = await machine.upgrade(download, key);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("before-upgrade is no folder")]);
    expect([readdirSync(target), besideIn(machine.executable), machine.restarts()]).toEqual([
      [],
      ["latchkey"],
      0,
    ]);
  });

  test("killed as it restarts, goes on when it is run again; two at once are one", async () => {
    const machine = await open();
    const killed = await machine.upgrade(download, key, { restart: "kill -9 $PPID" });
    expect([killed.exitCode, await machine.version()]).toEqual([137, `latchkey ${nextVersion}`]);
    expect([await machine.serving(), besideIn(machine.executable)]).toEqual([
      current,
      ["latchkey", "latchkey.previous", "latchkey.upgrade", "latchkey.upgrade.lock"],
    ]);
    const results = await Promise.all([machine.upgrade(download, key), machine.upgrade(download, key)]);
    const [ok, refused] = results.toSorted((one, other) => one.exitCode - other.exitCode);
    expect([ok?.exitCode, ok?.stderr]).toEqual([0, expect.stringContaining("was cut short; it goes on")]);
    // One that came after the other had ended has nothing to do.
    if (refused?.exitCode === 1) expect(refused.stderr).toContain("another upgrade of");
    expect([await machine.serving(), await machine.isSignedIn()]).toEqual([nextVersion, true]);
    expect(besideIn(machine.executable)).toEqual(["latchkey", "latchkey.previous"]);
  });

  test("trusts the key that it was built with", async () => {
    const executable = installed(next);
    const env = { PATH: process.env["PATH"] ?? "", PORT: "1", LATCHKEY_DATA_DIR: temporaryDirectory("none") };
    const upgrade = (file: string) =>
      runLatchkey(["upgrade", "--from", file, "--no-restart", "--dry-run"], { executable, env });
    expect(await upgrade(download)).toMatchObject({
      exitCode: 0,
      stdout: `${executable} is ${nextVersion} already\n`,
    });
    const other = await downloadOf(next, { key: makeSigningKey() });
    expect(await upgrade(other)).toMatchObject({ exitCode: 2 });
  });

  test("without a unit that systemd knows says what else there is", async () => {
    const executable = installed(next);
    const { exitCode, stderr } = await runLatchkey(["upgrade", "--from", download], { executable });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--restart-command")]);
    expect(readdirSync(dirname(executable))).toEqual(["latchkey"]);
  });
});
