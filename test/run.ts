import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstLine, judge, readRequirements, readTrials, renderTable, untried } from "./security-table.ts";

/**
 * Runs the tests: all of them, `fast` for the inner loop, `long` for what takes minutes, or `ship` for what an operator
 * installs, in a Debian of its own; further arguments go to `bun test`.
 */
const project = join(import.meta.dir, "..");
const [kind, ...rest] = ["fast", "long", "ship"].includes(process.argv[2] ?? "")
  ? process.argv.slice(2)
  : ["all", ...process.argv.slice(2)];

const shipping = "test/ship/**";

/** What needs a browser, a server database, Python, another product's packages, or more than a few seconds. */
const slow = [
  shipping,
  "test/{build,check}.test.ts",
  "test/cli/doctor-{database,mail}.test.ts",
  "test/database/{begin,migrate,neon-log-in}.test.ts",
  "test/database/adopt/**",
  "test/database/sessions/{neon,postgres}-sessions.test.ts",
  "test/docs/{clients-api,clients-pages,clients-tests,three-names}.test.ts",
  "test/e2e/{canary,crash,descriptors,disks,doctor-outside,exactness,failover,fastapi,fastapi-proxies,faults,faults-between,forward,fuzz,log-reader,lost-file,mail-browser,mail-elsewhere,mail-kills,mail-server,mail-timing,poolers,proxies,races,restart-behind-proxies,signals,sleep,soak,start,stories,testserver-browser,unix-socket,users-races,users-refused-databases,workers,workers-ends}.test.ts",
  "test/e2e/{backup-tls,openapi,openapi-outage}.test.ts",
  "test/e2e/{every-route,pool,refused-starts,slow-clients,strays,timing}.test.ts",
  "test/e2e/pages-{browser,callback,loop,outage,script,states}.test.ts",
  "test/support/**",
];

const kinds: Readonly<
  Record<string, { readonly args: readonly string[]; readonly env: Record<string, string> }>
> = {
  all: { args: ["--parallel=3", "--path-ignore-patterns", shipping, "test", "bench"], env: {} },
  fast: {
    args: ["--parallel", ...slow.flatMap((pattern) => ["--path-ignore-patterns", pattern]), "test", "bench"],
    env: { LATCHKEY_TEST_DIALECTS: "sqlite" },
  },
  long: {
    args: [
      "exactness",
      "races",
      "poolers",
      "failover",
      "faults-between",
      "fuzz",
      "crash",
      "soak",
      "restart-behind-proxies",
      "mail-kills",
      "mail-timing",
    ].map((name) => `test/e2e/${name}.test.ts`),
    env: {
      LATCHKEY_TEST_INTERLEAVINGS: "10000",
      LATCHKEY_TEST_RACE_ROUNDS: "200",
      LATCHKEY_TEST_POOLER_ROUNDS: "10",
      LATCHKEY_TEST_FAILOVERS: "20",
      LATCHKEY_TEST_FAULT_ROUNDS: "5",
      LATCHKEY_TEST_FUZZ_REQUESTS: "33400",
      LATCHKEY_TEST_CRASH_CYCLES: "200",
      LATCHKEY_TEST_SOAK_SECONDS: "600",
      LATCHKEY_TEST_RESTARTS: "50",
      LATCHKEY_TEST_MAIL_KILLS: "50",
      LATCHKEY_TEST_MAIL_PAIRS: "500",
    },
  },
  ship: { args: ["test/ship"], env: {} },
};

const { args = [], env = {} } = kinds[kind ?? "all"] ?? {};
const folder = mkdtempSync(join(tmpdir(), "latchkey-report-"));
const report = join(folder, "junit.xml");
// With further arguments it is not all of them, and the table would be wrong.
const isWhole = kind === "all" && rest.length === 0;
const reporting = isWhole ? ["--reporter=junit", `--reporter-outfile=${report}`] : [];
const tests = Bun.spawn([process.execPath, "test", ...reporting, ...args, ...rest], {
  cwd: project,
  env: { ...process.env, ...env, LATCHKEY_TEST_EXECUTABLE: join(project, "dist", "latchkey") },
  stdio: ["ignore", "inherit", "inherit"],
});
const status = await tests.exited;
const isComplete = !isWhole || writeSecurityTable();
rmSync(folder, { recursive: true, force: true });
process.exit(status !== 0 || isComplete ? status : 1);

/** @returns whether every promise of the security checklist that must hold was tried. */
function writeSecurityTable(): boolean {
  const requirements = readRequirements(readFileSync(join(project, "docs", "security-checklist.md"), "utf8"));
  const verdicts = judge(requirements, readTrials(readFileSync(report, "utf8")));
  const missing = untried(verdicts);
  const table = join(project, "test", "results", "security.md");
  mkdirSync(join(table, ".."), { recursive: true });
  writeFileSync(table, renderTable(verdicts));
  console.log(`\n${firstLine(verdicts)}: test/results/security.md`);
  for (const { number, text } of missing) console.error(`${number} was not tried: ${text}`);
  return missing.length === 0;
}
