import { parseArgs } from "node:util";

export interface Options {
  /** Shorter and fewer runs: to see that the bench works, not what the server does. */
  readonly quick: boolean;
  /** The workloads of ten million sessions in place of the others. */
  readonly isScale: boolean;
  /** Names of workloads to run; null for all. */
  readonly only: ReadonlySet<string> | null;
  /** Name of the results' file, without `.json`. */
  readonly name: string;
}

/** How long and how often things are measured. */
export interface Scale {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export const usage = `Usage: bun run bench [--scale] [--quick] [--only a,b] [--name results]

  --scale       ten million sessions and a million users, and what a verify costs with 1, 2 and 4 processes
  --quick       shorter and fewer runs: to try the bench, not the server
  --only a,b    only these workloads
  --name NAME   write bench/results/NAME.json (default: full, scale, quick, scale-quick or partial)`;

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
      name: { type: "string" },
    },
  });
  const workloads = names[values.scale ? "scale" : "bench"];
  const only = values.only?.split(",").filter((name) => name !== "");
  const unknown = only?.filter((name) => !workloads.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`no workload ${unknown.join(", ")}; there are ${workloads.join(", ")}`);
  const whole = values.scale ? "scale" : "full";
  const short = values.scale ? "scale-quick" : "quick";
  const name = values.name ?? (values.quick ? short : only === undefined ? whole : "partial");
  if (!/^[\w.-]+$/.test(name)) throw new Error(`${name} is no file name`);
  return {
    quick: values.quick,
    isScale: values.scale,
    only: only === undefined ? null : new Set(only),
    name,
  };
}

export function scaleOf({ quick }: Options): Scale {
  return quick
    ? { rounds: 2, warmUpMs: 100, measureMs: 300 }
    : { rounds: 5, warmUpMs: 300, measureMs: 1_000 };
}
