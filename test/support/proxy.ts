import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian.ts";
import { readDocument } from "./readme.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";

export type ProxyName = "caddy" | "nginx";

/** A proxy that runs. */
export interface RunningProxy {
  /** Asks auth.example.com, on a connection of its own. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

/** The program's command, or the reason why it is not to be had here. */
export async function proxyCommand(name: ProxyName): Promise<readonly string[] | string> {
  const program = name === "caddy" ? "usr/bin/caddy" : "usr/sbin/nginx";
  try {
    return (await debianProgram({ suite: "bookworm", name, program })).command;
  } catch (error) {
    return String(error);
  }
}

/**
 * Starts a proxy by a block of docs/proxies.md.
 * @param marker of the block, without the proxy's name.
 * @param places what stands in the block for latchkey, and what it is here.
 */
export async function startProxy(
  name: ProxyName,
  command: readonly string[],
  marker: string,
  places: Readonly<Record<string, string>>,
): Promise<RunningProxy> {
  const directory = temporaryDirectory(name);
  chmodSync(directory, 0o755);
  const block =
    readDocument("docs/proxies.md").blocks.find((one) => one.marker === `${name}: ${marker}`)?.code ?? "";
  if (block === "") throw new Error(`docs/proxies.md has no block ${name}: ${marker}`);
  const here = Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), block);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const file = join(directory, name);
    writeFileSync(file, name === "caddy" ? caddyfile(here, port) : nginxConf(here, port, directory));
    const args = name === "caddy" ? ["run", "--adapter", "caddyfile", "--config", file] : ["-c", file];
    const child = spawnProxy([...command, ...args], directory);
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        keepalive: false,
        redirect: "manual",
        ...init,
        headers: {
          host: `auth.example.com:${port}`,
          ...(init.headers as Record<string, string> | undefined),
        },
      });
    const stop = async () => {
      child.kill("SIGKILL");
      await child.exited;
      forgetProcess(child.pid);
    };
    if (await answers(ask, child)) return { ask, stop };
    await stop();
  }
  throw new Error(`${name} does not start`);
}

/** A proxy that sees nothing but its directory, and ends with this process. */
export function spawnProxy(command: readonly string[], directory: string): Bun.Subprocess {
  const child = Bun.spawn([...command], {
    cwd: directory,
    env: { HOME: directory, PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  watchProcess(child.pid, "KILL");
  return child;
}

async function answers(ask: RunningProxy["ask"], child: Bun.Subprocess): Promise<boolean> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const status = await ask("/health/live").then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return true;
    await Bun.sleep(50);
  }
  return false;
}

function caddyfile(block: string, port: number): string {
  const sites = block.replaceAll(/^auth\.example\.com/gm, `http://auth.example.com:${port}`);
  return `{\n\tadmin off\n\tauto_https off\n}\n${sites}`;
}

function nginxConf(block: string, port: number, directory: string): string {
  const [http = "", auth = ""] = block.split(/^# auth\.example\.com$/m);
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (one) => `${one}_temp_path ${directory}/${one};`,
  );
  return [
    ...(process.getuid?.() === 0 ? ["user root;"] : []),
    `daemon off; master_process off; pid ${directory}/pid; error_log stderr error;`,
    `events { worker_connections 4096; } http { access_log off; ${places.join(" ")}`,
    http,
    `server {\nlisten 127.0.0.1:${port} backlog=4096;\nserver_name auth.example.com;\n${auth}}\n`,
    "}",
  ].join("\n");
}
