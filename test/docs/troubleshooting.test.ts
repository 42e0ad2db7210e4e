import { Database } from "bun:sqlite";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { blockOf, runCode } from "../support/documented.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { openMailbox } from "../support/mailbox.ts";
import { outputPattern, projectDirectory, readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const page = "docs/troubleshooting.md";
const { blocks } = readDocument(page);
const password = "correct horse battery";
const docsSite = "https://docs.example.com";

type Environment = Readonly<Record<string, string>>;

interface Place {
  readonly dir: string;
  /** Default: the shell's own, empty. */
  readonly env?: Environment;
  /** Where latchkey answers; default: nowhere. */
  readonly url?: string;
}

/** What a symptom's commands print, on a machine whose service has `unit` as its environment and wrote the file `log`. */
async function look(
  symptom: string,
  { dir, env = {}, url = "http://localhost:1" }: Place,
  unit: Environment = {},
) {
  const lines = Object.entries(unit).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(dir, "latchkey.env"), [`LATCHKEY_DATA_DIR=${join(dir, "data")}\n`, ...lines].join(""));
  const code = blockOf(page, `run: ${symptom}`)
    .replaceAll("--unit latchkey", "--env-file latchkey.env")
    .replace(/journalctl -u latchkey -o cat (?:--since -1h|-n 20)/, "cat log")
    .replaceAll("/var/lib/latchkey", join(dir, "data"))
    .replace("http://localhost:3001", url);
  expect(code).not.toMatch(/journalctl|--unit/);
  return await runCode(code, { cwd: dir, env });
}

/** The lines that the page shows behind a symptom's commands, each of which must be among those that were printed. */
function expectShown(symptom: string, printed: string): void {
  const at = blocks.findIndex(({ marker }) => marker === `run: ${symptom}`);
  const shown = blocks[at + 1];
  expect([symptom, shown?.marker]).toEqual([symptom, "prints"]);
  const lines = printed.split("\n");
  const missing = (shown?.code ?? "")
    .trimEnd()
    .split("\n")
    .filter((line) => !lines.some((candidate) => outputPattern(line).test(candidate)));
  expect({ missing, printed }).toEqual({ missing: [], printed });
}

