import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { debianProgram } from "./debian.ts";
import { freePort } from "./free-port.ts";
import { spawnProxy } from "./proxy.ts";
import { projectDirectory } from "./readme.ts";
import { forgetProcess, temporaryDirectory } from "./reaper.ts";
import { traefikCommand } from "./traefik.ts";

export type DeployedProxyName = "nginx" | "caddy" | "haproxy" | "traefik";
type Host = "auth.example.com" | "tools.example.com";

/** What stands in the files of deploy/ for this machine's: nothing else of them is changed. */
export interface Places {
  /** Instead of `127.0.0.1:3001`. */
  readonly latchkey: string;
  /** Instead of `127.0.0.1:8080`. */
  readonly program: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** The visitor's address, one of 127.0.0.0/8; default 127.0.0.1. */
  readonly from?: string;
}

/** A proxy that runs on files of deploy/. */
export interface DeployedProxy {
  /** Asks over https, with the certificate checked, on a connection of its own. */
  ask(host: Host, path: string, asked?: Asked): Promise<Response>;
  /** Asks over plain http, as a browser does that was told no scheme. */
  askPlain(host: Host, path: string): Promise<Response>;
  /** Opens a WebSocket at the program by hand, sends a text frame and reads one. */
  echo(headers: Readonly<Record<string, string>>, text: string): Promise<string>;
  /** Where it takes https, and what its certificate is checked with. */
  readonly port: number;
  readonly plainPort: number;
  readonly ca: string;
  stop(): Promise<void>;
}

/** The program's command, or the reason why it is not to be had here. */
export async function deployedCommand(name: DeployedProxyName): Promise<readonly string[] | string> {
  const program = { nginx: "usr/sbin/nginx", caddy: "usr/bin/caddy", haproxy: "usr/sbin/haproxy" };
  try {
    if (name === "traefik") return await traefikCommand();
    return (await debianProgram({ suite: "trixie", name, program: program[name] })).command;
  } catch (error) {
    return String(error);
  }
}

export function readDeployed(path: string): string {
  return readFileSync(join(projectDirectory, "deploy", path), "utf8");
}

interface Here extends Places {
  readonly directory: string;
  readonly http: number;
  readonly https: number;
  readonly certificate: Certificate;
  readonly change: (text: string) => string;
}

const names: readonly Host[] = ["auth.example.com", "tools.example.com"];

/**
 * Starts a proxy in front of latchkey, and asking it for the program.
 * @param change spoils its files, for tests that want them wrong. @throws when it does not start.
 */
export async function startDeployed(
  name: DeployedProxyName,
  command: readonly string[],
  places: Places,
  certificate: Certificate = makeCertificate(names.map((one) => `DNS:${one}`)),
  change: (text: string) => string = (text) => text,
): Promise<DeployedProxy> {
  const directory = temporaryDirectory(name);
  chmodSync(directory, 0o755);
  // A port that was free may be somebody else's by the time that it is taken.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const here = { ...places, directory, http: freePort(), https: freePort(), certificate, change };
    const child = spawnProxy([...command, ...write[name](here)], directory);
    const stop = async () => {
      child.kill("SIGKILL");
      await child.exited;
      forgetProcess(child.pid);
    };
    if (await answers(here.https, child, name === "caddy" ? null : certificate.cert)) {
      const ca = name === "caddy" ? await caddyRoot(directory) : certificate.cert;
      return { ...clientOf(here, ca), stop };
    }
    await stop();
  }
  throw new Error(`${name} does not start`);
}

/** Each writes the files of deploy/ with this machine's places, and returns the program's arguments. */
const write: Readonly<Record<DeployedProxyName, (here: Here) => readonly string[]>> = {
  nginx({ directory, http, https, certificate, ...places }) {
    const key = join(directory, "key.pem");
    writeFileSync(key, certificate.key);
    const sites = ["latchkey.conf", "tools.conf"].map((file) =>
      moved(readDeployed(`nginx/${file}`), places)
        .replaceAll(/listen (\[::\]:)?80;/g, `listen $1${http};`)
        .replaceAll(/listen (\[::\]:)?443 ssl;/g, `listen $1${https} ssl;`)
        .replaceAll(/\/etc\/letsencrypt\/live\/[\w.]+\/fullchain\.pem/g, certificate.path)
        .replaceAll(/\/etc\/letsencrypt\/live\/[\w.]+\/privkey\.pem/g, key),
    );
    // What stands around conf.d in Debian's nginx.conf.
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (one) => `${one}_temp_path ${directory}/${one};`,
    );
    writeFileSync(
      join(directory, "nginx.conf"),
      [
        ...(process.getuid?.() === 0 ? ["user root;"] : []),
        `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;`,
        `events { worker_connections 1024; }`,
        `http { access_log off; ${temporary.join(" ")}`,
        ...sites,
        "}",
      ].join("\n"),
    );
    return ["-c", join(directory, "nginx.conf")];
  },
  caddy({ directory, http, https, certificate: _certificate, ...places }) {
    const own = [
      "{",
      "admin off",
      "local_certs",
      "skip_install_trust",
      `http_port ${http}`,
      `https_port ${https}`,
      "}",
    ];
    const sites = ["Caddyfile", "tools.Caddyfile"].map((file) =>
      moved(readDeployed(`caddy/${file}`), places),
    );
    writeFileSync(join(directory, "Caddyfile"), `${own.join("\n")}\n${sites.join("\n")}`);
    return ["run", "--config", join(directory, "Caddyfile"), "--adapter", "caddyfile"];
  },
  haproxy({ directory, http, https, certificate, ...places }) {
    const certificates = join(directory, "certs");
    mkdirSync(certificates, { recursive: true });
    writeFileSync(join(certificates, "example.com.pem"), certificate.cert + certificate.key);
    writeFileSync(join(directory, "latchkey.lua"), readDeployed("haproxy/latchkey.lua"));
    const file = join(directory, "haproxy.cfg");
    writeFileSync(
      file,
      moved(readDeployed("haproxy/haproxy.cfg"), places)
        .replaceAll("/etc/haproxy", directory)
        // Who may open its ports is set here.
        .replaceAll(/^ {4}(?:user|group) haproxy\n/gm, "")
        .replace("bind :80\n", `bind :${http}\n`)
        .replace("bind :443 ", `bind :${https} `),
    );
    return ["-db", "-f", file];
  },
  traefik({ directory, http, https, certificate, ...places }) {
    const dynamic = join(directory, "dynamic");
    mkdirSync(dynamic, { recursive: true });
    const ask = `127.0.0.1:${freePort()}`;
    for (const file of ["latchkey.yml", "tools.yml"])
      writeFileSync(
        join(dynamic, file),
        moved(readDeployed(`traefik/${file}`), places).replaceAll("127.0.0.1:3002", ask),
      );
    const [certFile, keyFile] = [join(directory, "cert.pem"), join(directory, "key.pem")];
    writeFileSync(certFile, certificate.cert);
    writeFileSync(keyFile, certificate.key);
    // One that is there is not asked for by ACME.
    writeFileSync(
      join(dynamic, "certificates.yml"),
      JSON.stringify({ tls: { certificates: [{ certFile, keyFile }] } }),
    );
    const file = join(directory, "traefik.yml");
    writeFileSync(
      file,
      readDeployed("traefik/traefik.yml")
        .replaceAll('":80"', `":${http}"`)
        .replaceAll('":443"', `":${https}"`)
        .replaceAll("127.0.0.1:3002", ask)
        .replaceAll("/etc/traefik/dynamic", dynamic)
        .replaceAll("/var/lib/traefik/acme.json", join(directory, "acme.json")),
    );
    return [`--configFile=${file}`];
  },
};

