import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "./certificate.ts";
import { freePort } from "./free-port.ts";
import { once, temporaryDirectory, watchProcess } from "./reaper.ts";

/** Let's Encrypt's test server, and its name server, by whose answers every name is this machine. */
const version = "v2.10.1";
const programs = ["pebble", "pebble-challtestsrv"] as const;

/** Why Pebble cannot be had here; null where it can. */
export const pebbleMissing: string | null = Bun.which("go") === null ? "go is not installed" : null;

export interface Pebble {
  /** Of its directory. */
  readonly url: string;
  /** The file of the certificate that its directory shows. */
  readonly caFile: string;
  /** Where it asks HTTP-01's questions. */
  readonly httpPort: number;
  /** The root, in PEM, that its certificates lead to. */
  root(): Promise<string>;
  /** What it wrote. */
  log(): string;
  stop(): Promise<void>;
}

export interface PebbleOptions {
  /** Of its certificates; default 90 days. */
  readonly validSeconds?: number;
  /** By default any that is free. */
  readonly httpPort?: number;
  /**
   * After how long it says that an order may be looked at again, in seconds to every other client and as a date to the
   * others; 0 does not say. Default 1.
   */
  readonly retryAfterSeconds?: number;
  /** A program that starts it, with its arguments, such as one that goes to another network. */
  readonly within?: readonly string[];
  /** To come back after a stop: with the same port and certificate, as another authority. */
  readonly like?: Pebble;
}

/** Built once a machine, by the Go proxy. */
const build = once(async () => {
  const folder = join(
    process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
    "latchkey",
    `pebble-${version}`,
  );
  if (programs.every((program) => existsSync(join(folder, program)))) return folder;
  mkdirSync(folder, { recursive: true });
  const modules = programs.map((program) => `github.com/letsencrypt/pebble/v2/cmd/${program}@${version}`);
  const child = Bun.spawn(["go", "install", ...modules], {
    env: { ...process.env, GOBIN: folder, GOFLAGS: "-modcacherw" },
    stdout: "ignore",
    stderr: "pipe",
  });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`go install: ${said}`);
  return folder;
});

export async function startPebble({
  validSeconds = 7_776_000,
  retryAfterSeconds = 1,
  within = [],
  ...options
}: PebbleOptions = {}): Promise<Pebble> {
  const folder = await build();
  const work = temporaryDirectory("pebble");
  const httpPort = options.httpPort ?? options.like?.httpPort ?? freePort();
  const port = options.like === undefined ? freePort() : Number(new URL(options.like.url).port);
  const [managementPort, namesPort, namesManagementPort] = [freePort(), freePort(), freePort()];
  const own = options.like === undefined ? makeCertificate(["DNS:localhost", "IP:127.0.0.1"]) : null;
  const caFile = own?.path ?? options.like?.caFile ?? "";
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: caFile,
      privateKey: caFile.replace("cert.pem", "key.pem"),
      httpPort,
      tlsPort: freePort(),
      ocspResponderURL: "",
      externalAccountBindingRequired: false,
      domainBlocklist: ["refused.latchkey.test"],
      retryAfter: { authz: retryAfterSeconds, order: retryAfterSeconds },
      profiles: { default: { description: "tests", validityPeriod: validSeconds } },
    },
  };
  const configFile = join(work, "config.json");
  await Bun.write(configFile, JSON.stringify(config));
  let log = "";
  const run = (program: (typeof programs)[number], ...args: readonly string[]) => {
    const child = Bun.spawn([...within, join(folder, program), ...args], {
      // As quick as may be, and every twentieth nonce is refused, which is to be tried again.
      env: { PATH: process.env["PATH"] ?? "", PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "5" },
      stdout: "pipe",
      stderr: "pipe",
    });
    watchProcess(child.pid, "KILL");
    for (const stream of [child.stdout, child.stderr])
      void (async () => {
        for await (const chunk of stream) log += new TextDecoder().decode(chunk);
      })();
    return child;
  };
  const names = run(
    "pebble-challtestsrv",
    "-defaultIPv6=",
    "-http01=",
    "-https01=",
    "-tlsalpn01=",
    "-doh=",
    `-dnsserver=127.0.0.1:${namesPort}`,
    `-management=127.0.0.1:${namesManagementPort}`,
  );
  const authority = run("pebble", "-config", configFile, "-dnsserver", `127.0.0.1:${namesPort}`);
  const url = `https://localhost:${port}/dir`;
  /** By curl, which another network's program can start too. @returns null where nobody answers. */
  const get = async (address: string) => {
    const child = Bun.spawn([...within, "curl", "--silent", "--fail", "--cacert", caFile, address]);
    const said = await child.stdout.text();
    return (await child.exited) === 0 ? said : null;
  };
  for (let tried = 1; ; tried += 1) {
    if ((await get(url)) !== null) break;
    if (tried === 200) throw new Error(`Pebble does not answer:\n${log}`);
    await Bun.sleep(50);
  }
  return {
    url,
    caFile,
    httpPort,
    root: async () => (await get(`https://localhost:${managementPort}/roots/0`)) ?? "",
    log: () => log,
    async stop() {
      for (const child of [authority, names]) child.kill("SIGKILL");
      await Promise.all([authority.exited, names.exited]);
    },
  };
}
