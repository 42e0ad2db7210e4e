import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../support/executable.ts";
import { readDocument } from "../support/readme.ts";
import { type BootedRoot, boot, copyIn, makeRoot, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(300_000);

const reason = whyNoRoot();
const { blocks } = readDocument("docs/install.md");
const blockOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`docs/install.md has no <!-- ${marker} -->`);
  return code;
};

describe.skipIf(reason !== null)(
  `the commands of docs/install.md${reason === null ? "" : `: ${reason}`}`,
  () => {
    let root: BootedRoot;
    beforeAll(async () => {
      const still = await makeRoot();
      copyIn(still, await buildExecutable(), "/root/latchkey", 0o755);
      root = await boot(still);
    });
    afterAll(async () => await root.stop());

    const sh = async (command: string) => {
      const { exitCode, stdout, stderr } = await root.run(["sh", "-ec", `cd /root; ${command}`]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      return stdout;
    };
    const edit = (name: string, text: string) => {
      const folder = join(root.path, "etc/systemd/system/latchkey.service.d");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), text);
    };
    const restart = "systemctl daemon-reload; systemctl restart latchkey";
    const main = "$(systemctl show --property=MainPID --value latchkey)";

    test("show what they would do, and do it", async () => {
      expect(await sh(blockOf("run: print"))).toContain("/etc/systemd/system/latchkey.service");
      expect((await root.run(["test", "-e", "/etc/latchkey"])).exitCode).toBe(1);
      expect(await sh(blockOf("run: install"))).toEndWith(
        "Running   listening at http://127.0.0.1:3001 for https://auth.example.com\n",
      );
      expect(await sh("journalctl -u latchkey -o cat")).toContain('"event":"listening"');
    });

    test("keep a secret in a credential, which doctor finds too", async () => {
      await sh(blockOf("run: secret"));
      expect(await sh("stat --format=%a /etc/latchkey/secret")).toBe("600\n");
      edit("secret.conf", blockOf("systemd: credential"));
      await sh(restart);
      expect(await sh("latchkey doctor --unit latchkey 2>&1")).toContain("from BETTER_AUTH_SECRET_FILE");
    });

    test("open a folder to backups", async () => {
      edit("backups.conf", blockOf("systemd: folder"));
      await sh("mkdir /srv/backups; chown latchkey: /srv/backups");
      await sh(`latchkey install --set LATCHKEY_BACKUP_DIR=/srv/backups; ${restart}`);
      while (!(await sh("ls /srv/backups")).includes(".db")) await Bun.sleep(100);
      expect(await sh(`grep -c ' / ro,' /proc/${main}/mountinfo || true`)).toMatch(/^[1-9]/);
    });

    test("get a certificate by itself: it asks for one, from the ports that others may not take", async () => {
      await sh(blockOf("run: install with https"));
      const listening = await sh("cat /proc/net/tcp /proc/net/tcp6");
      // Port 80, in hexadecimal, listening. There is no authority here: 443 is taken once it has given a certificate.
      expect(listening).toMatch(/:0050 \S+ 0A /);
      while (!/"event":"certificate_order/.test(await sh("journalctl -u latchkey -o cat")))
        await Bun.sleep(100);
      expect(await sh("stat --format='%a %U' /var/lib/latchkey/acme")).toBe("700 latchkey\n");
    });

    test("remove it, and keep accounts", async () => {
      await sh(blockOf("run: uninstall"));
      expect(await sh("ls /var/lib/latchkey")).toContain("latchkey.db");
      expect(await sh("ls /etc/latchkey")).toBe("latchkey.env\nsecret\n");
    });
  },
);