function moved(text: string, { latchkey, program, change }: Places & Pick<Here, "change">): string {
  return change(text).replaceAll("127.0.0.1:3001", latchkey).replaceAll("127.0.0.1:8080", program);
}

/** Until it takes connections, under its own certificate: Traefik has another until it has read its files. */
async function answers(port: number, child: Bun.Subprocess, ca: string | null): Promise<boolean> {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const takes = await new Promise<boolean>((resolve) => {
      const socket = connect(
        {
          host: "127.0.0.1",
          port,
          servername: "auth.example.com",
          ...(ca === null ? { rejectUnauthorized: false } : { ca }),
        },
        () => {
          socket.destroy();
          resolve(true);
        },
      );
      socket.on("error", () => resolve(false));
    });
    if (takes) return true;
    await Bun.sleep(50);
  }
  return false;
}

/** Of `tls internal`. */
async function caddyRoot(home: string): Promise<string> {
  return await Bun.file(join(home, ".local/share/caddy/pki/authorities/local/root.crt")).text();
}

function clientOf({ http, https }: Here, ca: string): Omit<DeployedProxy, "stop"> {
  return {
    port: https,
    plainPort: http,
    ca,
    ask: (host, path, { method = "GET", headers = {}, body, from = "127.0.0.1" } = {}) =>
      new Promise((resolve, reject) => {
        const options = {
          host: "127.0.0.1",
          port: https,
          path,
          method,
          servername: host,
          ca,
          agent: false as const,
          localAddress: from,
          headers: {
            host,
            connection: "close",
            ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
            ...headers,
          },
        };
        const outgoing = request(options, (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () => {
            const received = new Headers();
            for (let at = 0; at < answer.rawHeaders.length; at += 2)
              received.append(answer.rawHeaders[at] ?? "", answer.rawHeaders[at + 1] ?? "");
            const status = answer.statusCode ?? 0;
            const empty = [204, 304].includes(status) || method === "HEAD";
            resolve(new Response(empty ? null : Buffer.concat(chunks), { status, headers: received }));
          });
        });
        outgoing.on("error", reject);
        outgoing.end(body);
      }),
    askPlain: (host, path) =>
      fetch(`http://127.0.0.1:${http}${path}`, { headers: { host }, redirect: "manual", keepalive: false }),
    echo: (headers, text) => echoOver(https, ca, headers, text),
  };
}

/** RFC 6455 with one short text frame each way. */
async function echoOver(
  port: number,
  ca: string,
  headers: Readonly<Record<string, string>>,
  text: string,
): Promise<string> {
  const host = "tools.example.com";
  const lines = [
    "GET /socket HTTP/1.1",
    `Host: ${host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${Buffer.from("0123456789abcdef").toString("base64")}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return await new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let isOpen = false;
    const socket = connect(
      { host: "127.0.0.1", port, servername: host, ca, ALPNProtocols: ["http/1.1"] },
      () => socket.write(`${lines.join("\r\n")}\r\n\r\n`),
    );
    const end = (said: string) => {
      socket.destroy();
      resolve(said);
    };
    socket.on("error", reject);
    socket.on("close", () => end(`closed after ${received.toString("latin1")}`));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const head = received.indexOf("\r\n\r\n");
      if (!isOpen && head !== -1) {
        const status = received.toString("latin1", 0, received.indexOf("\r\n"));
        if (!status.startsWith("HTTP/1.1 101")) return end(status);
        received = received.subarray(head + 4);
        isOpen = true;
        // Masked with zeros, which change nothing.
        socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
      }
      if (isOpen && received.length >= 2 && received.length >= 2 + (received[1] ?? 0))
        end(received.toString("utf8", 2, 2 + (received[1] ?? 0)));
    });
  });
}
