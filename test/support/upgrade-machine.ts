import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createClient, type TestClient } from "./client.ts";
import { openTestDatabase, type TestDatabase } from "./databases.ts";
import {
  buildExecutable,
  type CommandResult,
  type RunningLatchkey,
  runLatchkey,
  spawnLatchkey,
} from "./executable.ts";
import { freePort } from "./free-port.ts";
import { installed } from "./next-release.ts";
import { temporaryDirectory } from "./reaper.ts";

export const upgradePassword = "correct horse battery";

/** A machine with an installed latchkey, a server of it, and somebody who is signed in. */
export interface UpgradeMachine {
  /** Of the installed one. */
  readonly executable: string;
  readonly database: TestDatabase;
  /** What its server is started with, in a file that `--env-file` names. */
  readonly envFile: string;
  readonly origin: string;
  readonly ann: TestClient;
  /** Has the next server fail, by `NEXT_FAILS` and the like. */
  set(more: Readonly<Record<string, string>>): void;
  /** `latchkey upgrade --from file`, with what restarts this server. */
  upgrade(file: string, args?: readonly string[], options?: { restart?: string }): Promise<CommandResult>;
  /** A command line of the installed one. */
  command(file: string, args?: readonly string[], options?: { restart?: string }): readonly string[];
  /** The installed one's version, by its own word. */
  version(): Promise<string>;
  /** The shell's command that restarts it, and fails where it does not come up. */
  readonly restartCommand: string;
  /** How often a restart was asked for. */
  restarts(): number;
  /** What the server says of its version; null where none answers. */
  serving(): Promise<string | null>;
  /** Whether Ann is still signed in. */
  isSignedIn(): Promise<boolean>;
  /** Starts the installed one anew, as a supervisor does at a restart of the machine. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function openUpgradeMachine(
  dialect: "sqlite" | "postgres",
  { from }: { from?: string } = {},
): Promise<UpgradeMachine> {
  const database = await openTestDatabase(dialect);
  const executable = installed(from ?? (await buildExecutable()));
  const folder = temporaryDirectory("machine");
  const envFile = join(folder, "latchkey.env");
  const request = join(folder, "restart");
  const failed = join(folder, "failed");
  let more: Readonly<Record<string, string>> = {};
  const port = freePort();
  const environment = () => ({ ...database.env, PORT: String(port), LATCHKEY_LIMITS: "off", ...more });
  const write = () =>
    writeFileSync(
      envFile,
      Object.entries(environment())
        .flatMap(([name, value]) => `${name}='${value}'\n`)
        .join(""),
    );
  write();
  let server: RunningLatchkey | null = null;
  let restarts = 0;
  const start = async () => {
    await server?.stop();
    server = await spawnLatchkey({ env: environment(), executable, cwd: folder }).catch(() => null);
  };
  await start();
  const origin = `http://localhost:${port}`;
  const ann = createClient(origin);
  const email = `ann-${crypto.randomUUID()}@example.com`;
  const { error } = await ann.auth.signUp.email({ email, password: upgradePassword, name: "Ann" });
  if (error !== null) throw new Error(JSON.stringify(error));
  // What systemd is to an installation: it restarts what stands in the executable's place.
  let isOpen = true;
  const supervising = (async () => {
    while (isOpen) {
      await Bun.sleep(10);
      if (!existsSync(request)) continue;
      restarts += 1;
      await start();
      if (server === null) writeFileSync(failed, "");
      else rmSync(failed, { force: true });
      rmSync(request, { force: true });
    }
  })();
  const restartCommand = `touch ${request}; while [ -e ${request} ]; do sleep 0.02; done; test ! -e ${failed}`;
  const command: UpgradeMachine["command"] = (file, args = [], { restart = restartCommand } = {}) => [
    "upgrade",
    "--from",
    file,
    "--env-file",
    envFile,
    "--restart-command",
    restart,
    ...args,
  ];
  return {
    executable,
    database,
    envFile,
    origin,
    ann,
    set(given) {
      more = given;
      write();
    },
    command,
    restartCommand,
    upgrade: (file, args, options) =>
      runLatchkey(command(file, args, options), {
        executable,
        env: { PATH: process.env["PATH"] ?? "" },
      }),
    async version() {
      const { stdout } = await runLatchkey(["version"], { executable });
      return stdout.trim();
    },
    restarts: () => restarts,
    async serving() {
      try {
        const answer = await fetch(`${origin}/health/live`);
        return ((await answer.json()) as { version: string }).version;
      } catch {
        return null;
      }
    },
    isSignedIn: async () => (await ann.fetch("/api/auth/verify")).status === 200,
    restart: start,
    async close() {
      isOpen = false;
      await supervising;
      await server?.stop();
      await database.close();
      rmSync(dirname(executable), { recursive: true, force: true });
    },
  };
}

/** What an upgrade leaves beside the executable. */
export function besideIn(executable: string): readonly string[] {
  return [...new Bun.Glob("*").scanSync({ cwd: dirname(executable), onlyFiles: true })].toSorted();
}
