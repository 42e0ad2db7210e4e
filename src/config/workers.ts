import type { ConfigDeps, DatabaseConfig } from "./config.ts";
import { parseChoice, parseInteger, type Parsed } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

const name = "LATCHKEY_WORKERS";
const workersMax = 64;
/** Each worker needs one connection for look-ups and one for everything else. */
const connectionsMin = 2;

/**
 * A worker's part of the connections: while one is replaced there is one more of them, and all together still keep to the
 * setting.
 */
export function connectionsOfEach(connections: number, workers: number): number {
  return workers === 1 ? connections : Math.floor(connections / (workers + 1));
}

/** Reads LATCHKEY_WORKERS: a number, or `auto` for one a core, as far as the connections go. */
export function readWorkers(
  reader: ConfigReader,
  database: DatabaseConfig | undefined,
  { cpuCount, platform }: Pick<ConfigDeps, "cpuCount" | "platform">,
): number {
  const connections =
    database === undefined || database.driver === "sqlite" ? Number.POSITIVE_INFINITY : database.connections;
  const most = Math.max(1, Math.floor(connections / connectionsMin) - 1);
  const automatic = platform === "linux" ? Math.min(Math.max(1, Math.floor(cpuCount)), workersMax, most) : 1;
  const workers = readParsed(reader, name, 1, (text) => parseWorkers(text, automatic));
  if (workers > 1 && platform !== "linux") {
    reader.reject(name, `is ${workers}, but processes share a port on Linux alone`, "remove it");
    return 1;
  }
  if (workers > 1 && connectionsOfEach(connections, workers) < connectionsMin) {
    const needed = connectionsMin * (workers + 1);
    const remedy = `write ${most} at the most, or set LATCHKEY_DATABASE_CONNECTIONS to ${needed} or more`;
    reader.reject(name, `is ${workers}, for which ${connections} connections are too few`, remedy);
  }
  if (workers > cpuCount) reader.warn(`${name} is ${workers}, but this machine has ${cpuCount} cores`);
  return workers;
}

function parseWorkers(text: string, automatic: number): Parsed<number> {
  if (!/^\d/.test(text)) {
    const word = parseChoice(text, ["auto"] as const);
    return word.ok ? { ok: true, value: automatic } : { ...word, remedy: "write a number, or auto" };
  }
  return parseInteger(text, 1, workersMax);
}
