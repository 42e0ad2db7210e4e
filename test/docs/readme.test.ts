import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { startProgram } from "../support/paste.ts";
import { once, temporaryDirectory } from "../support/reaper.ts";
import { type CodeBlock, outputPattern, projectDirectory, readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

const { blocks } = readDocument("README.md");
const readme = readFileSync(join(projectDirectory, "README.md"), "utf8");
const runBlocks = (name: string) => blocks.filter(({ marker }) => marker === `run: ${name}`);

/** Where a tool is missing, the test's name says which, and how to get it. */
const needs = (tool: string, packageName = tool) => ({
  test: test.skipIf(Bun.which(tool) === null),
  note: Bun.which(tool) === null ? ` (needs ${tool}: apt-get install ${packageName})` : "",
});
const curl = needs("curl");
const systemd = needs("systemd-analyze", "systemd");

/** A folder to put into PATH, in which the executable is called `latchkey`. */
const binDirectory = once(async () => {
  const directory = temporaryDirectory("bin");
  symlinkSync(resolve(await buildExecutable()), join(directory, "latchkey"));
  return directory;
});

const servers: RunningLatchkey[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

async function start(options: { cwd?: string; env?: Record<string, string> } = {}): Promise<RunningLatchkey> {
  const server = await spawnLatchkey({ env: {}, ...options });
  servers.push(server);
  return server;
}

/** Runs a block as a reader would, but for the port. @returns its stdout; throws with its stderr when it fails. */
async function runBlock({ code }: Pick<CodeBlock, "code">, server: RunningLatchkey): Promise<string> {
  const script = code.replaceAll("localhost:3001", new URL(server.origin).host);
  const child = Bun.spawn(["/bin/sh", "-eu", "-c", script], {
    cwd: server.dir,
    env: { PATH: `${await binDirectory()}:${process.env["PATH"]}`, HOME: server.dir },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0)
    throw new Error(`the block failed with ${child.exitCode}:\n${script}\n${stderr}`);
  return stdout;
}

const person = { name: "Bo", email: "bo@example.com", password: "correct horse battery" };

/** @returns the session cookie, `name=value`. */
async function signUp({ url }: RunningLatchkey, email = person.email): Promise<string> {
  const response = await fetch(`${url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...person, email }),
  });
  expect(response.status).toBe(200);
  return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
}

async function verifyStatus({ url }: RunningLatchkey, cookie: string): Promise<number> {
  return (await fetch(`${url}/api/auth/verify`, { headers: { cookie } })).status;
}

describe("10-B6: the README's first screen, with the executable alone", () => {
  const only = (name: string) => {
    const [block] = runBlocks(name);
    if (block === undefined) throw new Error(`the README has no <!-- run: ${name} -->`);
    return block.code.trim();
  };
  const unpacked = once(async () => {
    const directory = temporaryDirectory("alone");
    mkdirSync(join(directory, "dist"));
    symlinkSync(resolve(await buildExecutable()), join(directory, "dist", "latchkey"));
    return directory;
  });
  const shell = async (code: string, env: Record<string, string>) => {
    const child = Bun.spawn(["/bin/sh", "-eu", "-c", code], { cwd: await unpacked(), env, stdout: "pipe" });
    return [await child.exited, await child.stdout.text()] as const;
  };

  test("starts it, and asks it from a second terminal", async () => {
    const cwd = await unpacked();
    const env = { PORT: String(freePort()) };
    const url = `http://localhost:${env.PORT}`;
    const server = await startProgram(only("executable serve"), { cwd, url, env });
    expect((await fetch(`${url}/signup`)).status).toBe(200);
    const [code, report] = await shell(only("executable"), env);
    await server.stop();
    expect([code, report]).toEqual([0, expect.stringContaining(`${cwd}/data/latchkey.db`)]);
    expect(report).not.toMatch(/^(?:failed|warning) /m);
  });

  test("puts it where its name is found", async () => {
    const bin = temporaryDirectory("usr-local-bin");
    const installing = only("install").replace("/usr/local/bin", bin);
    const env = { PATH: process.env["PATH"] ?? "" };
    expect(await shell(installing, env)).toEqual([0, ""]);
    expect(await shell("latchkey version", { PATH: bin })).toEqual([0, expect.stringMatching(/\d+\.\d+/)]);
  });

  test("stands before anything else calls it by that name", () => {
    const { text } = readDocument("README.md");
    const named = text.search(/(?<![\w/.])latchkey (?:doctor|config|secret|migrate)/);
    expect(named).toBeGreaterThan(text.indexOf("/usr/local/bin/latchkey"));
  });
});

describe("the README's tour", () => {
  curl.test(`prints what it shows${curl.note}`, async () => {
    const server = await start();
    const steps = runBlocks("tour");
    expect(steps.length).toBeGreaterThanOrEqual(6);
    for (const step of steps) {
      const shown = blocks[blocks.indexOf(step) + 1];
      expect(`${step.line}: ${shown?.marker}`).toBe(`${step.line}: prints`);
      expect(await runBlock(step, server)).toMatch(outputPattern(shown?.code ?? ""));
    }
  });

  test("leads past every route of a session's life", () => {
    const shown = runBlocks("tour").map(({ code }) => code);
    const routes = ["sign-up/email", "get-session", "verify", "sign-out", "sign-in/email"];
    expect(routes.filter((route) => !shown.some((code) => code.includes(`/api/auth/${route}`)))).toEqual([]);
  });
});

describe("S84: the README's backup", () => {
  test("brings accounts and sessions back", async () => {
    const server = await start();
    const cookie = await signUp(server);
    for (const block of runBlocks("backup")) await runBlock(block, server);
    const backups = readdirSync(server.dir).filter((name) => name.startsWith("backup-"));
    expect(backups.map((name) => name.replace(/^backup-\d{4}-\d\d-\d\d-\d{6}/, "")).toSorted()).toEqual([
      ".db",
      ".db.secret",
    ]);
    const after = await signUp(server, "after@example.com");
    await server.stop();
    const [file = ""] = backups.toSorted();
    const [command = ""] = /latchkey restore backup-….db --secret \S+(?=`)/.exec(readme) ?? [];
    await runBlock({ code: command.replaceAll("backup-….db", file) }, server);
    const restored = await start({ cwd: server.dir });
    expect([await verifyStatus(restored, cookie), await verifyStatus(restored, after)]).toEqual([200, 401]);
  });
});

describe("the README's change of the secret", () => {
  test("S62: signs nobody out as long as the old one is in", async () => {
    const server = await start();
    const cookie = await signUp(server);
    const [block] = runBlocks("rotation");
    const code = `${block?.code ?? ""}\nprintf %s "$BETTER_AUTH_SECRETS"`;
    const secrets = await runBlock({ code }, server);
    await server.stop();
    const both = await start({ cwd: server.dir, env: { BETTER_AUTH_SECRETS: secrets } });
    expect(await verifyStatus(both, cookie)).toBe(200);
    await both.stop();
    const newest = secrets.split(",")[0] ?? "";
    const one = await start({ cwd: server.dir, env: { BETTER_AUTH_SECRETS: newest } });
    expect(await verifyStatus(one, cookie)).toBe(401);
  });
});

describe("the README's unit", () => {
  systemd.test(`is one that systemd understands${systemd.note}`, async () => {
    const code = blocks.find(({ marker }) => marker === "unit")?.code ?? "";
    const path = join(temporaryDirectory("unit"), "latchkey.service");
    writeFileSync(path, code.replace("/usr/local/bin/latchkey", resolve(await buildExecutable())));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", path]);
    const complaints = stderr.toString().split("\n");
    expect({ exitCode, complaints: complaints.filter((line) => line.includes(path)) }).toEqual({
      exitCode: 0,
      complaints: [],
    });
  });
});

describe("the README's snippets", () => {
  const quoted = blocks.filter(({ marker }) => marker.startsWith("from: "));

  test.each(quoted.map((block) => [block.marker.slice("from: ".length), block] as const))(
    "of %s are in it, line by line",
    (path, { code }) => {
      const lines = readFileSync(join(projectDirectory, path), "utf8")
        .split("\n")
        .map((line) => line.trim());
      const own = code.split("\n").map((line) => line.trim());
      expect(own.filter((line) => line !== "" && !lines.includes(line))).toEqual([]);
    },
  );

  test("are all marked where a test could run them", () => {
    const unmarked = blocks.filter(({ marker, language, code }) => {
      const isCommand = code
        .split("\n")
        .every((line) => line === "" || /^(?:npx --yes bun@[\d.]+|bun) run \w+$/.test(line));
      return language === "sh" && marker === "" && !isCommand;
    });
    expect(unmarked.map(({ line, code }) => `${line}: ${code}`)).toEqual([]);
  });
});