const post = async ({ url }: RunningLatchkey, path: string, body: object, headers: Environment = {}) =>
  await fetch(`${url}/api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
const guess = async (server: RunningLatchkey) =>
  (await post(server, "sign-in/email", { email: "ann@example.com", password: "wrong horse battery" })).status;
const signUp = async (server: RunningLatchkey) => {
  const answer = await post(server, "sign-up/email", { name: "Ann", email: "ann@example.com", password });
  expect(answer.status).toBe(200);
  return answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
};
/** Once the log has a line of each event. */
const keepLog = async (server: RunningLatchkey, ...events: readonly string[]) => {
  const written = () => server.logs().map(({ event }) => event);
  while (!events.every((event) => written().includes(event))) await Bun.sleep(10);
  writeFileSync(join(server.dir, "log"), server.stderr());
};
const exactly = (text: string) => expect.stringContaining(text);

describe("what the page says to look at shows it", () => {
  test.each([
    ["signed out", "https://auth.example.com", "https://ann.github.io,http://docs.example.com"],
    ["api 401", "https://auth.example.com", `${docsSite},https://api.example.com`],
  ])("%s", async (symptom, BETTER_AUTH_URL, BETTER_AUTH_TRUSTED_ORIGINS) => {
    const dir = temporaryDirectory("doctor");
    const { stdout } = await look(symptom, { dir }, { BETTER_AUTH_URL, BETTER_AUTH_TRUSTED_ORIGINS });
    const local = { BETTER_AUTH_TRUSTED_ORIGINS: "http://127.0.0.1:3000" };
    const there = symptom === "signed out" ? (await look(symptom, { dir }, local)).stdout : "";
    expectShown(symptom, stdout + there);
  });

  test("a first look, the clock and the disk, where all is well", async () => {
    const server = await spawnLatchkey({ env: {} });
    await guess(server);
    await keepLog(server, "sign_in");
    const { exitCode, stdout } = await look("first look", server);
    expect([exitCode, stdout]).toEqual([0, exactly('"status":"ok"')]);
    expect(stdout).toContain('"event":"sign_in","outcome":"failure"');
    expect(stdout).toContain("configuration: ");
    expectShown("clock", (await look("clock", server)).stdout);
    const disk = await look("disk", server);
    expect([disk.exitCode, disk.stdout]).toEqual([0, expect.stringMatching(/^ok +disk: \d+ MiB free/m)]);
    expect(disk.stdout).toMatch(/ latchkey\.db$/m);
    await server.stop();
  });

  test("the codes of verify, and a secret that is another one", async () => {
    const server = await spawnLatchkey({ env: {} });
    const COOKIE = await signUp(server);
    const { dir, url } = server;
    const ask = async (cookie: string) =>
      (await look("verify", { dir, url, env: { COOKIE: cookie } })).stdout;
    expect(await ask(COOKIE)).toContain('"valid":true');
    expect(await ask("theme=dark")).toContain('"code":"NO_CREDENTIALS"');
    await post(server, "sign-out", {}, { cookie: COOKIE, origin: server.origin });
    expect(await ask(COOKIE)).toContain('"code":"SESSION_EXPIRED"');
    await server.stop();
    const other = await spawnLatchkey({ env: {} });
    expectShown("secret", (await look("secret", { dir, url: other.url, env: { COOKIE } })).stdout);
    await other.stop();
  });

  test("a database that is lost", async () => {
    const server = await spawnLatchkey({ env: {} });
    for (const name of ["latchkey.db", "latchkey.db-wal"]) truncateSync(join(server.dir, "data", name));
    expectShown("outage", (await look("outage", server)).stdout);
    await server.stop();
  });

  test("an origin that is not listed", async () => {
    const server = await spawnLatchkey({ env: {} });
    const answer = await post(
      server,
      "sign-in/email",
      { email: "ann@example.com", password },
      { origin: docsSite },
    );
    expect([answer.status, await answer.json()]).toMatchObject([403, { code: "INVALID_ORIGIN" }]);
    await fetch(`${server.url}/signin?callbackUrl=${encodeURIComponent(`${docsSite}/guide`)}`);
    await keepLog(server, "origin_refused", "callback_refused");
    expectShown("origin", (await look("origin", server)).stdout);
    await server.stop();
  });

  test("a limit", async () => {
    const server = await spawnLatchkey({ env: { LATCHKEY_LIMITS: "on" } });
    while ((await guess(server)) !== 429);
    while (!server.stderr().includes("limit_account")) await Bun.sleep(10);
    await keepLog(server, "sign_in");
    expectShown("limited", (await look("limited", server)).stdout);
    await server.stop();
  });

  test("mail that waits, and one that is sent now", async () => {
    const mailbox = await openMailbox();
    const server = await spawnLatchkey({ env: mailbox.env });
    const { exitCode, stderr } = await look("mail", server, mailbox.env);
    expect([exitCode, exitCode === 0 ? "" : stderr]).toEqual([0, ""]);
    expect((await mailbox.next("you@example.com")).to).toBe("you@example.com");
    await server.stop();
    await mailbox.close();
  });

  test("a link for who forgot a password, which the page says what it does", async () => {
    const server = await spawnLatchkey({ env: {} });
    const cookie = await signUp(server);
    const { exitCode, stdout, stderr } = await look("forgotten", server, { BETTER_AUTH_URL: docsSite });
    expect([exitCode, exitCode === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^https:\/\/docs\.example\.com\/recover\?token=[\w-]{43}\n$/);
    const [command = ""] =
      /`(latchkey users set-password [^`]+)`/.exec(readDocument(page).text)?.slice(1) ?? [];
    const set = await runCode(command.replace("--unit latchkey", "--env-file latchkey.env"), {
      cwd: server.dir,
      typed: "a new good password\n",
    });
    expect([set.exitCode, set.exitCode === 0 ? "" : set.stderr]).toEqual([0, ""]);
    const verify = await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } });
    const signIn = { email: "ann@example.com", password: "a new good password" };
    expect([verify.status, (await post(server, "sign-in/email", signIn)).status]).toEqual([401, 200]);
    await server.stop();
  });

  test("a public URL that was forgotten", async () => {
    expectShown("public url", (await look("public url", { dir: temporaryDirectory("url") })).stdout);
  });

  test.skipIf(Bun.which("fuser") === null)(
    "who has the database (needs fuser: apt-get install psmisc)",
    async () => {
      const server = await spawnLatchkey({ env: {} });
      const holder = new Database(join(server.dir, "data", "latchkey.db"));
      holder.run("BEGIN IMMEDIATE");
      const answer = await post(server, "sign-up/email", { name: "Ann", email: "ann@example.com", password });
      expect([answer.status, await answer.json()]).toMatchObject([503, { code: "STORE_UNAVAILABLE" }]);
      while (!server.stderr().includes("database is locked")) await Bun.sleep(10);
      const { stdout } = await look("locked", server);
      const pids = stdout.trim().split(/\s+/).map(Number);
      expect(pids).toContain(server.pid);
      expect(pids).toContain(process.pid);
      holder.close();
      await server.stop();
    },
  );
});

describe("what a start that fails says stands in the table", () => {
  const rows = readDocument(page).tables.find(({ header }) => header[0] === "what it says")?.rows ?? [];
  const documented = rows.map(([cell = ""]) => cell.replaceAll("`", ""));
  const secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh";
  const server = "postgresql://latchkey:pw@127.0.0.1:1/latchkey";

  /** A data directory without its database, whose log is there. */
  function leftBehind(): string {
    const dir = temporaryDirectory("left-behind");
    writeFileSync(join(dir, "latchkey.db-wal"), "something");
    return dir;
  }

  test.each<readonly [string, Environment, (said: string) => string]>([
    ["a port that is taken", { PORT: "taken" }, (said) => said.replace(/port \d+/, "port 3001")],
    ["a name that is no setting", { LATCHKEY_FOO: "1" }, (said) => said],
    ["plain http", { BETTER_AUTH_URL: "http://auth.example.com" }, (said) => said],
    ["no secret", { DATABASE_URL: server }, (said) => said],
    ["no folder", { LATCHKEY_DATA_DIR: "/proc/nothing" }, (said) => said],
    [
      "a file that is gone",
      { LATCHKEY_DATA_DIR: leftBehind() },
      (said) => said.replace(/^\S+(?=latchkey\.db)/, ""),
    ],
    ["no server", { DATABASE_URL: server, BETTER_AUTH_SECRET: secret }, (said) => said],
  ])("%s", async (_what, env, adapt) => {
    const dir = temporaryDirectory("not-started");
    using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const port = env["PORT"] === undefined ? {} : { PORT: String(taken.port) };
    const { exitCode, stderr } = await runCode("latchkey", { cwd: dir, env: { PORT: "0", ...env, ...port } });
    expect(exitCode).toBeGreaterThan(0);
    writeFileSync(join(dir, "log"), stderr);
    const { stdout } = await look("not started", { dir }, env["PORT"] === undefined ? env : {});
    const said = adapt(/(?<=^Error: ).*$/m.exec(stdout)?.[0] ?? "");
    expect({ said, row: documented.find((row) => outputPattern(`${row}…`).test(said)) }).toEqual({
      said,
      row: expect.any(String),
    });
  });

  test("and of a newer schema, which another test tries", () => {
    const source = readFileSync(join(projectDirectory, "src/database/apply-migrations.ts"), "utf8");
    const newer = documented.filter((row) => source.includes(row));
    expect([newer.length, documented.length]).toEqual([1, 8]);
  });
});
