import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const { blocks } = readDocument("docs/operations.md");
const blockOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`docs/operations.md has no <!-- ${marker} -->`);
  return code;
};

describe.each(dialects)("10-B7: the commands of docs/operations.md on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const password = "correct horse battery";
  const signUp = async (email: string) => {
    const client = createClient(server.origin);
    expect((await client.auth.signUp.email({ email, password, name: "Ann" })).error).toBeNull();
    return client;
  };
  const canSignIn = async (email: string, tried = password) =>
    (await createClient(server.origin).auth.signIn.email({ email, password: tried })).error === null;
  const verify = async (client: ReturnType<typeof createClient>) =>
    (await client.fetch("/api/auth/verify")).status;
  /** As a script does: who is asked for a password reads it from stdin. @returns what was printed. */
  const run = async (marker: string, typed = "") => {
    const folder = temporaryDirectory("operator");
    symlinkSync(resolve(await buildExecutable()), join(folder, "latchkey"));
    const shell = Bun.spawn(["sh", "-eu", "-c", blockOf(`run: ${marker}`)], {
      env: { ...database.env, PATH: `${folder}:${process.env["PATH"]}` },
      stdin: new TextEncoder().encode(typed),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(shell.stdout).text(),
      new Response(shell.stderr).text(),
    ]);
    expect([await shell.exited, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    return stdout;
  };
  const rows = async (table: string) =>
    Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]?.["n"]);

  test("find somebody, sign them out, lock them, set another password, add others, and delete", async () => {
    const email = "ann@example.com";
    const client = await signUp(email);
    const bystander = await signUp("carl@example.com");
    expect(await run("find")).toContain(email);
    await run("sign-out");
    expect([await verify(client), await canSignIn(email)]).toEqual([401, true]);
    await run("lock");
    expect(await canSignIn(email)).toBe(false);
    await run("unlock");
    expect(await canSignIn(email)).toBe(true);
    expect(await run("recover")).toMatch(/^http:\/\/localhost:\d+\/recover\?token=[\w-]{43}\n$/);
    expect(await run("invite")).toMatch(/^http:\/\/localhost:\d+\/signup\?invitation=[\w-]{43}\n$/);
    await run("reset", "a new good password\n");
    expect([await canSignIn(email), await canSignIn(email, "a new good password")]).toEqual([false, true]);
    await run("add", "a new good password\n");
    expect(await canSignIn("benjamin@example.com", "a new good password")).toBe(true);
    await run("delete");
    expect(await canSignIn(email, "a new good password")).toBe(false);
    expect(await verify(bystander)).toBe(200);
    expect([await rows('"user"'), await rows("account"), await rows("session")]).toEqual([2, 2, 2]);
  });
});

test("the command of docs/operations.md hashes an address as the log does", async () => {
  const database = await openTestDatabase("sqlite");
  const server = await spawnLatchkey({ env: database.env });
  const body = JSON.stringify({ email: "Ann@example.com", password: "wrong horse battery" });
  const headers = { "content-type": "application/json" };
  await fetch(`${server.url}/api/auth/sign-in/email`, { method: "POST", headers, body });
  const line = () => server.logs().find(({ event }) => event === "sign_in");
  while (line() === undefined) await Bun.sleep(10);
  const shell = Bun.spawnSync(["sh", "-eu", "-c", blockOf("run: email hash")], {
    env: { PATH: process.env["PATH"], SECRET: database.env["BETTER_AUTH_SECRET"] },
  });
  expect(shell.stdout.toString().trim()).toBe(String(line()?.["emailHash"]));
  await server.stop();
  await database.close();
});

test("S13: the SQL of docs/operations.md lifts the limits", async () => {
  const database = await openTestDatabase("sqlite");
  const start = () => spawnLatchkey({ env: { ...database.env, LATCHKEY_LIMITS: "on" } });
  const guess = async ({ url }: RunningLatchkey) => {
    const answer = await fetch(`${url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: "ann@example.com", password: "wrong horse battery" }),
    });
    return answer.status;
  };
  const first = await start();
  const statuses: number[] = [];
  while (!statuses.includes(429) && statuses.length < 20) statuses.push(await guess(first));
  expect(statuses.at(-1)).toBe(429);
  await first.stop();
  await database.query(blockOf("sql: limits").trim().replace(/;$/, ""));
  const second = await start();
  expect(await guess(second)).toBe(401);
  await second.stop();
  await database.close();
});

test.skipIf(Bun.which("systemd-analyze") === null)(
  "the nightly backup is one that systemd and latchkey understand (needs systemd-analyze: apt-get install systemd)",
  async () => {
    const folder = temporaryDirectory("units");
    const executable = resolve(await buildExecutable());
    const paths = ["service", "timer"].map((kind) => join(folder, `latchkey-backup.${kind}`));
    writeFileSync(paths[0] ?? "", blockOf("systemd: backup").replace("/usr/local/bin/latchkey", executable));
    writeFileSync(paths[1] ?? "", blockOf("systemd: backup timer"));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", ...paths]);
    const complaints = stderr.toString().split("\n");
    expect({ exitCode, complaints: complaints.filter((line) => line.includes(folder)) }).toEqual({
      exitCode: 0,
      complaints: [],
    });
    const command = /^ExecStart=\S+ (.+)$/m.exec(blockOf("systemd: backup"))?.[1] ?? "";
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: database.env });
    const args = command
      .replace("/var/backups/latchkey", join(folder, "kept"))
      .replace("--unit latchkey", `--pid ${server.pid}`);
    const { exitCode: status } = await runLatchkey(args.split(" "));
    expect([status, readdirSync(join(folder, "kept")).length]).toEqual([0, 1]);
    await server.stop();
    await database.close();
  },
);
