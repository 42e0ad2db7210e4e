import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { writeDeb } from "../../release/deb.ts";
import { launchBrowser } from "../support/browser.ts";
import { readDeployed } from "../support/deployed-proxy.ts";
import { buildExecutable } from "../support/executable.ts";
import { buildNext, downloadOf, nextVersion, releaseKey } from "../support/next-release.ts";
import { type Pebble, pebbleMissing, startPebble } from "../support/pebble.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { type BootedRoot, boot, copyIn, makeRoot, run, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(300_000);

const missing = whyNoRoot() ?? pebbleMissing;
const title = (text: string) => `${text}${missing === null ? "" : ` (${missing})`}`;

const host = "auth.example.com";
const origin = `https://${host}`;
const email = "ann@example.com";
const password = "correct horse battery";
const envFile = "/etc/latchkey/latchkey.env";
const issuers = "/etc/latchkey/issuers.pem";

/** A server in a data centre, and somebody at home with a browser: one Debian root on a network of its own. */
class Machine {
  private constructor(
    readonly root: BootedRoot,
    readonly pebble: Pebble,
  ) {}

  static async open(files: Readonly<Record<string, string>>, packages: readonly string[] = []) {
    const still = await makeRoot({ packages });
    for (const [to, from] of Object.entries(files)) copyIn(still, from, to, 0o755);
    writeFileSync(join(still.path, "etc/hosts"), `127.0.0.1 localhost ${host}\n::1 localhost\n`);
    // Whoever installs one of them has it in front from then on; here each has its turn.
    for (const name of ["nginx", "caddy"]) await run(still, ["systemctl", "disable", name]);
    const root = await boot(still);
    const pebble = await startPebble({
      httpPort: 80,
      // Debian's Caddy 2.6 takes a date for an error, and tries again a minute later.
      retryAfterSeconds: 0,
      within: root.onItsNetwork,
    });
    const machine = new Machine(root, pebble);
    await machine.sh("mkdir -p /etc/latchkey");
    machine.write("/etc/latchkey/pebble.pem", readFileSync(pebble.caFile, "utf8"));
    machine.write(issuers, await pebble.root());
    return machine;
  }

  /** The lines that a machine with a public name does without. */
  get settings(): Readonly<Record<string, string>> {
    return {
      BETTER_AUTH_URL: origin,
      LATCHKEY_TLS: "acme",
      LATCHKEY_ACME_DIRECTORY: this.pebble.url,
      LATCHKEY_ACME_CA_FILE: "/etc/latchkey/pebble.pem",
    };
  }

  /** @returns what it printed; throws where it fails. */
  async sh(command: string, { stdin }: { readonly stdin?: string } = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.root.run(
      ["sh", "-ec", `cd /root; ${command}`],
      stdin === undefined ? {} : { stdin },
    );
    if (exitCode !== 0) throw new Error(`${command}: ${exitCode}\n${stdout}${stderr}\n${await this.log()}`);
    return stdout.trim();
  }

  async log(): Promise<string> {
    return (await this.root.run(["journalctl", "--no-pager", "--output=cat", "--lines=40"])).stdout;
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.root.path, path), text);
  }

  /** As by an editor: what somebody wrote there before is gone. */
  async set(settings: Readonly<Record<string, string>>): Promise<void> {
    this.write(
      envFile,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    await this.sh("systemctl restart latchkey");
  }

  /** The chain that port 443 shows, leaf first; empty where nobody answers. */
  async chain(): Promise<readonly X509Certificate[]> {
    const child = Bun.spawn(
      [
        ...this.root.onItsNetwork,
        "openssl",
        "s_client",
        "-connect",
        "127.0.0.1:443",
        "-servername",
        host,
        "-showcerts",
      ],
      { stdin: "ignore", stderr: "ignore" },
    );
    const said = await child.stdout.text();
    return (said.match(/-----BEGIN CERTIFICATE[^]*?END CERTIFICATE-----/g) ?? []).map(
      (pem) => new X509Certificate(pem),
    );
  }

  async untilSecured(): Promise<void> {
    for (let tried = 0; tried < 300; tried += 1) {
      if ((await this.chain()).length > 1) return;
      await Bun.sleep(100);
    }
    throw new Error(`no certificate within 30 s\n${await this.log()}`);
  }

  /** A browser that trusts what this authority has signed, and no other mistake. */
  async browser(): Promise<Browser> {
    const [, issuer] = await this.chain();
    if (issuer === undefined) throw new Error("there is no chain");
    const key = issuer.publicKey.export({ type: "spki", format: "der" });
    const pin = new Bun.CryptoHasher("sha256").update(key).digest("base64");
    return await launchBrowser({
      within: this.root.onItsNetwork,
      args: [`--host-resolver-rules=MAP ${host} 127.0.0.1`, `--ignore-certificate-errors-spki-list=${pin}`],
    });
  }

  /** What `doctor --url` finds wrong, a line each. */
  async doctor(): Promise<readonly string[]> {
    const { stdout } = await this.root.run([
      "latchkey",
      "doctor",
      "--url",
      origin,
      "--ca-file",
      issuers,
      "--json",
    ]);
    const { checks } = JSON.parse(stdout) as {
      checks: readonly { name: string; status: string; message?: string }[];
    };
    expect(checks.length).toBeGreaterThan(10);
    return checks.filter(({ status }) => status !== "ok").map((check) => JSON.stringify(check));
  }

  async version(): Promise<string> {
    return (await this.sh("latchkey version")).replace("latchkey ", "");
  }

  async close(): Promise<void> {
    await this.pebble.stop();
    await this.root.stop();
  }
}

