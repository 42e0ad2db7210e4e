import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildExecutable } from "../support/executable.ts";
import { buildNext, downloadOf, nextTag, nextVersion, releaseKey } from "../support/next-release.ts";
import { readDocument } from "../support/readme.ts";
import { type BootedRoot, boot, copyIn, makeRoot, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(300_000);

const reason = whyNoRoot();
const password = "correct horse battery";
const { blocks } = readDocument("docs/upgrade.md");
/** What stands in the page, by a key that this test made. */
const commands = (marker: string) => {
  const code = blocks.find((block) => block.marker === `run: ${marker}`)?.code;
  if (code === undefined) throw new Error(`docs/upgrade.md has no <!-- run: ${marker} -->`);
  return code.replaceAll("upgrade --from", "upgrade --key latchkey.pub --from");
};

describe.skipIf(reason !== null)(
  `latchkey upgrade, under a real systemd${reason === null ? "" : `: ${reason}`}`,
  () => {
    let root: BootedRoot;
    let cookie = "";
    const run = async (command: string) =>
      await root.run(["sh", "-ec", `cd /root; PATH=/usr/local/bin:$PATH; ${command}`]);
    const sh = async (command: string) => {
      const { exitCode, stdout, stderr } = await run(command);
      if (exitCode !== 0) throw new Error(`${command}: ${exitCode}\n${stdout}${stderr}`);
      return stdout.trim();
    };
    const serving = async () => {
      const { body } = await root.fetch("http://localhost/health");
      return (JSON.parse(body) as { version: string }).version;
    };
    const isSignedIn = async () =>
      (await root.fetch("http://localhost/api/auth/verify", { headers: { cookie } })).status === 200;
    const fail = async (how: string, more = "") => {
      const folder = join(root.path, "etc/systemd/system/latchkey.service.d");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "fail.conf"), `[Service]\nEnvironment=${how}\n${more}\n`);
      await sh("systemctl daemon-reload");
    };

    beforeAll(async () => {
      const still = await makeRoot();
      const download = await downloadOf(await buildNext());
      copyIn(still, await buildExecutable(), "/root/latchkey", 0o755);
      copyIn(still, download, `/root/${basename(download)}`, 0o755);
      for (const name of ["SHA256SUMS", "SHA256SUMS.minisig"])
        copyIn(still, join(dirname(download), name), `/root/${name}`);
      writeFileSync(
        join(still.path, "root/latchkey.pub"),
        `untrusted comment: x\n${releaseKey().publicKey}\n`,
      );
      root = await boot(still);
      await sh("./latchkey install --set PORT=80");
      const { headers } = await root.fetch("http://localhost/api/auth/sign-up/email", {
        method: "POST",
        headers: { "content-type": "application/json", origin: "http://localhost" },
        body: JSON.stringify({ email: "ann@example.com", password, name: "Ann" }),
      });
      cookie = headers["set-cookie"] ?? "";
      expect(await isSignedIn()).toBe(true);
    });
    afterAll(async () => await root.stop());

    test("of another executable than the unit's is refused", async () => {
      const { exitCode, stderr } = await run(
        "./latchkey upgrade --key latchkey.pub --from latchkey-0.2.0-linux-x64",
      );
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringContaining("runs /usr/local/bin/latchkey, and this is /root/latchkey"),
      ]);
    });

    test("goes back where the new one does not start, and puts the database back that it cannot work on", async () => {
      await fail('"NEXT_FAILS=after migration" NEXT_MIN_READER=99');
      const { exitCode, stderr } = await run(commands("upgrade"));
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("0.1.0 is back, and answers")]);
      expect(stderr).toContain("the database is what it was before");
      expect([await serving(), await isSignedIn()]).toEqual(["0.1.0", true]);
      expect(await sh("stat --format=%U:%G /var/lib/latchkey/latchkey.db")).toBe("latchkey:latchkey");
    });

    test("decides so where a credential, which goes away with the service, holds a setting", async () => {
      const credential =
        "LoadCredential=secret:/var/lib/latchkey/secret\nEnvironment=BETTER_AUTH_SECRET_FILE=%d/secret";
      await fail('"NEXT_FAILS=after migration" NEXT_MIN_READER=99', credential);
      await sh("systemctl restart latchkey");
      const { exitCode, stderr } = await run(commands("upgrade"));
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("0.1.0 is back, and answers")]);
      expect(stderr).toContain("the database is what it was before");
      expect([await serving(), await isSignedIn()]).toEqual(["0.1.0", true]);
      expect(await sh("ls /run | grep latchkey-upgrade || true")).toBe("");
    });

    test("goes back where a start does not end, for which the unit would wait for ever", async () => {
      const waits = "ExecStartPre=/bin/sh -c '! /usr/local/bin/latchkey version | grep -q 0.2 || sleep 3600'";
      await fail("NEXT_NOTHING=1", waits);
      const [, line = ""] = commands("upgrade").trim().split("\n");
      const { exitCode, stderr } = await run(`${line} --timeout 5`);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("did not end within")]);
      expect(stderr).toContain("0.1.0 is back, and answers");
      expect([await serving(), await isSignedIn()]).toEqual(["0.1.0", true]);
    });

    test("exchanges the executable, migrates, and signs nobody out; by hand there is a way back", async () => {
      await fail("NEXT_NOTHING=1");
      const said = await sh(commands("upgrade"));
      expect(said).toContain(`migrations: ${nextTag}`);
      expect([await serving(), await isSignedIn()]).toEqual([nextVersion, true]);
      expect(await sh("systemctl is-active latchkey")).toBe("active");
      expect(await sh("stat --format='%a %U:%G' /usr/local/bin/latchkey")).toBe("755 root:root");
      await sh(commands("back"));
      expect([await serving(), await isSignedIn()]).toEqual(["0.1.0", true]);
    });
  },
);
