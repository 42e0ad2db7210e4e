import { parseArgs } from "node:util";

export interface Options {
  /** Shorter and fewer runs: to see that the bench works, not what the server does. */
  readonly quick: boolean;
  /** The workloads of ten million sessions in place of the others. */
  readonly isScale: boolean;
  /** Names of workloads to run; null for all. */
  readonly only: ReadonlySet<string> | null;
  /** Whether to measure other products too, which are built first. */
  readonly peers: boolean;
  /** Name of the results' file, without `.json`. */
  readonly name: string;
}

/** How long and how often things are measured. */
export interface Scale {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export const usage = `Usage: bun run bench [--scale] [--quick] [--only a,b] [--peers] [--name results]

  --scale       ten million sessions and a million users, and what a verify costs with 1, 2 and 4 processes
  --quick       shorter and fewer runs: to try the bench, not the server
  --only a,b    only these workloads
  --peers       other products too, built by Go and npm; alone: --only peers
  --name NAME   write bench/results/NAME.json (default: full, scale, quick, scale-quick, peers or partial)`;

/** @throws with what is wrong; the caller shows it beside `usage`. */
export function parseOptions(
  argv: readonly string[],
  names: Readonly<Record<"bench" | "scale", readonly string[]>>,
): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      scale: { type: "boolean", default: false },
      only: { type: "string" },
      peers: { type: "boolean", default: false },
      name: { type: "string" },
    },
  });
  const workloads = names[values.scale ? "scale" : "bench"];
  const only = values.only?.split(",").filter((name) => name !== "");
  const unknown = only?.filter((name) => !workloads.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`no workload ${unknown.join(", ")}; there are ${workloads.join(", ")}`);
  const isPeersAlone = only?.length === 1 && only[0] === "peers";
  const all = values.scale ? "scale" : "full";
  const whole = only === undefined ? all : isPeersAlone ? "peers" : "partial";
  const short = values.scale ? "scale-quick" : "quick";
  const name = values.name ?? (values.quick ? short : whole);
  if (!/^[\w.-]+$/.test(name)) throw new Error(`${name} is no file name`);
  const { quick, peers, scale: isScale } = values;
  return { quick, isScale, only: only === undefined ? null : new Set(only), peers, name };
}

/** Whether a workload is to run; `onDemand` are those that run by name alone. */
export function isChosen(
  { only, peers }: Options,
  { name, onDemand = false }: { readonly name: string; readonly onDemand?: boolean },
): boolean {
  if (name === "peers" && peers) return true;
  return only === null ? !onDemand : only.has(name);
}

export function scaleOf({ quick }: Options): Scale {
  return quick
    ? { rounds: 2, warmUpMs: 100, measureMs: 300 }
    : { rounds: 5, warmUpMs: 300, measureMs: 1_000 };
}
