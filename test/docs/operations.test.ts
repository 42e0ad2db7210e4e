import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { blockOf, runCode } from "../support/documented.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

describe.each(dialects)("10-B7: the commands of docs/users.md on %s", (dialect) => {
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
    const cwd = temporaryDirectory("operator");
    const { exitCode, stdout, stderr } = await runCode(blockOf("docs/users.md", `run: ${marker}`), {
      cwd,
      env: database.env,
      typed,
    });
    expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
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

test("the command of docs/users.md hashes an address as the log does", async () => {
  const database = await openTestDatabase("sqlite");
  const server = await spawnLatchkey({ env: database.env });
  const body = JSON.stringify({ email: "Ann@example.com", password: "wrong horse battery" });
  const headers = { "content-type": "application/json" };
  await fetch(`${server.url}/api/auth/sign-in/email`, { method: "POST", headers, body });
  const line = () => server.logs().find(({ event }) => event === "sign_in");
  while (line() === undefined) await Bun.sleep(10);
  const shell = Bun.spawnSync(["sh", "-eu", "-c", blockOf("docs/users.md", "run: email hash")], {
    env: { PATH: process.env["PATH"], SECRET: database.env["BETTER_AUTH_SECRET"] },
  });
  expect(shell.stdout.toString().trim()).toBe(String(line()?.["emailHash"]));
  await server.stop();
  await database.close();
});

const lifts = ["sql: limits", "run: lift"] as const;

test.each(lifts)("S13: %s of docs/limits.md lifts the limits", async (marker) => {
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
  const code = blockOf("docs/limits.md", marker).trim();
  if (marker === "sql: limits") await database.query(code.replace(/;$/, ""));
  else {
    const [command = "", restart] = code.split("\n");
    expect(restart).toBe("systemctl restart latchkey");
    const file = join(database.env["LATCHKEY_DATA_DIR"] ?? "", "latchkey.db");
    const cwd = temporaryDirectory("lift");
    const { exitCode, stderr } = await runCode(command.replace("/var/lib/latchkey/latchkey.db", file), {
      cwd,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
  }
  const second = await start();
  expect(await guess(second)).toBe(401);
  await second.stop();
  await database.close();
});

describe("on one machine, with a file for the environment in place of the unit", () => {
  const person = { name: "Bo", email: "bo@example.com", password: "correct horse battery" };
  const signUp = async ({ url }: RunningLatchkey, email = person.email) => {
    const response = await fetch(`${url}/api/auth/sign-up/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...person, email }),
    });
    expect(response.status).toBe(200);
    return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  };
  const verify = async ({ url }: RunningLatchkey, cookie: string) =>
    (await fetch(`${url}/api/auth/verify`, { headers: { cookie } })).status;
  /** A server, and the file that has its settings. */
  const start = async () => {
    const server = await spawnLatchkey({ env: {} });
    writeFileSync(join(server.dir, "latchkey.env"), `LATCHKEY_DATA_DIR=${join(server.dir, "data")}\n`);
    return server;
  };
  const ofUnit = (code: string) => code.replaceAll("--unit latchkey", "--env-file latchkey.env");
  const must = async (code: string, cwd: string) => {
    const { exitCode, stdout, stderr } = await runCode(code, { cwd });
    expect([exitCode, exitCode === 0 ? "" : stderr]).toEqual([0, ""]);
    return stdout;
  };

  test("S84: a backup brings accounts and sessions back", async () => {
    const server = await start();
    const cookie = await signUp(server);
    await must(ofUnit(blockOf("docs/backup.md", "run: backup")), server.dir);
    const backups = readdirSync(server.dir).filter((name) => name.startsWith("backup-"));
    expect(backups.map((name) => name.replace(/^backup-\d{4}-\d\d-\d\d-\d{6}/, "")).toSorted()).toEqual([
      ".db",
      ".db.secret",
    ]);
    const after = await signUp(server, "after@example.com");
    await server.stop();
    const [file = ""] = backups.toSorted();
    const page = readFileSync(join(import.meta.dir, "..", "..", "docs", "backup.md"), "utf8");
    const [command = ""] = /latchkey restore --unit latchkey backup-….db --secret \S+(?=`)/.exec(page) ?? [];
    await must(ofUnit(command).replaceAll("backup-….db", file), server.dir);
    const restored = await spawnLatchkey({ env: {}, cwd: server.dir });
    expect([await verify(restored, cookie), await verify(restored, after)]).toEqual([200, 401]);
    await restored.stop();
  });

  test("to go back, the service is stopped, the backup restored, and the service started", async () => {
    const server = await start();
    const cookie = await signUp(server);
    const shown = "/var/backups/latchkey/latchkey-2026-11-22T03-15-00.412Z.db";
    await must("latchkey backup --env-file latchkey.env kept.db", server.dir);
    const after = await signUp(server, "after@example.com");
    const lines = ofUnit(blockOf("docs/backup.md", "run: go back")).trim().split("\n");
    expect([lines.length, lines[0], lines[2]]).toEqual([
      3,
      "systemctl stop latchkey",
      "systemctl start latchkey",
    ]);
    await server.stop();
    await must(lines[1]?.replace(shown, "kept.db") ?? "", server.dir);
    const restored = await spawnLatchkey({ env: {}, cwd: server.dir });
    expect([await verify(restored, cookie), await verify(restored, after)]).toEqual([200, 401]);
    await restored.stop();
  });

  test.skipIf(process.getuid?.() !== 0)("files get the owner of their folder again (as root)", async () => {
    const folder = temporaryDirectory("owner");
    writeFileSync(join(folder, "secret"), "");
    await must(
      blockOf("docs/backup.md", "run: owner")
        .replace("latchkey:latchkey", "65534:65534")
        .replace("/var/lib/latchkey", folder),
      folder,
    );
    const { uid, gid } = statSync(join(folder, "secret"));
    expect([uid, gid]).toEqual([65_534, 65_534]);
  });

  test("a generated secret is rotated, and the old one dropped no sooner than its last session ends", async () => {
    const server = await start();
    const cookie = await signUp(server);
    const [rotate = "", drop = "", ...rest] = ofUnit(blockOf("docs/rotation.md", "run: rotate"))
      .trim()
      .split("\n");
    expect(rest).toEqual([]);
    await must(rotate, server.dir);
    const refused = await runCode(drop, { cwd: server.dir });
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(/\d{4}-\d\d-\d\d/)]);
    expect(await verify(server, cookie)).toBe(200);
    await server.stop();
  });

  test("S62: a change of a secret that is set signs nobody out as long as the old one is in", async () => {
    const server = await start();
    const cookie = await signUp(server);
    // A file of several.
    await must("latchkey secret rotate --env-file latchkey.env", server.dir);
    const code = blockOf("docs/rotation.md", "run: rotation")
      .replace("/var/lib/latchkey/", "data/")
      .replace("/etc/latchkey/", "");
    await must(code, server.dir);
    const written = join(server.dir, "secrets");
    expect(statSync(written).mode & 0o777).toBe(0o600);
    const secrets = readFileSync(written, "utf8");
    expect(secrets).toMatch(/^99:\S+,98:\S+,97:[^\s,]+$/);
    await server.stop();
    const drop = blockOf("docs/rotation.md", "systemd: credential");
    expect(drop).toContain("LoadCredential=secrets:/etc/latchkey/secrets\n");
    const [, name = ""] = /^Environment=(\w+)=%d\/secrets$/m.exec(drop) ?? [];
    const inFile = await spawnLatchkey({ env: { [name]: written }, cwd: server.dir });
    expect(await verify(inFile, cookie)).toBe(200);
    await inFile.stop();
    const both = await spawnLatchkey({ env: { BETTER_AUTH_SECRETS: secrets }, cwd: server.dir });
    expect(await verify(both, cookie)).toBe(200);
    await both.stop();
    const newest = secrets.split(",")[0] ?? "";
    const one = await spawnLatchkey({ env: { BETTER_AUTH_SECRETS: newest }, cwd: server.dir });
    expect(await verify(one, cookie)).toBe(401);
    await one.stop();
  });

  test("a log says what became of somebody", async () => {
    const server = await start();
    await signUp(server, "ann@example.com");
    const line = () => server.logs().find(({ event }) => event === "sign_up");
    while (line() === undefined) await Bun.sleep(10);
    writeFileSync(join(server.dir, "log"), server.stderr());
    const code = ofUnit(blockOf("docs/users.md", "run: events"));
    expect(code).toStartWith("journalctl -u latchkey -o cat | ");
    const printed = await must(code.replace("journalctl -u latchkey -o cat", "cat log"), server.dir);
    expect(printed).toContain("sign_up");
    await server.stop();
  });
});

test.skipIf(Bun.which("systemd-analyze") === null)(
  "the nightly backup is one that systemd and latchkey understand (needs systemd-analyze: apt-get install systemd)",
  async () => {
    const folder = temporaryDirectory("units");
    const executable = resolve(await buildExecutable());
    const paths = ["service", "timer"].map((kind) => join(folder, `latchkey-backup.${kind}`));
    writeFileSync(
      paths[0] ?? "",
      blockOf("docs/backup.md", "systemd: backup").replace("/usr/local/bin/latchkey", executable),
    );
    writeFileSync(paths[1] ?? "", blockOf("docs/backup.md", "systemd: backup timer"));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", ...paths]);
    const complaints = stderr.toString().split("\n");
    expect({ exitCode, complaints: complaints.filter((line) => line.includes(folder)) }).toEqual({
      exitCode: 0,
      complaints: [],
    });
    const command = /^ExecStart=\S+ (.+)$/m.exec(blockOf("docs/backup.md", "systemd: backup"))?.[1] ?? "";
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
