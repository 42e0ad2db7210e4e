import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { runLatchkey, spawnLatchkey } from "./support/executable.ts";
import { temporaryDirectory } from "./support/reaper.ts";

setDefaultTimeout(240_000);

const project = join(import.meta.dir, "..");
const sources = [
  "package.json",
  "bun.lock",
  "bunfig.toml",
  "tsconfig.json",
  "src",
  "drizzle",
  "deploy",
  "release",
  "node_modules",
];

const canaries = {
  BETTER_AUTH_SECRET: "canary-secret-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
  DATABASE_URL: "postgres://canary:canary-password@db.example.com/auth",
};

test("S89, S90: two clones in different folders build the same bytes, no secret among them, and those start", async () => {
  const here = await buildClone("a", { HOME: "/nowhere", TZ: "UTC", LC_ALL: "C" });
  const there = await buildClone("a folder with blanks/and a longer name", {
    HOME: "/root",
    TZ: "Asia/Tokyo",
    LC_ALL: "de_DE.UTF-8",
    ...canaries,
  });
  expect(await sha256(there.executable)).toBe(await sha256(here.executable));
  for (const { executable, folder } of [here, there]) {
    const bytes = Buffer.from(await Bun.file(executable).arrayBuffer());
    for (const foreign of [folder, ...Object.values(canaries)]) expect(bytes.indexOf(foreign)).toBe(-1);
  }

  expect(await runLatchkey(["version"], { executable: there.executable })).toMatchObject({ exitCode: 0 });
  const server = await spawnLatchkey({ env: {}, executable: there.executable });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
});

test("the profile that the executable is laid out by knows what a start needs; else `bun run profile` records it anew", async () => {
  const needed = join(temporaryDirectory("profile"), "needed");
  const server = await spawnLatchkey({ env: { BUN_BYTECODE_ORDER_OUT: needed } });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  const functions = async (file: string) => (await Bun.file(file).text()).match(/^F .*$/gm) ?? [];
  const known = new Set(await functions(join(project, "release", "serve.order")));
  const wanted = await functions(needed);
  expect(wanted.length).toBeGreaterThan(300);
  expect(wanted.filter((one) => known.has(one)).length / wanted.length).toBeGreaterThan(0.75);
});

/** What a clone has after `bun install`, in a folder of its own, built there. */
async function buildClone(name: string, env: Readonly<Record<string, string>>) {
  const folder = join(temporaryDirectory("clone"), name);
  await run(["mkdir", "-p", folder], project);
  // Links of files, not of folders: a bundler would see through those. Another file system gets copies.
  const copied = (how: string) => run(["cp", how, ...sources, folder], project);
  await copied("-RPHl").catch(() => copied("-RPH"));
  await Bun.write(
    join(folder, ".env"),
    Object.entries(canaries)
      .flatMap((pair) => [pair.join("="), ""])
      .join("\n"),
  );
  await run([process.execPath, "run", "build"], folder, { ...env, PATH: process.env["PATH"] ?? "" });
  return { folder, executable: join(folder, "dist", "latchkey") };
}

async function run(command: readonly string[], cwd: string, env?: Readonly<Record<string, string>>) {
  const child = Bun.spawn([...command], {
    cwd,
    ...(env === undefined ? {} : { env: { ...env } }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command.join(" ")} failed (${code}):\n${stdout}${stderr}`);
}

async function sha256(file: string): Promise<string> {
  return new Bun.CryptoHasher("sha256").update(await Bun.file(file).arrayBuffer()).digest("hex");
}
