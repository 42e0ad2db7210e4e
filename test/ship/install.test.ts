import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../support/certificate.ts";
import { buildExecutable } from "../support/executable.ts";
import { type BootedRoot, boot, copyIn, makeRoot, run, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(300_000);

const reason = whyNoRoot();
const service = "latchkey.service";

describe.skipIf(reason !== null)(
  `latchkey install, under a real systemd${reason === null ? "" : `: ${reason}`}`,
  () => {
    let root: BootedRoot;
    beforeAll(async () => {
      const still = await makeRoot();
      copyIn(still, await buildExecutable(), "/root/latchkey", 0o755);
      const refused = await run(still, ["/root/latchkey", "install"]);
      expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
      expect(refused.stderr).toStartWith("Error: systemd does not run here");
      root = await boot(still);
    });
    afterAll(async () => await root.stop());

    /** @returns what it printed; throws where it fails. */
    const sh = async (command: string) => {
      const { exitCode, stdout, stderr } = await root.run(["sh", "-ec", command]);
      if (exitCode !== 0) throw new Error(`${command}: ${exitCode}\n${stdout}${stderr}`);
      return stdout.trim();
    };
    const show = async (property: string) =>
      await sh(`systemctl show --property=${property} --value ${service}`);
    const until = async (wanted: () => Promise<boolean>) => {
      while (!(await wanted())) await Bun.sleep(100);
    };
    const dropIn = async (name: string, text: string) => {
      const folder = join(root.path, "etc/systemd/system", `${service}.d`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${name}.conf`), `[Service]\n${text}\n`);
      await sh("systemctl daemon-reload");
    };
    const json = { "content-type": "application/json", origin: "http://localhost" };
    const password = "correct horse battery";
    /** @returns a cookie. */
    const signUp = async (email: string) => {
      const body = JSON.stringify({ email, password, name: "Ann" });
      const { status, headers } = await root.fetch("http://localhost/api/auth/sign-up/email", {
        method: "POST",
        headers: json,
        body,
      });
      expect(status).toBe(200);
      return headers["set-cookie"] ?? "";
    };
    const verify = async (cookie: string) =>
      (await root.fetch("http://localhost/api/auth/verify", { headers: { cookie } })).status;

    test("a setting that cannot be used changes nothing", async () => {
      const refused = await root.run(["/root/latchkey", "install", "--set", "PORT=many"]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
      expect(refused.stderr).toStartWith("Error: PORT: ");
      expect(existsSync(join(root.path, "etc/latchkey"))).toBe(false);
    });

    let cookie = "";
    test("one command makes a service that answers on port 80, and is not root", async () => {
      const printed = await sh("/root/latchkey install --set PORT=80");
      expect(printed.split("\n").at(-1)).toBe(
        "Running   listening at http://127.0.0.1:80 for http://localhost",
      );
      expect([await show("ActiveState"), await show("StatusText")]).toEqual([
        "active",
        "listening at http://127.0.0.1:80 for http://localhost",
      ]);
      cookie = await signUp("ann@example.com");
      expect(await verify(cookie)).toBe(200);
      const status = await sh(`cat /proc/$(systemctl show --property=MainPID --value ${service})/status`);
      const uid = await sh("id -u latchkey");
      expect(status).toMatch(new RegExp(`^Uid:(\\t${uid}){4}$`, "m"));
      // CAP_NET_BIND_SERVICE is the tenth bit.
      for (const set of ["Prm", "Eff", "Bnd", "Amb"])
        expect(status).toMatch(new RegExp(`^Cap${set}:\\t0{13}400$`, "m"));
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
    });

    test("the files are those of whom they should be", async () => {
      const paths =
        "/usr/local/bin/latchkey /etc/latchkey /etc/latchkey/latchkey.env /var/lib/latchkey /etc/systemd/system/latchkey.service";
      expect((await sh(`stat --format='%a %U:%G %n' ${paths}`)).split("\n")).toEqual([
        "755 root:root /usr/local/bin/latchkey",
        "750 root:latchkey /etc/latchkey",
        "640 root:latchkey /etc/latchkey/latchkey.env",
        "700 latchkey:latchkey /var/lib/latchkey",
        "644 root:root /etc/systemd/system/latchkey.service",
      ]);
      expect(await sh("grep ^[^#] /etc/latchkey/latchkey.env")).toBe("PORT=80");
    });

    test("systemd's own analysis finds nothing wrong with it, and an exposure of 2.0 at most", async () => {
      expect(await sh("systemd-analyze verify /etc/systemd/system/latchkey.service 2>&1")).toBe("");
      const [, exposure = "10"] =
        /exposure level for latchkey.service: ([\d.]+)/.exec(
          await sh(`systemd-analyze security ${service} --no-pager`),
        ) ?? [];
      expect(Number(exposure)).toBeLessThanOrEqual(2);
    });

    test("run again it changes nothing, and restarts nothing", async () => {
      const pid = await show("MainPID");
      const again = JSON.parse(await sh("/usr/local/bin/latchkey install --json")) as {
        readonly steps: readonly { readonly action: string; readonly changed: boolean }[];
      };
      expect(again.steps.filter(({ action, changed }) => action !== "run" && changed)).toEqual([]);
      expect(await show("MainPID")).toBe(pid);
    });

    test("doctor finds no failure in it, as root", async () => {
      const { exitCode, stdout } = await root.run(["latchkey", "doctor", "--unit", "latchkey"]);
      expect({ exitCode, failures: stdout.match(/^failure.*/gm) }).toEqual({ exitCode: 0, failures: null });
    });

    test("after kill -9 it is there again, with every account and session", async () => {
      const pid = await show("MainPID");
      await sh(`kill -9 ${pid}`);
      await until(async () => (await show("ActiveState")) === "active" && (await show("MainPID")) !== pid);
      expect(await verify(cookie)).toBe(200);
    });

    test("one that stands still is ended by the watchdog, and is there again", async () => {
      await dropIn("watchdog", "WatchdogSec=2s");
      await sh(`systemctl restart ${service}`);
      const pid = await show("MainPID");
      await sh(`kill -STOP ${pid}`);
      await until(async () => (await show("MainPID")) !== pid && (await show("ActiveState")) === "active");
      expect(await sh(`journalctl --unit ${service} --output cat`)).toContain("Watchdog timeout");
      expect(await verify(cookie)).toBe(200);
    });

    test("a reload ends nothing", async () => {
      const pid = await show("MainPID");
      await sh(`systemctl reload ${service}`);
      expect([await show("MainPID"), await verify(cookie)]).toEqual([pid, 200]);
    });

    test("a secret is a credential, of which the environment and the disk of the service know nothing", async () => {
      const secret = await sh("umask 077; latchkey secret > /etc/latchkey/secret; cat /etc/latchkey/secret");
      await dropIn(
        "secret",
        "LoadCredential=secret:/etc/latchkey/secret\nEnvironment=BETTER_AUTH_SECRET_FILE=%d/secret",
      );
      await sh(`systemctl restart ${service}`);
      // Another secret than the one that was generated.
      expect(await verify(cookie)).toBe(401);
      const environment = await sh(
        `cat /proc/$(systemctl show --property=MainPID --value ${service})/environ`,
      );
      expect(environment).toContain(`BETTER_AUTH_SECRET_FILE=/run/credentials/${service}/secret`);
      expect(environment).not.toContain(secret);
      const { exitCode, stdout } = await root.run(["latchkey", "doctor", "--unit", "latchkey"]);
      expect({ exitCode, failures: stdout.match(/^failure.*/gm) }).toEqual({ exitCode: 0, failures: null });
      await sh(
        `rm /etc/systemd/system/${service}.d/secret.conf; systemctl daemon-reload; systemctl restart ${service}`,
      );
      expect(await verify(cookie)).toBe(200);
    });

    test("nothing that it does is kept from it: workers, hashes, backups, a Unix socket", async () => {
      // What is refused otherwise ends it here.
      await dropIn("strict", "SystemCallErrorNumber=kill");
      const settings = [
        "LATCHKEY_WORKERS=2",
        "LATCHKEY_LISTEN=unix:/run/latchkey/latchkey.sock",
        "LATCHKEY_BACKUP_DIR=/var/lib/latchkey/backups",
        "LATCHKEY_LIMITS=off",
      ];
      await sh(`latchkey install ${settings.map((one) => `--set ${one}`).join(" ")}`);
      expect(await show("StatusText")).toBe(
        "2 workers listening at http://127.0.0.1:80 for http://localhost",
      );
      const cookies = await Promise.all(
        Array.from({ length: 8 }, (_, at) => signUp(`user${at}@example.com`)),
      );
      expect(await Promise.all(cookies.map(verify))).toEqual(cookies.map(() => 200));
      expect(await sh("ls /run/latchkey")).toBe("latchkey.sock.1\nlatchkey.sock.2");
      await until(async () => (await sh("ls /var/lib/latchkey/backups 2>/dev/null || true")).includes(".db"));
      const pid = await show("MainPID");
      await sh(`systemctl reload ${service}`);
      await until(async () =>
        (await sh(`journalctl --unit ${service} --output cat`)).includes('"event":"restarted"'),
      );
      expect([await show("MainPID"), await verify(cookie)]).toEqual([pid, 200]);
      expect(await sh(`journalctl --unit ${service} --output cat`)).not.toMatch(
        /worker_ended|SIGSYS|status=31/,
      );
    });

    test("https by files is served on port 443, and a reload has it read them again", async () => {
      const settings = join(root.path, "etc/latchkey/latchkey.env");
      const own = readFileSync(settings, "utf8");
      const folder = join(root.path, "etc/latchkey/tls");
      const put = () => {
        const { cert, key } = makeCertificate(["DNS:localhost"]);
        for (const [name, text] of [
          ["cert.pem", cert],
          ["key.pem", key],
        ] as const) {
          writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
          renameSync(join(folder, `${name}.new`), join(folder, name));
        }
        return cert;
      };
      mkdirSync(folder);
      put();
      await sh("chown -R root:latchkey /etc/latchkey/tls; chmod -R g=rX,o= /etc/latchkey/tls");
      writeFileSync(settings, own.replace(/^PORT=80$/m, "PORT=443"));
      const files = ["CERT", "KEY"].map(
        (name) => `--set LATCHKEY_TLS_${name}_FILE=/etc/latchkey/tls/${name.toLowerCase()}.pem`,
      );
      await sh(
        `latchkey install --set BETTER_AUTH_URL=https://localhost --set LATCHKEY_WORKERS=1 ${files.join(" ")}`,
      );
      const served = async () => {
        const connect =
          "openssl s_client -connect 127.0.0.1:443 -servername localhost </dev/null 2>/dev/null | openssl x509 -fingerprint -noout";
        return Bun.spawnSync([...root.onItsNetwork, "sh", "-c", connect]).stdout.toString();
      };
      const before = await served();
      expect(before).toContain("Fingerprint=");
      put();
      await sh(
        "chown root:latchkey /etc/latchkey/tls/*; chmod 640 /etc/latchkey/tls/*; systemctl reload latchkey",
      );
      await until(async () => ![before, ""].includes(await served()));
      expect(await show("ActiveState")).toBe("active");
      writeFileSync(settings, own);
      await sh("rm -r /etc/latchkey/tls; systemctl restart latchkey");
      expect(await verify(cookie)).toBe(200);
    });

    test("one whose settings cannot be used stays down, and install says where to look", async () => {
      const settings = join(root.path, "etc/latchkey/latchkey.env");
      const own = readFileSync(settings, "utf8");
      writeFileSync(settings, `${own}DATABASE_URL=nothing\n`);
      expect((await root.run(["systemctl", "restart", service])).exitCode).toBe(1);
      expect([await show("ActiveState"), await show("ExecMainStatus"), await show("NRestarts")]).toEqual([
        "failed",
        "2",
        "0",
      ]);
      const failed = await root.run(["latchkey", "install"]);
      expect(failed.exitCode).toBe(1);
      expect(failed.stderr).toContain("Try: journalctl --unit latchkey --lines 20");
      expect(await sh("journalctl --unit latchkey --lines 20 --output cat")).toContain(
        "Error: DATABASE_URL: ",
      );
      writeFileSync(settings, own);
      await sh("latchkey install");
      expect(await verify(cookie)).toBe(200);
    });

    test("a unit that somebody has changed is left alone", async () => {
      const unit = join(root.path, "etc/systemd/system", service);
      const own = readFileSync(unit, "utf8");
      writeFileSync(unit, `${own}Environment=LATCHKEY_SIGN_UP=closed\n`);
      for (const command of ["install", "uninstall"]) {
        const refused = await root.run(["latchkey", command]);
        expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
        expect(refused.stderr).toContain("is not as latchkey install wrote it");
      }
      writeFileSync(unit, own);
    });

    test("uninstall removes nothing under a service that runs without its unit", async () => {
      const unit = join(root.path, "etc/systemd/system", service);
      const own = readFileSync(unit, "utf8");
      rmSync(unit);
      await sh("systemctl daemon-reload");
      const refused = await root.run(["latchkey", "uninstall", "--purge"]);
      writeFileSync(unit, own);
      await sh("systemctl daemon-reload");
      expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
      expect(refused.stderr).toContain("latchkey.service runs");
      expect(await verify(cookie)).toBe(200);
    });

    test("uninstall keeps accounts and settings, and an installation later goes on with them", async () => {
      expect(await sh("latchkey uninstall")).toEndWith(
        "Kept      /etc/latchkey, /var/lib/latchkey and the user they belong to",
      );
      expect(await root.run(["systemctl", "status", service])).toMatchObject({ exitCode: 4 });
      expect(
        await sh("ls /usr/local/bin /etc/systemd/system/multi-user.target.wants | grep latchkey || true"),
      ).toBe("");
      await sh("/root/latchkey install");
      expect(await verify(cookie)).toBe(200);
    });

    test("uninstall --purge leaves nothing of it", async () => {
      await sh("latchkey uninstall --purge");
      const left =
        "find / -xdev -not -path '/proc/*' -not -path '/root/*' -not -path '/var/log/*' -name '*latchkey*'";
      expect(await sh(left)).toBe("");
      expect(await root.run(["id", "latchkey"])).toMatchObject({ exitCode: 1 });
    });
  },
);
