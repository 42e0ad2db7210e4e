import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { DemoError } from "./demo-error.ts";

/** Port numbers, all different. */
export interface Ports {
  readonly docs: number;
  readonly latchkey: number;
  readonly api: number;
}

export interface Options {
  readonly ports: Ports;
  /** Where the accounts and what the programs write are; absolute. */
  readonly dataDir: string;
}

const usual = { "docs-port": "3000", "latchkey-port": "3001", "api-port": "8000", "data-dir": "data/demo" };
const usage = `bun run demo${Object.entries(usual)
  .map(([name, value]) => ` [--${name} ${value}]`)
  .join("")}`;

/** @throws {DemoError} for what is no option, and no port. */
export function readOptions(args: readonly string[], project: string): Options {
  const values = parse(args);
  const ports = {
    docs: portOf("docs-port", values["docs-port"]),
    latchkey: portOf("latchkey-port", values["latchkey-port"]),
    api: portOf("api-port", values["api-port"]),
  };
  if (new Set(Object.values(ports)).size < 3) throw new DemoError("Each needs a port of its own.", usage);
  return { ports, dataDir: resolve(project, values["data-dir"]) };
}

function parse(args: readonly string[]): typeof usual {
  try {
    const options = Object.fromEntries(Object.keys(usual).map((name) => [name, { type: "string" as const }]));
    return { ...usual, ...parseArgs({ args: [...args], options }).values };
  } catch (cause) {
    throw new DemoError(cause instanceof Error ? cause.message : String(cause), usage);
  }
}

function portOf(name: string, value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new DemoError(`--${name} takes a port from 1 to 65535, not ${value}.`, usage);
  return port;
}
