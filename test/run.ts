import { join } from "node:path";

/** Runs the tests: all of them, `fast` for the inner loop, or `long` for what takes minutes; further arguments go to `bun test`. */
const project = join(import.meta.dir, "..");
const [kind, ...rest] = ["fast", "long"].includes(process.argv[2] ?? "")
  ? process.argv.slice(2)
  : ["all", ...process.argv.slice(2)];

/** What needs a browser, a server database, Python, another product's packages, or more than a few seconds. */
const slow = [
  "test/{build,check}.test.ts",
  "test/cli/doctor-database.test.ts",
  "test/database/{begin,migrate}.test.ts",
  "test/database/adopt/**",
  "test/database/sessions/{neon,postgres}-sessions.test.ts",
  "test/docs/{clients-api,clients-pages,three-names}.test.ts",
  "test/e2e/{canary,disks,exactness,failover,fastapi,faults,faults-between,forward,fuzz,log-reader,lost-file,poolers,proxies,races,signals,sleep,start,stories}.test.ts",
  "test/e2e/openapi{,-outage}.test.ts",
  "test/e2e/pages-{browser,callback,loop,outage,states}.test.ts",
  "test/support/**",
];

const kinds: Readonly<
  Record<string, { readonly args: readonly string[]; readonly env: Record<string, string> }>
> = {
  all: { args: ["--parallel=3", "test", "bench"], env: {} },
  fast: {
    args: ["--parallel", ...slow.flatMap((pattern) => ["--path-ignore-patterns", pattern]), "test", "bench"],
    env: { LATCHKEY_TEST_DIALECTS: "sqlite" },
  },
  long: {
    args: ["exactness", "races", "poolers", "failover", "faults-between", "fuzz"].map(
      (name) => `test/e2e/${name}.test.ts`,
    ),
    env: {
      LATCHKEY_TEST_INTERLEAVINGS: "10000",
      LATCHKEY_TEST_RACE_ROUNDS: "200",
      LATCHKEY_TEST_POOLER_ROUNDS: "10",
      LATCHKEY_TEST_FAILOVERS: "20",
      LATCHKEY_TEST_FAULT_ROUNDS: "5",
      LATCHKEY_TEST_FUZZ_REQUESTS: "33400",
    },
  },
};

const { args = [], env = {} } = kinds[kind ?? "all"] ?? {};
const tests = Bun.spawn([process.execPath, "test", ...args, ...rest], {
  cwd: project,
  env: { ...process.env, ...env, LATCHKEY_TEST_EXECUTABLE: join(project, "dist", "latchkey") },
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(await tests.exited);
