import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../src/cli/run.ts";
import type { Environment } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { secretFileRisk } from "../../src/config/secret-file.ts";
import type { CommandResult } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

export interface CommandOptions {
  readonly env?: Environment;
  /** Default: a fresh empty directory. */
  readonly cwd?: string;
  readonly now?: () => number;
}

const machine = {
  readFile: (path: string) => readFileSync(path, "utf8"),
  secretFileRisk: (path: string) => secretFileRisk(path, { madeByUs: false }),
  isTerminal: false,
  cpuCount: 2,
  hasIpv6: () => true,
  platform: "linux",
};

/** Runs one command line in this process, on an environment and a working directory of its own. */
export async function runCommand(
  argv: readonly string[],
  { env = {}, cwd = temporaryDirectory("cli"), now = Date.now }: CommandOptions = {},
): Promise<CommandResult> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const exitCode = await run(argv, {
    version: "1.2.3",
    loadConfig: (replaced = {}) => loadConfig({ ...env, ...replaced }, { ...machine, cwd }),
    loadConfigOf: (elsewhere, directory) => loadConfig(elsewhere, { ...machine, cwd: directory }),
    environment: env,
    workerEnvironment: {},
    cwd,
    stdout: (text) => stdout.push(`${text}\n`),
    stderr: (text) => stderr.push(`${text}\n`),
    prompt: (text) => stderr.push(text),
    isTerminal: false,
    drained: async () => {},
    stdin: () => process.stdin,
    isInteractive: () => false,
    now,
  });
  return { exitCode, stdout: stdout.join(""), stderr: stderr.join("") };
}

/** A fresh directory whose `data` is latchkey's. */
export function freshPlace(): { readonly cwd: string; readonly dataDir: string; readonly database: string } {
  const cwd = temporaryDirectory("cli");
  const dataDir = join(cwd, "data");
  return { cwd, dataDir, database: join(dataDir, "latchkey.db") };
}
