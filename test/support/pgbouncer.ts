import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";

export interface PgbouncerOptions {
  /** PostgreSQL's own URL; its user and password are the pooler's too. */
  readonly url: string;
  /** 1.18 of bookworm knows nothing of prepared statements; 1.24 of trixie keeps them where it is told to. */
  readonly suite: "bookworm" | "trixie";
  readonly poolMode: "session" | "transaction" | "statement";
  /** For 1.21 and newer; 0 keeps none. */
  readonly maxPreparedStatements?: number;
  /** Connections to the server; default 4, so that clients share them. */
  readonly poolSize?: number;
  /** Default: a free one. */
  readonly port?: number;
}

/** A real PgBouncer on 127.0.0.1, ended with this process at the latest. */
export interface Pgbouncer {
  /** The same database through the pooler. */
  readonly url: string;
  readonly port: number;
  log(): string;
  stop(): Promise<void>;
}

export async function startPgbouncer(options: PgbouncerOptions): Promise<Pgbouncer> {
  const { command } = await debianProgram({
    suite: options.suite,
    name: "pgbouncer",
    program: "usr/sbin/pgbouncer",
  });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? 20_000 + Math.floor(Math.random() * 12_000);
    const started = await tryPort(command, options, port);
    if (started !== undefined) return started;
    if (attempt === 5 || options.port !== undefined) throw new Error("PgBouncer found no free port");
  }
}

async function tryPort(
  command: readonly string[],
  options: PgbouncerOptions,
  port: number,
): Promise<Pgbouncer | undefined> {
  const server = new URL(options.url);
  const directory = temporaryDirectory("pgbouncer");
  mkdirSync(directory, { recursive: true });
  const users = join(directory, "users.txt");
  writeFileSync(users, `"${server.username}" "${server.password}"\n`);
  const file = join(directory, "pgbouncer.ini");
  writeFileSync(file, configuration(options, server, port, users));
  for (const path of [users, file]) chmodSync(path, 0o644);
  const child = Bun.spawn([...command, file], { stdin: "ignore", stdout: "ignore", stderr: "pipe", env: {} });
  watchProcess(child.pid, "KILL");
  let log = "";
  const up = Promise.withResolvers<boolean>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      log += decoder.decode(chunk, { stream: true });
      if (log.includes("process up")) up.resolve(true);
    }
    up.resolve(false);
  })();
  const stop = async () => {
    child.kill("SIGKILL");
    await Promise.all([child.exited, reading]);
    forgetProcess(child.pid);
  };
  if (await up.promise) {
    const pooled = new URL(options.url);
    pooled.port = String(port);
    return { url: pooled.href, port, log: () => log, stop };
  }
  await stop();
  if (log.includes("Address already in use")) return undefined;
  throw new Error(`PgBouncer did not start:\n${log}`);
}

function configuration(options: PgbouncerOptions, server: URL, port: number, users: string): string {
  return [
    "[databases]",
    `* = host=${server.hostname} port=${server.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${users}`,
    `pool_mode = ${options.poolMode}`,
    `default_pool_size = ${options.poolSize ?? 4}`,
    "max_client_conn = 500",
    ...(options.maxPreparedStatements === undefined
      ? []
      : [`max_prepared_statements = ${options.maxPreparedStatements}`]),
    // It refuses to run as root.
    ...(process.getuid?.() === 0 ? ["user = nobody"] : []),
    "",
  ].join("\n");
}
