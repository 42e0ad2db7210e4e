import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { load } from "../config/load.ts";
import { makeCertificate } from "../support/certificate.ts";
import { buildExecutable, spawnLatchkey } from "../support/executable.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const { blocks } = readDocument("docs/https.md");
const blockOf = (marker: string) => blocks.find((block) => block.marker === marker)?.code ?? "";
const settingsOf = (marker: string) =>
  Object.fromEntries(
    blockOf(marker)
      .trim()
      .split("\n")
      .map((line) => line.split("=", 2) as [string, string]),
  );

test.each([
  [
    "settings: acme",
    { by: "acme", httpPort: 80, directory: expect.stringContaining("//acme-v02.api.letsencrypt.org/") },
  ],
  [
    "settings: staging",
    { by: "acme", directory: expect.stringContaining("//acme-staging-v02.api.letsencrypt.org/") },
  ],
  [
    "settings: private",
    {
      by: "acme",
      directory: "https://ca.corp.example/acme/acme/directory",
      caFile: "/etc/latchkey/corp-root.pem",
      email: "admin@corp.example",
    },
  ],
  ["settings: files", { by: "files", httpPort: 80, certFile: "/etc/latchkey/tls/cert.pem" }],
])("the page's %s can be used, and listen where every browser asks", (marker, tls) => {
  const { config, warnings } = load(settingsOf(marker));
  expect(config).toMatchObject({ host: expect.stringMatching(/^(?:::|0\.0\.0\.0)$/), port: 443, tls });
  expect(warnings).toEqual([]);
});

test("the page's hook for certbot hands a certificate on, for latchkey's group to read", () => {
  const folder = temporaryDirectory("certbot");
  const { cert, path } = makeCertificate(["DNS:auth.example.com"]);
  const lineage = join(folder, "live");
  mkdirSync(lineage);
  writeFileSync(join(lineage, "fullchain.pem"), cert);
  writeFileSync(join(lineage, "privkey.pem"), readFileSync(path.replace("cert.pem", "key.pem")));
  const own = { user: String(process.geteuid?.()), group: String(process.getegid?.()) };
  const script = blockOf("script: certbot hook")
    .replaceAll("/etc/latchkey", folder)
    .replaceAll("-o root -g latchkey", `-o ${own.user} -g ${own.group}`);
  const file = join(folder, "hook");
  writeFileSync(file, script, { mode: 0o755 });
  const run = Bun.spawnSync([file], { env: { PATH: process.env["PATH"] ?? "", RENEWED_LINEAGE: lineage } });
  expect({ exitCode: run.exitCode, stderr: run.stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  const [handed, key] = [join(folder, "tls", "cert.pem"), join(folder, "tls", "key.pem")];
  expect(readFileSync(handed, "utf8")).toBe(cert);
  expect(existsSync(key) && statSync(key).mode & 0o777).toBe(0o640);
});

test("certbot's first certificate is handed on by hand, as its hook does later", () => {
  const [first = "", makeExecutable = "", hand = "", ...rest] = blockOf("commands: certbot")
    .trim()
    .split("\n");
  const [, hook = ""] =
    /hook, `([^`]+)`/.exec(readDocument("docs/https.md").text.replaceAll("\n", " ")) ?? [];
  const [, name = ""] = /^certbot certonly --standalone -d (\S+)$/.exec(first) ?? [];
  expect([rest, hook === "", name === ""]).toEqual([[], false, false]);
  const folder = temporaryDirectory("first");
  const { cert, path } = makeCertificate([`DNS:${name}`]);
  const lineage = `/etc/letsencrypt/live/${name}`;
  mkdirSync(join(folder, lineage), { recursive: true });
  mkdirSync(join(folder, hook, ".."), { recursive: true });
  writeFileSync(join(folder, lineage, "fullchain.pem"), cert);
  copyFileSync(path.replace("cert.pem", "key.pem"), join(folder, lineage, "privkey.pem"));
  const script = blockOf("script: certbot hook")
    .replaceAll("/etc/latchkey", folder)
    .replaceAll("-o root -g latchkey", `-o ${process.geteuid?.()} -g ${process.getegid?.()}`);
  writeFileSync(join(folder, hook), script, { mode: 0o644 });
  const code = `${makeExecutable}\n${hand}`.replaceAll("/etc/letsencrypt", join(folder, "etc/letsencrypt"));
  const run = Bun.spawnSync(["sh", "-eu", "-c", code], { env: { PATH: process.env["PATH"] ?? "" } });
  expect({ exitCode: run.exitCode, stderr: run.stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  expect(readFileSync(join(folder, "tls", "cert.pem"), "utf8")).toBe(cert);
});

const lowestFree = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
const [port, nobody] = [443, "65534"];
/** Root's, in whose path the programs of administrators are. */
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
const missing = [
  ...["setcap", "setpriv"].filter((program) => Bun.which(program, { PATH }) === null),
  ...(process.geteuid?.() === 0 ? [] : ["root"]),
  ...(existsSync(lowestFree) && Number(readFileSync(lowestFree, "utf8")) > port
    ? []
    : ["a port that is root's"]),
];

test.skipIf(missing.length > 0)(
  `the page's command lets nobody else but root's executable take port ${port}${missing.length === 0 ? "" : ` (missing: ${missing.join(", ")})`}`,
  async () => {
    const folder = temporaryDirectory("setcap");
    chmodSync(folder, 0o755);
    const executable = join(folder, "latchkey");
    copyFileSync(await buildExecutable(), executable);
    chmodSync(executable, 0o755);
    const home = join(folder, "home");
    mkdirSync(home);
    Bun.spawnSync(["chown", nobody, home]);
    // An address of this machine's own that nothing else listens on.
    const start = () =>
      spawnLatchkey({
        env: { HOST: "127.83.29.7", PORT: String(port), LATCHKEY_DATA_DIR: home },
        executable: Bun.which("setpriv", { PATH }) ?? "",
        args: [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", executable],
        cwd: home,
      });
    await expect(start()).rejects.toThrow(
      `port ${port} may not be opened by this user\nTry: set PORT to one above 1023, or give the right to lower ones`,
    );
    const command = blockOf("commands: capability").trim().replace("/usr/local/bin/latchkey", executable);
    const [program = "", ...args] = command.split(" ");
    expect(Bun.spawnSync([Bun.which(program, { PATH }) ?? program, ...args]).exitCode).toBe(0);
    const server = await start();
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(await server.stop()).toBe(0);
  },
);
