import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDeb } from "../../release/deb.ts";
import { buildExecutable } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { readDocument } from "../support/readme.ts";
import { type BootedRoot, boot, copyIn, makeRoot, run, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(900_000);

const reason = whyNoRoot();
const title = (text: string) => `${text}${reason === null ? "" : `: ${reason}`}`;
const versions = ["0.1.0", "0.2.0"] as const;

/** @returns the paths of two packages; in the second the settings that it brings are others, as a later version's may be. */
async function writePackages(): Promise<readonly string[]> {
  const folder = temporaryDirectory("debs");
  const executable = await buildExecutable();
  return versions.map((version) => {
    const path = writeDeb(executable, folder, version, "amd64", { compression: "gzip" });
    if (version === versions[0]) return path;
    const tree = join(folder, "tree");
    const must = (...command: readonly string[]) => expect(Bun.spawnSync([...command]).exitCode).toBe(0);
    must("dpkg-deb", "--raw-extract", path, tree);
    appendFileSync(
      join(tree, "etc/latchkey/latchkey.env"),
      "\n# A setting that is new.\n#LATCHKEY_CONTACT=ann@example.com\n",
    );
    must("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, path);
    return path;
  });
}

describe.skipIf(reason !== null)(title("Debian's package, under a real systemd"), () => {
  let root: BootedRoot;
  beforeAll(async () => {
    const still = await makeRoot();
    for (const path of await writePackages())
      copyIn(still, path, join("/root", path.split("/").at(-1) ?? ""));
    root = await boot(still);
  });
  afterAll(async () => await root.stop());

  const sh = async (command: string) => {
    const { exitCode, stdout, stderr } = await root.run(["sh", "-ec", `cd /root; ${command}`]);
    if (exitCode !== 0) throw new Error(`${command}: ${exitCode}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`.trim();
  };
  const show = async (property: string) => await sh(`systemctl show --property=${property} --value latchkey`);
  const settings = () => join(root.path, "etc/latchkey/latchkey.env");
  const verify = async (cookie: string) =>
    (await root.fetch("http://localhost/api/auth/verify", { headers: { cookie } })).status;
  const install = "dpkg --install";

  let cookie = "";
  test("is installed by the command of docs/install.md's, starts, and is verified", async () => {
    const page =
      readDocument("docs/install.md").blocks.find(({ marker }) => marker === "run: deb")?.code ?? "";
    // There is no network here to look for what it depends on.
    await sh(page.replace("apt-get install ./", "dpkg --install ./").replaceAll("0.1.0", versions[0]));
    expect([await show("ActiveState"), await show("UnitFileState"), await show("StatusText")]).toEqual([
      "active",
      "enabled",
      "listening at http://127.0.0.1:3001 for http://localhost:3001",
    ]);
    expect(
      await sh("stat --format='%a %U:%G' /etc/latchkey /etc/latchkey/latchkey.env /var/lib/latchkey"),
    ).toBe("750 root:latchkey\n640 root:latchkey\n700 latchkey:latchkey");
    expect(await sh("dpkg --verify latchkey")).toBe("");
    expect(await sh("latchkey version")).toStartWith("latchkey ");
  });

  test("is not changed behind dpkg's back", async () => {
    const { exitCode, stderr } = await root.run(["latchkey", "upgrade", "--from", "/root/latchkey"]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining("/usr/bin/latchkey is of a Debian package"),
    ]);
  });

  test("latchkey install leaves it alone", async () => {
    const refused = await root.run(["latchkey", "install"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("latchkey is installed by Debian's package here");
  });

  test("reads its settings, and serves on port 80", async () => {
    appendFileSync(settings(), "PORT=80\nLATCHKEY_LIMITS=off\n");
    await sh("systemctl restart latchkey");
    const { status, headers } = await root.fetch("http://localhost/api/auth/sign-up/email", {
      method: "POST",
      headers: { "content-type": "application/json", origin: "http://localhost" },
      body: JSON.stringify({ email: "ann@example.com", password: "correct horse battery", name: "Ann" }),
    });
    cookie = headers["set-cookie"] ?? "";
    expect([status, await verify(cookie)]).toEqual([200, 200]);
  });

  test("is upgraded: the new one runs, settings stay as they were changed, and nobody is signed out", async () => {
    const pid = await show("MainPID");
    await sh(`${install} --force-confold ./latchkey_${versions[1]}_amd64.deb`);
    expect(await sh("dpkg-query --show --showformat='${Version}' latchkey")).toBe(versions[1]);
    expect([await show("ActiveState"), (await show("MainPID")) === pid]).toEqual(["active", false]);
    expect(readFileSync(settings(), "utf8")).toContain("PORT=80");
    expect(readFileSync(`${settings()}.dpkg-dist`, "utf8")).toContain("# A setting that is new.");
    expect(await verify(cookie)).toBe(200);
    expect(await sh("stat --format='%a %U:%G' /etc/latchkey/latchkey.env")).toBe("640 root:latchkey");
  });

  test("that somebody has stopped and disabled is upgraded, and stays so", async () => {
    await sh("systemctl disable --now latchkey");
    await sh(`${install} --force-confold ./latchkey_${versions[0]}_amd64.deb`);
    expect([await show("ActiveState"), await show("UnitFileState")]).toEqual(["inactive", "disabled"]);
    await sh("systemctl enable --now latchkey");
    expect(await verify(cookie)).toBe(200);
  });

  test("is removed, and settings and accounts stay for when it comes back", async () => {
    await sh("dpkg --remove latchkey");
    expect(await sh("ls -l /proc/[0-9]*/exe 2>/dev/null | grep latchkey || true")).toBe("");
    expect(existsSync(join(root.path, "usr/bin/latchkey"))).toBe(false);
    expect(existsSync(join(root.path, "var/lib/latchkey/latchkey.db"))).toBe(true);
    await sh(`${install} --force-confold ./latchkey_${versions[1]}_amd64.deb`);
    expect(await verify(cookie)).toBe(200);
  });

  test("is purged with its settings, and says where the accounts are that it keeps", async () => {
    expect(await sh("dpkg --purge latchkey")).toContain(
      "latchkey: /var/lib/latchkey is kept, with all that is in it; rm -r /var/lib/latchkey removes it",
    );
    expect(existsSync(join(root.path, "etc/latchkey"))).toBe(false);
    expect(await sh("stat --format=%U /var/lib/latchkey/latchkey.db")).toBe("latchkey");
    expect(
      await sh(
        "find /etc/systemd /usr/lib/systemd /usr/bin /usr/share /usr/lib/sysusers.d -name '*latchkey*'",
      ),
    ).toBe("");
  });

  test("comes back to the accounts that were kept", async () => {
    await sh(`${install} ./latchkey_${versions[0]}_amd64.deb`);
    appendFileSync(settings(), "PORT=80\n");
    await sh("systemctl restart latchkey");
    expect(await verify(cookie)).toBe(200);
    await sh("systemctl stop latchkey; rm -r /var/lib/latchkey/*; dpkg --purge latchkey");
    expect(existsSync(join(root.path, "var/lib/latchkey"))).toBe(false);
  });
});

describe.skipIf(reason !== null)(title("Debian's package"), () => {
  test("is clean to lintian, as Debian's policy has it", async () => {
    const root = await makeRoot({ packages: ["lintian"] });
    const executable = await buildExecutable();
    const path = writeDeb(executable, temporaryDirectory("deb"), "0.1.0", "amd64", { compression: "gzip" });
    copyIn(root, path, "/srv/latchkey.deb");
    const args = [
      "lintian",
      "--allow-root",
      "--fail-on=error,warning",
      "--no-tag-display-limit",
      "/srv/latchkey.deb",
    ];
    const { exitCode, stdout } = await run(root, args, { timeoutMs: 600_000 });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  });
});
