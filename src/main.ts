import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import packageJson from "../package.json" with { type: "json" };
import { run } from "./cli/run.ts";
import { loadConfig } from "./config/load.ts";
import { takeEnvironment } from "./environment.ts";
import { hasIpv6 } from "./config/has-ipv6.ts";
import { secretFileRisk } from "./config/secret-file.ts";

const environment = takeEnvironment(process.env);

const machine = {
  readFile: (path: string) => readFileSync(path, "utf8"),
  secretFileRisk: (path: string) => secretFileRisk(path, { madeByUs: false }),
  isTerminal: process.stderr.isTTY === true,
  cpuCount: availableParallelism(),
  hasIpv6,
  platform: process.platform,
};
const cwd = process.cwd();

const status = await run(process.argv.slice(2), {
  version: packageJson.version,
  loadConfig: (replaced = {}) => loadConfig({ ...environment, ...replaced }, { ...machine, cwd }),
  loadConfigOf: (elsewhere, directory) => loadConfig(elsewhere, { ...machine, cwd: directory }),
  environment,
  workerEnvironment: process.env,
  cwd,
  stdout: (line) => process.stdout.write(`${line}\n`),
  stderr: (line) => process.stderr.write(`${line}\n`),
  prompt: (text) => process.stderr.write(text),
  isTerminal: machine.isTerminal,
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
  },
  stdin: () => process.stdin,
  isInteractive: () => [process.stdin, process.stdout, process.stderr].every(({ isTTY }) => isTTY === true),
  now: Date.now,
});
process.exit(status);
