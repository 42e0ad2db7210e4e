import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { generateSecret } from "../../src/data-directory.ts";
import { settingList } from "../../src/config/settings.ts";
import {
  installedUnit,
  isUnchangedUnit,
  packagedUnit,
  settingsText,
  sysusersText,
} from "../../src/systemd/service-files.ts";
import { stepsOfRemoval } from "../../src/systemd/installation.ts";
import { withSettings } from "../../src/systemd/settings-file.ts";
import { environmentIn, readForeignEnvironment } from "../../src/doctor/foreign-environment.ts";
import { buildExecutable, runLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(30_000);

const project = join(import.meta.dir, "../..");
const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === "linux";

/** The folder of an image: who there is, and nothing more. */
function emptyImage(): string {
  const root = temporaryDirectory("image");
  mkdirSync(join(root, "etc"));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nlatchkey:x:4321:8765::/:/bin/false\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\nlatchkey:x:8765:\n");
  return root;
}

/** Every file and folder, with its mode and owner. */
const tree = (root: string) =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((path) => {
      const { mode, uid, gid } = statSync(join(root, path), { throwIfNoEntry: false }) ?? {};
      return `${path} ${((mode ?? 0) & 0o7777).toString(8)} ${uid ?? "-"}:${gid ?? "-"}`;
    })
    .toSorted();

describe("the unit", () => {
  test("is one for install, the package and deploy/systemd", () => {
    expect(packagedUnit).toBe(readFileSync(join(project, "deploy/systemd/latchkey.service"), "utf8"));
    const own = installedUnit();
    expect(own.split("\n").slice(2).join("\n")).toBe(
      packagedUnit.replace("/usr/bin/latchkey", "/usr/local/bin/latchkey"),
    );
    expect([isUnchangedUnit(own), isUnchangedUnit(`${own}\n`), isUnchangedUnit(packagedUnit)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("reads the settings, and its credentials, where doctor looks for them", () => {
    const path = join(temporaryDirectory("unit"), "latchkey.service");
    writeFileSync(path, `${packagedUnit}\n[Service]\nEnvironment=BETTER_AUTH_SECRET_FILE=%d/secret A=50%%\n`);
    const { environment } = readForeignEnvironment({ unit: path }, "/") ?? {};
    expect(environment).toEqual({
      STATE_DIRECTORY: "/var/lib/latchkey",
      BETTER_AUTH_SECRET_FILE: "/run/credentials/latchkey.service/secret",
      A: "50%",
    });
  });

  const analyze = Bun.which("systemd-analyze");
  const note = analyze === null ? " (needs systemd-analyze: apt-get install systemd)" : "";
  test.skipIf(analyze === null)(
    `is one that systemd understands, with an exposure of 2.0 at most${note}`,
    async () => {
      const path = join(temporaryDirectory("unit"), "latchkey.service");
      const executable = join(project, "dist", "latchkey");
      await buildExecutable();
      writeFileSync(path, packagedUnit.replace("/usr/bin/latchkey", executable));
      const verified = Bun.spawnSync(["systemd-analyze", "verify", path]);
      const complaints = verified.stderr
        .toString()
        .split("\n")
        .filter((line) => line.includes("latchkey.service"));
      expect({ exitCode: verified.exitCode, complaints }).toEqual({ exitCode: 0, complaints: [] });
      // In tenths: it fails where the exposure is above.
      const limited = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", path];
      expect(Bun.spawnSync(limited).exitCode).toBe(0);
    },
  );
});

describe("the settings of a new installation", () => {
  test("are comments, each of a setting that there is", () => {
    expect(environmentIn(settingsText)).toEqual({});
    const shown = Object.keys(environmentIn(settingsText.replaceAll(/^#(?=[A-Z_]+=)/gm, "")));
    const known = settingList.flatMap(({ name }) => [name as string, `${name}_FILE`]);
    expect(shown.length).toBeGreaterThan(8);
    expect(shown.filter((name) => !known.includes(name))).toEqual([]);
  });

  test("take the place of their comment, of an earlier value, or the end", () => {
    const once = withSettings(settingsText, [
      { name: "PORT", value: "80" },
      { name: "LATCHKEY_BRAND_NAME", value: `Ann's "Club" $1 \\ ` },
    ]);
    const lines = settingsText.split("\n");
    expect(once.split("\n").indexOf("PORT=80")).toBe(lines.indexOf("#PORT=3001"));
    expect(once.split("\n").length).toBe(lines.length + 1);
    const twice = withSettings(once, [{ name: "PORT", value: "443" }]);
    expect(environmentIn(twice)).toEqual({ PORT: "443", LATCHKEY_BRAND_NAME: `Ann's "Club" $1 \\ ` });
    expect(twice.split("\n").length).toBe(once.split("\n").length);
  });

  test.each([
    "plain",
    "two words",
    "",
    " edge",
    "a;b",
    "a#b",
    "ünï",
    "50%",
    `'single'`,
    `a\\`,
    "*",
    "$HOME",
    "`id`",
  ])("are read back as they were written: %j", (value) => {
    expect(environmentIn(withSettings("", [{ name: "A", value }]))).toEqual({ A: value });
  });
});

describe.skipIf(!isLinux)("latchkey install", () => {
  test("--print shows all that it would do, and does nothing", async () => {
    const root = emptyImage();
    const before = tree(root);
    const set = ["--set", "BETTER_AUTH_URL=https://auth.example.com"];
    const { exitCode, stdout, stderr } = await runLatchkey(["install", "--print", "--root", root, ...set]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.match(/^(?:copy|write|directory|link|run) .*/gm)).toEqual([
      "copy      /usr/local/bin/latchkey (0755 root:root)",
      "write     /etc/sysusers.d/latchkey.conf (0644 root:root)",
      "directory /etc/latchkey (0750 root:latchkey)",
      "write     /etc/latchkey/latchkey.env (0640 root:latchkey)",
      "directory /var/lib/latchkey (0700 latchkey:latchkey)",
      "write     /etc/systemd/system/latchkey.service (0644 root:root)",
      "link      /etc/systemd/system/multi-user.target.wants/latchkey.service",
    ]);
    expect(stdout).toContain("\n    BETTER_AUTH_URL=https://auth.example.com\n");
    expect(stdout).toContain("\n    ExecStart=/usr/local/bin/latchkey serve\n");
    expect(tree(root)).toEqual(before);
  });

  test.each([
    { set: "PORT=many", message: "Error: PORT: " },
    { set: "NOPE=1", message: "NOPE is not a setting" },
    { set: "BETTER_AUTH_SECRET=hunter2hunter2hunter2", message: "BETTER_AUTH_SECRET is a secret" },
    { set: "A\nB=1", message: "It is no NAME=value" },
  ])("refuses --set $set, and changes nothing", async ({ set, message }) => {
    const root = emptyImage();
    const before = tree(root);
    const { exitCode, stderr } = await runLatchkey(["install", "--root", root, "--set", set]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(message) });
    expect(tree(root)).toEqual(before);
  });

  test("refuses a folder that holds no system", async () => {
    const { exitCode, stderr } = await runLatchkey(["install", "--root", "/proc/self/fd"]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining("there is no etc in it"),
    });
  });

  test.skipIf(!isRoot)("says why it is for root alone", async () => {
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for (const command of ["install", "uninstall"]) {
      const args = [...nobody, await buildExecutable(), command, "--root", emptyImage()];
      const { exitCode, stderr } = Bun.spawnSync(args, { env: { HOME: "/" } });
      expect({ exitCode, stderr: stderr.toString() }).toEqual({
        exitCode: 1,
        stderr: `Error: latchkey ${command} changes /etc and /usr/local, the system's users and services, and you are not root\nTry: sudo latchkey ${command}, or latchkey ${command} --print to see what it would do\n`,
      });
    }
  });

  describe.skipIf(!isRoot)("into the folder of an image", () => {
    const root = emptyImage();
    const run = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await runLatchkey([...args, "--root", root, "--json"]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      const { steps } = JSON.parse(stdout) as {
        readonly steps: readonly { readonly path: string; readonly changed: boolean }[];
      };
      return steps.filter(({ changed }) => changed).map(({ path }) => path);
    };
    const empty = tree(root);
    let installed: string[] = [];
    beforeAll(async () => {
      await run("install");
      installed = tree(root);
    });
    afterAll(async () => {
      await run("uninstall", "--purge").catch(() => {});
    });

    test("makes each file for whom it is", () => {
      expect(installed.filter((line) => line.includes("latchkey"))).toEqual([
        "etc/latchkey 750 0:8765",
        "etc/latchkey/latchkey.env 640 0:8765",
        // It leads to where the unit will be.
        expect.stringMatching(/^etc\/systemd\/system\/latchkey.service 644 0:0$/),
        expect.stringMatching(/^etc\/systemd\/system\/multi-user.target.wants\/latchkey.service /),
        "etc/sysusers.d/latchkey.conf 644 0:0",
        "usr/local/bin/latchkey 755 0:0",
        "var/lib/latchkey 700 4321:8765",
      ]);
    });

    test("again changes nothing", async () => {
      expect(await run("install")).toEqual([]);
      expect(tree(root)).toEqual(installed);
    });

    test("again puts right what is missing or other, and no settings", async () => {
      writeFileSync(join(root, "usr/local/bin/latchkey"), "an older one");
      writeFileSync(join(root, "etc/latchkey/latchkey.env"), "PORT=4000\n");
      // As an older version wrote it.
      const older = "[Service]\nExecStart=/usr/local/bin/latchkey\n";
      const sum = new Bun.CryptoHasher("sha256").update(older).digest("hex");
      const unit = join(root, "etc/systemd/system/latchkey.service");
      writeFileSync(unit, `# latchkey install wrote this, sha256 ${sum}\n${older}`);
      chmodSync(unit, 0o666);
      expect(await run("install")).toEqual([
        "/usr/local/bin/latchkey",
        "/etc/systemd/system/latchkey.service",
      ]);
      expect(tree(root)).toEqual(installed);
      expect(readFileSync(unit, "utf8")).toBe(installedUnit());
      expect(readFileSync(join(root, "etc/latchkey/latchkey.env"), "utf8")).toBe("PORT=4000\n");
      expect(
        (await runLatchkey(["version"], { executable: join(root, "usr/local/bin/latchkey") })).exitCode,
      ).toBe(0);
    });

    test("is undone but for settings and accounts, and with --purge whole", async () => {
      writeFileSync(join(root, "var/lib/latchkey/latchkey.db"), "accounts");
      await run("uninstall");
      expect(tree(root).filter((line) => line.includes("latchkey"))).toEqual([
        "etc/latchkey 750 0:8765",
        "etc/latchkey/latchkey.env 640 0:8765",
        "etc/sysusers.d/latchkey.conf 644 0:0",
        "var/lib/latchkey 700 4321:8765",
        expect.stringMatching(/^var\/lib\/latchkey\/latchkey.db /),
      ]);
      await run("install");
      const passwd = readFileSync(join(root, "etc/passwd"), "utf8");
      expect(passwd).toContain("latchkey");
      await run("uninstall", "--purge");
      expect(tree(root).filter((line) => line.includes("latchkey"))).toEqual([]);
      expect(readFileSync(join(root, "etc/passwd"), "utf8")).not.toContain("latchkey");
      expect(empty.every((line) => existsSync(join(root, line.split(" ")[0] ?? "")))).toBe(true);
    });
  });

  test("prints of settings that are there only what it changes", async () => {
    const root = emptyImage();
    mkdirSync(join(root, "etc/latchkey"));
    const path = join(root, "etc/latchkey/latchkey.env");
    const canary = generateSecret();
    writeFileSync(path, `BETTER_AUTH_SECRET=${canary}\nPORT=4000\n`);
    const run = (...args: readonly string[]) =>
      runLatchkey(["install", "--root", root, "--set", "PORT=80", ...args]);
    const printed = [await run("--print"), await run("--print", "--json")];
    if (isRoot) printed.push(await run("--json"));
    for (const { exitCode, stdout, stderr } of printed) {
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain("PORT=80");
      expect(stdout).not.toContain(canary);
    }
    if (isRoot) expect(readFileSync(path, "utf8")).toBe(`BETTER_AUTH_SECRET=${canary}\nPORT=80\n`);
  });

  test.skipIf(!isRoot)("uninstall removes nothing where install made nothing", async () => {
    const root = emptyImage();
    for (const folder of ["usr/local/bin", "var/lib/latchkey", "etc/latchkey", "etc/sysusers.d"])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, "usr/local/bin/latchkey"), "by hand");
    writeFileSync(join(root, "etc/sysusers.d/latchkey.conf"), "u latchkey 4321\n");
    const before = tree(root);
    const passwd = readFileSync(join(root, "etc/passwd"), "utf8");
    for (const args of [["uninstall"], ["uninstall", "--purge"]]) {
      const { exitCode, stderr } = await runLatchkey([...args, "--root", root]);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: expect.stringContaining("latchkey install made nothing here"),
      });
    }
    expect(tree(root)).toEqual(before);
    // With its unit there, the user and the file that makes it are somebody else's all the same.
    mkdirSync(join(root, "etc/systemd/system"), { recursive: true });
    writeFileSync(join(root, "etc/systemd/system/latchkey.service"), installedUnit());
    expect((await runLatchkey(["uninstall", "--purge", "--root", root])).exitCode).toBe(0);
    const left = tree(root).filter((line) => line.includes("latchkey"));
    expect(left.map((line) => line.split(" ")[0])).toEqual(["etc/sysusers.d/latchkey.conf"]);
    expect(readFileSync(join(root, "etc/passwd"), "utf8")).toBe(passwd);
  });

  test("uninstall refuses a service that runs by another unit", () => {
    const root = emptyImage();
    mkdirSync(join(root, "etc/sysusers.d"));
    writeFileSync(join(root, "etc/sysusers.d/latchkey.conf"), sysusersText);
    expect(() => stepsOfRemoval(root, false, true)).toThrow("latchkey.service runs");
    expect(stepsOfRemoval(root, false, false).length).toBeGreaterThan(0);
  });

  test.skipIf(!isRoot)("leaves a package's service, and a unit of somebody else's, alone", async () => {
    const packaged = emptyImage();
    mkdirSync(join(packaged, "usr/lib/systemd/system"), { recursive: true });
    writeFileSync(join(packaged, "usr/lib/systemd/system/latchkey.service"), packagedUnit);
    const foreign = emptyImage();
    mkdirSync(join(foreign, "etc/systemd/system"), { recursive: true });
    writeFileSync(
      join(foreign, "etc/systemd/system/latchkey.service"),
      "[Service]\nExecStart=/opt/latchkey\n",
    );
    for (const root of [packaged, foreign])
      for (const command of ["install", "uninstall"]) {
        const before = tree(root);
        const { exitCode, stderr } = await runLatchkey([command, "--root", root]);
        const message = root === packaged ? "Debian's package" : "is not as latchkey install wrote it";
        expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining(message) });
        expect(tree(root)).toEqual(before);
      }
  });
});
