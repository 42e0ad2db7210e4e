import { existsSync, mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { buildDocs } from "../test/support/docusaurus.ts";
import { prepareFastApi } from "../test/support/fastapi.ts";
import { DemoError } from "./demo-error.ts";
import { type Options, type Ports, readOptions } from "./options.ts";
import { isTaken } from "./ports.ts";
import { type Program, startProgram } from "./program.ts";

/** Starts latchkey, the docs site and the API together, says what to click, and ends all three with itself. */
const project = join(import.meta.dir, "..");
const executable = join(project, "dist", "latchkey");

async function refuseTakenPorts(ports: Ports): Promise<void> {
  for (const [whose, port] of Object.entries(ports)) {
    if (await isTaken(port))
      throw new DemoError(
        `Port ${port} is taken: another program listens there.`,
        `end it (\`ss -ltnp 'sport = :${port}'\` or \`lsof -i :${port}\` shows which), or take another port: ` +
          `bun run demo --${whose}-port ${port + 100}`,
      );
  }
}

/** What takes a minute once, and nothing later. */
async function prepare() {
  if (!existsSync(executable)) throw new DemoError("There is no dist/latchkey.", "bun run build");
  console.log("Preparing the docs site and the API: up to a minute the first time, then nothing.");
  try {
    const [buildDir, fastApi] = await Promise.all([buildDocs(), prepareFastApi()]);
    return { buildDir, fastApi };
  } catch (cause) {
    throw new DemoError(
      cause instanceof Error ? cause.message : String(cause),
      "bun run demo, once that is mended",
    );
  }
}

function startAll(
  { ports, dataDir }: Options,
  { buildDir, fastApi }: Awaited<ReturnType<typeof prepare>>,
): readonly Program[] {
  const docsUrl = `http://localhost:${ports.docs}`;
  const latchkeyUrl = `http://localhost:${ports.latchkey}`;
  const apiUrl = `http://localhost:${ports.api}`;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return [
    startProgram({
      name: "latchkey",
      command: [executable],
      cwd: dataDir,
      env: {
        PORT: String(ports.latchkey),
        BETTER_AUTH_URL: latchkeyUrl,
        BETTER_AUTH_TRUSTED_ORIGINS: `${docsUrl},${apiUrl}`,
        LATCHKEY_DATA_DIR: dataDir,
      },
      logFile: join(dataDir, "latchkey.log"),
      readyUrl: `http://127.0.0.1:${ports.latchkey}/health`,
    }),
    startProgram({
      name: "The docs site",
      command: [
        process.execPath,
        join(import.meta.dir, "docs-site.ts"),
        buildDir,
        String(ports.docs),
        latchkeyUrl,
        apiUrl,
      ],
      cwd: project,
      env: {},
      logFile: join(dataDir, "docs-site.log"),
      readyUrl: docsUrl,
    }),
    startProgram({
      name: "The API",
      ...fastApi({
        port: ports.api,
        latchkeyUrl: `http://127.0.0.1:${ports.latchkey}`,
        allowedOrigins: [docsUrl],
      }),
      logFile: join(dataDir, "api.log"),
      readyUrl: `http://127.0.0.1:${ports.api}/healthz`,
    }),
  ];
}

const tour = ({ ports, dataDir }: Options) => `
  the docs site  http://localhost:${ports.docs}
  latchkey       http://localhost:${ports.latchkey}
  the API        http://localhost:${ports.api}

What to click:

  1. Open http://localhost:${ports.docs}/docs/intro and click "Login to Personalize".
  2. On latchkey's page click "Create an account", and fill it in. You are back where you were.
  3. The page greets you, and what the API was told of you stands below: "The API says you are …".
  4. Open http://localhost:${ports.api}/me: your browser shows the API the same cookie.
  5. Click your name at the top of the docs site: your password, your devices, your account.
  6. Back on the docs site click "Logout", and open http://localhost:${ports.api}/me again: 401, at once.

Accounts and logs are in ${fromHere(dataDir)}. Ctrl-C ends all three.
`;

/** A path as somebody in this folder would type it. */
const fromHere = (path: string) => {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
};

/** @returns when somebody wants the end, or one of the programs has come to its own. */
async function firstEnd(programs: readonly Program[], interrupted: Promise<"interrupted">) {
  return await Promise.race([
    interrupted,
    ...programs.map(async (program) => {
      const status = await program.exited;
      return { program, status };
    }),
  ]);
}

async function main(): Promise<void> {
  const interruption = Promise.withResolvers<"interrupted">();
  let programs: readonly Program[] = [];
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      // Until then it prepares, and whatever does that ends with this process.
      if (programs.length === 0) process.exit(0);
      interruption.resolve("interrupted");
      signals += 1;
      if (signals > 1) for (const program of programs) program.kill();
    });
  const options = readOptions(process.argv.slice(2), project);
  await refuseTakenPorts(options.ports);
  programs = startAll(options, await prepare());
  try {
    const ended = firstEnd(programs, interruption.promise);
    const ready = Promise.all(programs.map((program) => program.ready())).then(() => "ready" as const);
    if ((await Promise.race([ended, ready])) === "ready") console.log(tour(options));
    const end = await ended;
    if (end !== "interrupted")
      throw new DemoError(
        `${end.program.name} ended with status ${end.status}, and so the others were ended. ${end.program.lastWords()}`,
        `reading ${fromHere(end.program.logFile)}`,
      );
  } finally {
    await Promise.all(programs.map((program) => program.end()));
  }
  console.log("All three have ended.");
}

try {
  await main();
  process.exit(0);
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  console.error(`Error: ${error.message}\nTry: ${error.remedy}`);
  process.exit(1);
}
