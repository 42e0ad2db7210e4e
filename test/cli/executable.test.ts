import { readdirSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import {
  buildExecutable,
  type RunningLatchkey,
  runLatchkey,
  type SpawnOptions,
  spawnLatchkey,
} from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";

test("the executable adds at most 12 MB to the runtime it is built from", async () => {
  const ownBytes = statSync(await buildExecutable()).size - statSync(process.execPath).size;
  expect(ownBytes).toBeGreaterThan(1_000_000);
  expect(ownBytes).toBeLessThan(12_000_000);
});

describe("the executable's commands", () => {
  test.each([["version"], ["--version"]])("prints its version for %s", async (argument) => {
    expect(await runLatchkey([argument])).toEqual({
      exitCode: 0,
      stdout: `latchkey ${packageJson.version}\n`,
      stderr: "",
    });
  });

  test.each([
    { argv: ["secret"], env: {}, exitCode: 0 },
    { argv: ["config"], env: {}, exitCode: 0 },
    { argv: ["doctor"], env: {}, exitCode: 0 },
    { argv: ["doctor"], env: { PORT: "x" }, exitCode: 1 },
    { argv: ["migrate", "--status"], env: {}, exitCode: 1 },
    { argv: ["migrate"], env: {}, exitCode: 0 },
    { argv: ["config"], env: { PORT: "x" }, exitCode: 2 },
    { argv: ["migrate"], env: { PORT: "x" }, exitCode: 2 },
    { argv: ["serve"], env: { PORT: "x" }, exitCode: 2 },
    { argv: [], env: { PORT: "x" }, exitCode: 2 },
    { argv: ["bogus"], env: {}, exitCode: 2 },
    { argv: ["secret", "--bogus"], env: {}, exitCode: 2 },
  ])("ends $argv with $env by exit status $exitCode", async ({ argv, env, exitCode }) => {
    const result = await runLatchkey(argv, { env });
    expect(result.exitCode).toBe(exitCode);
    if (exitCode === 0) {
      expect(result.stdout).not.toBe("");
      expect(result.stderr).not.toContain("Error:");
    } else {
      expect(result.stderr).toMatch(/^Error: .+\nTry: .+\n/);
      expect(result.stdout).not.toContain("Error:");
    }
  });
});

describe.each(dialects)("commands beside a running server on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
    env = { ...database.env, PORT: new URL(server.url).port };
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("migrate and doctor disturb no sign-up, and find all well", async () => {
    const signUps = Array.from({ length: 12 }, (_, person) =>
      createClient(server.origin).auth.signUp.email({ email: `p${person}@example.com`, password, name: "P" }),
    );
    const commands = [["migrate"], ["doctor"], ["migrate", "--status"], ["migrate"]];
    const results = await Promise.all(commands.map((argv) => runLatchkey(argv, { env })));
    const people = await Promise.all(signUps);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(results[0]?.stdout).toBe("the schema is up to date\n");
    expect(people.map(({ error }) => error)).toEqual(Array.from({ length: 12 }, () => null));
    expect(await database.query('SELECT count(*) AS count FROM "user"')).toMatchObject([
      { count: dialect === "sqlite" ? 12 : "12" },
    ]);
  });

  test("healthcheck tells that it is ready, even without a secret", async () => {
    const { BETTER_AUTH_SECRET: _, ...unsound } = env;
    for (const environment of [env, unsound]) {
      expect(await runLatchkey(["healthcheck"], { env: environment })).toEqual({
        exitCode: 0,
        stdout: `http://127.0.0.1:${env["PORT"]}/health is ready\n`,
        stderr: "",
      });
    }
  });
});

describe("S86: a second server on the same port", () => {
  test("ends with the reason, and the first goes on", async () => {
    const first = await spawnLatchkey({ env: {} });
    const PORT = new URL(first.url).port;
    const message = `port ${PORT} on 127.0.0.1 is in use`;
    for (const args of [[], ["serve"]]) {
      expect(await failureOf({ env: { PORT }, args })).toMatch(
        new RegExp(`^latchkey exited with 1\n--- stdout\n\n--- stderr\nError: ${message}\nTry: .*PORT.*\n$`),
      );
    }
    const cwd = temporaryDirectory("second");
    await failureOf({ env: { PORT }, cwd });
    expect(readdirSync(cwd)).toEqual([]);
    const failure = await failureOf({ env: { PORT }, args: ["serve", "--json"] });
    const remedy = "stop what listens there, or set PORT to another one";
    expect(failure).toContain(`--- stdout\n${JSON.stringify({ error: { message, remedy } })}\n`);
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
    expect(await first.stop()).toBe(0);
    const { exitCode: after } = await runLatchkey(["healthcheck"], { env: { PORT } });
    expect(after).toBe(1);
  });
});

/** What a server that does not get to listen says; one that does is ended. */
async function failureOf(options: SpawnOptions): Promise<string> {
  try {
    const server = await spawnLatchkey(options);
    await server.kill();
    return `it listens at ${server.url}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
