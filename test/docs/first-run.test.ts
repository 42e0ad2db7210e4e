import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { blockOf, runCode } from "../support/documented.ts";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { startProgram } from "../support/paste.ts";
import { outputPattern, readDocument } from "../support/readme.ts";
import { once, temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const page = "docs/first-run.md";
const { blocks } = readDocument(page);
const steps = blocks.filter(({ marker }) => marker === "run: tour");
const needsCurl = Bun.which("curl") === null ? " (needs curl: apt-get install curl)" : "";

describe("10-B6: the first run, with the executable alone", () => {
  const only = (name: string) => blockOf(page, `run: ${name}`).trim();
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

  test("stands in the README before anything calls it by that name", () => {
    const { text } = readDocument("README.md");
    const named = text.search(/(?<![\w/.])latchkey (?:doctor|config|secret|migrate)/);
    expect(named).toBeGreaterThan(text.indexOf(`(${page})`));
  });
});

describe("the tour by commands", () => {
  let server: RunningLatchkey | undefined;
  afterAll(async () => {
    await server?.stop();
  });

  test.skipIf(needsCurl !== "")(`prints what it shows${needsCurl}`, async () => {
    server = await spawnLatchkey({ env: {} });
    expect(steps.length).toBeGreaterThanOrEqual(6);
    for (const step of steps) {
      const shown = blocks[blocks.indexOf(step) + 1];
      expect(`${step.line}: ${shown?.marker}`).toBe(`${step.line}: prints`);
      const code = step.code.replaceAll("localhost:3001", new URL(server.origin).host);
      const { exitCode, stdout } = await runCode(code, { cwd: server.dir });
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(outputPattern(shown?.code ?? ""))]);
    }
  });

  test("leads past every route of a session's life", () => {
    const shown = steps.map(({ code }) => code);
    const routes = ["sign-up/email", "get-session", "verify", "sign-out", "sign-in/email"];
    expect(routes.filter((route) => !shown.some((code) => code.includes(`/api/auth/${route}`)))).toEqual([]);
  });
});

test("the commands of docs/configuration.md say what was understood, and whether it will work", async () => {
  const cwd = temporaryDirectory("configuration");
  const server = await spawnLatchkey({ env: {}, cwd });
  const env = {
    PORT: new URL(server.url).port,
    LATCHKEY_METRICS_TOKEN: crypto.randomUUID(),
  };
  const { exitCode, stdout } = await runCode(blockOf("docs/configuration.md", "run: configuration"), {
    cwd,
    env,
  });
  await server.stop();
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`${cwd}/data/latchkey.db`)]);
  expect(stdout).not.toContain(env.LATCHKEY_METRICS_TOKEN);
});