/** Somebody at home, from one version and one proxy to the next. */
class Visitor {
  #browser: Browser | undefined;
  #context: BrowserContext | undefined;

  async page(machine: Machine): Promise<Page> {
    this.#browser ??= await machine.browser();
    this.#context ??= await this.#browser.newContext();
    return this.#context.pages()[0] ?? (await this.#context.newPage());
  }

  async signUp(machine: Machine): Promise<void> {
    const page = await this.page(machine);
    await page.goto(`${origin}/signup?callbackUrl=/account`);
    await page.getByLabel("Name").fill("Ann");
    await page.getByLabel("Email").fill(email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.waitForURL(`${origin}/account`);
  }

  /** Out, and in again. */
  async signIn(machine: Machine): Promise<void> {
    const page = await this.page(machine);
    await page.context().clearCookies();
    await page.goto(`${origin}/signin?callbackUrl=/account`);
    await page.getByLabel("Email").fill(email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${origin}/account`);
    expect(await this.isSignedIn(machine)).toBe(true);
  }

  async isSignedIn(machine: Machine): Promise<boolean> {
    const page = await this.page(machine);
    return (await page.goto(`${origin}/api/auth/verify`))?.status() === 200;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }
}

describe.skipIf(missing !== null)(title("a fresh Debian, the file and `latchkey install`"), () => {
  let machine: Machine;
  const visitor = new Visitor();

  beforeAll(async () => {
    const next = await downloadOf(await buildNext());
    machine = await Machine.open(
      {
        "/root/latchkey": await buildExecutable(),
        "/root/release/latchkey-next": next,
        "/root/release/SHA256SUMS": join(next, "..", "SHA256SUMS"),
        "/root/release/SHA256SUMS.minisig": join(next, "..", "SHA256SUMS.minisig"),
      },
      ["nginx-light", "caddy"],
    );
    const name = next.split("/").at(-1) ?? "";
    await machine.sh(`mv release/latchkey-next release/${name}; ln -s ${name} release/next`);
    machine.write(
      "/root/release/latchkey.pub",
      `untrusted comment: of this release\n${releaseKey().publicKey}\n`,
    );
  });
  afterAll(async () => {
    await visitor.close();
    await machine.close();
  });

  test("has neither Bun nor Node nor a compiler", async () => {
    for (const program of ["bun", "node", "gcc", "cc", "go", "python3"])
      expect((await machine.root.run(["which", program])).exitCode).toBe(1);
  });

  test("one command, and https answers with the authority's certificate", async () => {
    const set = Object.entries(machine.settings).map(([name, value]) => `--set ${name}=${value}`);
    await machine.sh(`./latchkey install ${set.join(" ")}`);
    expect(await machine.sh("systemctl is-active latchkey")).toBe("active");
    await machine.untilSecured();
    expect((await machine.chain())[0]?.subjectAltName).toBe(`DNS:${host}`);
  });

  test("somebody signs up and in by a browser, through nothing but latchkey", async () => {
    await visitor.signUp(machine);
    await visitor.signIn(machine);
  });

  test("doctor --url finds nothing wrong", async () => expect(await machine.doctor()).toEqual([]));

  test("an upgrade that fails after its migration is rolled back, and nobody is signed out", async () => {
    await machine.set({ ...machine.settings, NEXT_FAILS: "after migration" });
    await machine.untilSecured();
    const failed = await machine.root.run([
      "latchkey",
      "upgrade",
      "--from",
      await machine.sh("readlink -f release/next"),
      "--key",
      "/root/release/latchkey.pub",
    ]);
    expect([failed.exitCode, failed.stderr]).toEqual([1, expect.stringContaining("Error:")]);
    expect(await machine.version()).toBe("0.1.0");
    await machine.untilSecured();
    expect(await visitor.isSignedIn(machine)).toBe(true);
  });

  test("one that works migrates, and nobody is signed out", async () => {
    await machine.set(machine.settings);
    await machine.sh("latchkey upgrade --from $(readlink -f release/next) --key release/latchkey.pub");
    expect(await machine.version()).toBe(nextVersion);
    await machine.untilSecured();
    expect(await visitor.isSignedIn(machine)).toBe(true);
    await visitor.signIn(machine);
    expect(await machine.doctor()).toEqual([]);
  });

  test("nginx in front, by deploy/nginx: a sign-in, and doctor --url finds nothing wrong", async () => {
    await machine.sh(
      `pem=$(find /var/lib/latchkey/acme -name ${host}.pem); mkdir -p /etc/letsencrypt/live/${host}; cp $pem /etc/letsencrypt/live/${host}/fullchain.pem; cp $pem /etc/letsencrypt/live/${host}/privkey.pem; rm -f /etc/nginx/sites-enabled/*`,
    );
    await machine.set({ BETTER_AUTH_URL: origin });
    // Debian 12 has nginx 1.22: as the file says of those.
    const configuration = readDeployed("nginx/latchkey.conf")
      .replace(/^ *http2 on;.*\n/m, "")
      .replaceAll("443 ssl;", "443 ssl http2;");
    machine.write("/etc/nginx/conf.d/latchkey.conf", configuration);
    await machine.sh("systemctl start nginx");
    expect(await visitor.isSignedIn(machine)).toBe(true);
    await visitor.signIn(machine);
    expect(await machine.doctor()).toEqual([]);
    await machine.sh("systemctl stop nginx");
  });

  test("Caddy in front, by deploy/caddy, with a certificate of its own: a sign-in, and doctor --url finds nothing wrong", async () => {
    const { LATCHKEY_ACME_DIRECTORY: directory, LATCHKEY_ACME_CA_FILE: ca } = machine.settings;
    machine.write(
      "/etc/caddy/Caddyfile",
      `{\n\tacme_ca ${directory}\n\tacme_ca_root ${ca}\n}\n\n${readDeployed("caddy/Caddyfile")}`,
    );
    await machine.sh("systemctl start caddy");
    await machine.untilSecured();
    expect(await visitor.isSignedIn(machine)).toBe(true);
    await visitor.signIn(machine);
    expect(await machine.doctor()).toEqual([]);
    await machine.sh("systemctl stop caddy");
  });

  test("latchkey uninstall keeps the accounts, and an install brings them back", async () => {
    await machine.sh("cp /usr/local/bin/latchkey /root/kept; latchkey uninstall");
    expect((await machine.root.run(["systemctl", "is-active", "latchkey"])).exitCode).not.toBe(0);
    const set = Object.entries(machine.settings).map(([name, value]) => `--set ${name}=${value}`);
    await machine.sh(`/root/kept install ${set.join(" ")}`);
    await machine.untilSecured();
    expect(await visitor.isSignedIn(machine)).toBe(true);
  });
});

describe.skipIf(missing !== null)(title("a fresh Debian and the package"), () => {
  let machine: Machine;
  const visitor = new Visitor();

  beforeAll(async () => {
    const folder = temporaryDirectory("debs");
    machine = await Machine.open({
      "/root/latchkey.deb": writeDeb(await buildExecutable(), folder, "0.1.0", "amd64", {
        compression: "gzip",
      }),
      "/root/next.deb": writeDeb(await buildNext(), folder, nextVersion, "amd64", { compression: "gzip" }),
    });
  });
  afterAll(async () => {
    await visitor.close();
    await machine.close();
  });

  test("is installed, and has https by two settings", async () => {
    await machine.sh("dpkg --install latchkey.deb");
    await machine.set(machine.settings);
    await machine.untilSecured();
    expect((await machine.chain())[0]?.subjectAltName).toBe(`DNS:${host}`);
  });

  test("somebody signs up and in by a browser, and doctor --url finds nothing wrong", async () => {
    await visitor.signUp(machine);
    await visitor.signIn(machine);
    expect(await machine.doctor()).toEqual([]);
  });

  test("the next package migrates, and nobody is signed out", async () => {
    await machine.sh("dpkg --force-confold --install next.deb");
    expect(await machine.version()).toBe(nextVersion);
    await machine.untilSecured();
    expect(await visitor.isSignedIn(machine)).toBe(true);
    await visitor.signIn(machine);
  });
});
