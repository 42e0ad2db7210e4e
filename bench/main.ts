import { attempt, type Bench, type Workload } from "./bench.ts";
import { createExecutables } from "./build.ts";
import { startGenerator } from "./load/client.ts";
import { pinRunning, planCores } from "./machine/cores.ts";
import { machineFacts } from "./machine/facts.ts";
import { isChosen, type Options, parseOptions, scaleOf, usage } from "./options.ts";
import { createResults } from "./report/results.ts";
import { saveResults } from "./report/save.ts";
import { renderReport } from "./report/table.ts";
import { fastapi } from "./workloads/fastapi.ts";
import { getSession } from "./workloads/get-session.ts";
import { signIn } from "./workloads/sign-in.ts";
import { flood } from "./workloads/flood.ts";
import { memory } from "./workloads/memory.ts";
import { tableSize } from "./workloads/table-size.ts";
import { peers } from "./workloads/peers.ts";
import { timing } from "./workloads/timing.ts";
import { startUp } from "./workloads/start-up.ts";
import { workers } from "./workloads/workers.ts";
import { verify, verifyFar } from "./workloads/verify.ts";
import { scaleWorkloads } from "./scale/workloads.ts";

const workloads: readonly Workload[] = [
  startUp,
  verify,
  verifyFar,
  getSession,
  fastapi,
  signIn,
  workers,
  flood,
  memory,
  tableSize,
  timing,
  peers,
];

process.exit(await main(process.argv.slice(2)));

/** @returns the exit status: 0 unless something was answered wrongly; a figure short of its goal is no error. */
async function main(argv: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv, {
      bench: workloads.map(({ name }) => name),
      scale: scaleWorkloads.map(({ name }) => name),
    });
  } catch (error) {
    console.error(`Error: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  return await measure(options);
}

async function measure(options: Options): Promise<number> {
  const startedAt = performance.now();
  const cores = planCores(options.isScale ? "scale" : "one core");
  const machine = machineFacts(cores);
  // Relays and databases are children of this process, or run in it.
  await pinRunning(process.pid, cores, "databases");
  const bench: Bench = {
    options,
    scale: scaleOf(options),
    cores,
    executables: createExecutables(process.env["LATCHKEY_BENCH_EXECUTABLE"]),
    generator: startGenerator(cores),
    results: createResults(),
    tell: (text) =>
      console.error(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}`),
  };
  for (const workload of options.isScale ? scaleWorkloads : workloads) {
    if (!isChosen(options, workload)) continue;
    await attempt(bench, workload.name, () => workload.run(bench));
  }
  await bench.generator.close();
  const { results } = bench;
  console.log(`\n${renderReport(results)}\n\n${saveResults(results, machine, options).join("\n")}`);
  return results.failures.length === 0 ? 0 : 1;
}
