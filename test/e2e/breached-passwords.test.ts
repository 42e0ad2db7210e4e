import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient } from "../support/form-client.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";
import { metricsUrlOf, scrape } from "../support/metrics.ts";
import { openRangeServer, type RangeServer, sha1Digits } from "../support/range-server.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

/** Common ones that are on no list of latchkey's. */
const breached = ["P@ssw0rd1!2024", "Summer2019!!", "пароль12345678"];
const [bad = ""] = breached;
const good = "nobody ever had this one";
const sentence = "This password is in a known data breach. Choose another.";
const sentences = {
  en: sentence,
  de: "Dieses Passwort steht in einem bekannten Datenleck. Wählen Sie ein anderes.",
  es: "Esta contraseña figura en una filtración de datos. Elige otra.",
  fr: "Ce mot de passe figure dans une fuite de données. Choisissez-en un autre.",
  ja: "このパスワードは過去に流出しています。別のものを選んでください。",
};
const refusal = {
  status: 400,
  code: "PASSWORD_BREACHED",
  message: "This password is in a known data breach. Choose another one.",
};
let people = 0;
const newcomer = (password: string) => ({ name: "Ann", email: `ann-${(people += 1)}@example.com`, password });

async function post(client: Pick<ReturnType<typeof createClient>, "fetch">, path: string, body: object) {
  const response = await client.fetch(`/api/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { code, message } = (await response.json()) as { code?: string; message?: string };
  return { status: response.status, code, message };
}

function errorOf(html: string, id: string): string | undefined {
  return attribute(html, new RegExp(`id="${id}-error"[^>]*>(.*?)</p>`))
    ?.replaceAll(/<[^>]*>/g, "")
    .replace(/^\S+\s*:\s*/, "");
}

async function writeFilter(texts: readonly string[]): Promise<string> {
  const file = join(temporaryDirectory("breached"), "breached.filter");
  const stdin = texts.map((text) => `${sha1Digits(text)}:3\n`).join("");
  const { exitCode, stdout, stderr } = await runLatchkey(["passwords", "build", "-", file], {
    env: {},
    stdin,
  });
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: `${file}: ${texts.length} hashes of ${texts.length} lines, 8192 bytes\n`,
    stderr: "",
  });
  return file;
}

describe.each(dialects)("S3: breached passwords on %s", (dialect) => {
  let database: TestDatabase;
  let ranges: RangeServer;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    ranges = openRangeServer(breached);
  });
  afterAll(async () => {
    await ranges.stop();
    await database.close();
  });
  const hashOf = async ({ id }: Pick<Member, "id">) =>
    (await database.query("SELECT password FROM account WHERE user_id = $1", [id]))[0]?.["password"];
  const known = async (server: RunningLatchkey, member: Member) =>
    member.browser(server.origin, await member.session());

  describe.each(["api", "file"] as const)("looked up by %s", (by) => {
    let server: RunningLatchkey;
    let env: Record<string, string>;
    beforeAll(async () => {
      env = {
        ...database.env,
        LATCHKEY_PASSWORD_BREACHED: by,
        LATCHKEY_METRICS_LISTEN: "127.0.0.1:0",
        ...(by === "api"
          ? { LATCHKEY_PASSWORD_BREACHED_URL: ranges.url }
          : { LATCHKEY_PASSWORD_BREACHED_FILE: await writeFilter(breached) }),
      };
      server = await spawnLatchkey({ env });
    });
    afterAll(() => server.stop());
    const users = (args: readonly string[], stdin = "") =>
      runLatchkey(["users", ...args], { env: { ...env, BETTER_AUTH_URL: server.origin }, stdin });
    const tokenOf = async ({ email }: Member) =>
      new URL((await users(["recovery-link", email])).stdout.trim()).searchParams.get("token") ?? "";

    test("are refused at sign-up, by the API and on the page, and nothing is made", async () => {
      const [{ count } = {}] = await database.query('SELECT count(*) AS count FROM "user"');
      for (const password of breached)
        expect(await post(createClient(server.origin), "/sign-up/email", newcomer(password))).toEqual(
          refusal,
        );
      for (const [language, words] of Object.entries(sentences)) {
        const visitor = createFormClient(server.origin);
        const said = await visitor.post("/signup", newcomer(bad), { "accept-language": language });
        expect([said.status, said.headers.getSetCookie()]).toEqual([400, []]);
        expect(said.html).toContain(words);
        if (language === "en") expect(errorOf(said.html, "password")).toBe(words);
      }
      expect(await database.query('SELECT count(*) AS count FROM "user"')).toEqual([{ count }]);
      expect(await post(createClient(server.origin), "/sign-up/email", newcomer(good))).toMatchObject({
        status: 200,
      });
    });

    test("are refused at a change, which changes nothing and ends nothing", async () => {
      const member = await addMember(database);
      const before = await hashOf(member);
      const client = await known(server, member);
      const change = { currentPassword: memberPassword, newPassword: bad, revokeOtherSessions: "true" };
      expect(await post(client, "/change-password", change)).toEqual(refusal);
      const page = createFormClient(server.origin, server.origin, client.jar);
      const changed = await page.post("/account/password", change);
      expect([changed.status, errorOf(changed.html, "new-password")]).toEqual([400, sentence]);
      expect(await hashOf(member)).toBe(before);
      expect((await client.fetch("/api/auth/verify")).status).toBe(200);
      expect(await post(client, "/change-password", { ...change, newPassword: good })).toMatchObject({
        status: 200,
      });
    });

    test("are refused by a link for a new one, which works on", async () => {
      const member = await addMember(database);
      const token = await tokenOf(member);
      const client = createClient(server.origin);
      expect(await post(client, "/reset-password", { token, newPassword: bad })).toEqual(refusal);
      const page = await createFormClient(server.origin).post("/recover", { token, newPassword: bad });
      expect([page.status, errorOf(page.html, "new-password") ?? page.html]).toEqual([400, sentence]);
      expect(await post(client, "/reset-password", { token, newPassword: good })).toMatchObject({
        status: 200,
      });
    });

    test("let one of two who use a link at once set a password", async () => {
      const member = await addMember(database);
      const token = await tokenOf(member);
      const reset = (newPassword: string) =>
        post(createClient(server.origin), "/reset-password", { token, newPassword });
      const both = await Promise.all([reset("the first good one"), reset("the other good one")]);
      expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400]);
      expect(both.find(({ status }) => status === 400)?.code).toBe("INVALID_RECOVERY_TOKEN");
    });

    test("are refused to the operator, with the remedy", async () => {
      const member = await addMember(database);
      const before = await hashOf(member);
      const email = `operator-${by}@example.com`;
      for (const args of [
        ["set-password", member.email],
        ["create", email, "--name", "Ann"],
      ]) {
        const { exitCode, stdout, stderr } = await users(args, bad);
        expect([exitCode, stdout, stderr]).toEqual([
          2,
          "",
          expect.stringMatching(
            /password: This password is in a known data breach[\s\S]*LATCHKEY_PASSWORD_BREACHED/,
          ),
        ]);
        expect(stderr).toContain('"reason":"PASSWORD_BREACHED"');
      }
      expect(await hashOf(member)).toBe(before);
      expect((await users(["create", email, "--name", "Ann"], good)).exitCode).toBe(0);
    });

    test("still sign in, and are looked up neither then nor for strangers", async () => {
      const member = await addMember(database);
      const options = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
      await database.query("UPDATE account SET password = $1 WHERE user_id = $2", [
        await Bun.password.hash(bad, options),
        member.id,
      ]);
      const { length } = ranges.asked;
      const before = await scrape(metricsUrlOf(server));
      const stranger = createClient(server.origin);
      expect(await post(stranger, "/sign-in/email", { email: member.email, password: bad })).toMatchObject({
        status: 200,
      });
      const change = { currentPassword: bad, newPassword: "for a stranger 1" };
      expect((await post(createClient(server.origin), "/change-password", change)).status).toBe(401);
      const reset = { token: "x".repeat(43), newPassword: "for a stranger 2" };
      expect((await post(createClient(server.origin), "/reset-password", reset)).code).toBe(
        "INVALID_RECOVERY_TOKEN",
      );
      for (const password of ["password1", "short", "latchkey"])
        expect((await post(createClient(server.origin), "/sign-up/email", newcomer(password))).status).toBe(
          400,
        );
      expect(ranges.asked).toHaveLength(length);
      const after = await scrape(metricsUrlOf(server));
      for (const outcome of ["breached", "unknown", "unavailable"]) {
        const series = `latchkey_password_lookups_total{outcome="${outcome}"}`;
        expect([outcome, after.value(series)]).toEqual([outcome, before.value(series)]);
      }
      expect(after.value('latchkey_password_lookups_total{outcome="breached"}')).toBeGreaterThan(10);
    });
  });

  test("pass while the API is silent, within its deadline, with a figure and a line a minute", async () => {
    const server = await spawnLatchkey({
      env: {
        ...database.env,
        LATCHKEY_PASSWORD_BREACHED: "api",
        LATCHKEY_PASSWORD_BREACHED_URL: ranges.url,
        LATCHKEY_METRICS_LISTEN: "127.0.0.1:0",
        LATCHKEY_HASH_CONCURRENCY: "1",
      },
    });
    ranges.behave("silence");
    const started = performance.now();
    const answers = await Promise.all(
      breached.map((password) => post(createClient(server.origin), "/sign-up/email", newcomer(password))),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(performance.now() - started).toBeLessThan(4_000);
    // Nobody else waits for that: neither a sign-in nor a verify stands behind it.
    const member = await addMember(database);
    const { length } = ranges.asked;
    const slow = Array.from({ length: 8 }, (_, at) =>
      post(createClient(server.origin), "/sign-up/email", newcomer(`nobody has had this one ${at}`)),
    );
    while (ranges.asked.length === length) await Bun.sleep(5);
    const quick = await post(createClient(server.origin), "/sign-in/email", {
      email: member.email,
      password: memberPassword,
    });
    const others = await Promise.race([Promise.all(slow), Promise.resolve("still wait")]);
    expect([quick.status, others]).toEqual([200, "still wait"]);
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(slow.map(() => 200));
    ranges.behave("answer");
    expect(await post(createClient(server.origin), "/sign-up/email", newcomer(bad))).toEqual(refusal);
    const { value } = await scrape(metricsUrlOf(server));
    expect(value('latchkey_password_lookups_total{outcome="unavailable"}')).toBe(3 + slow.length);
    await server.stop();
    const said = server.logs().filter(({ msg }) => String(msg).includes("could not be looked up"));
    expect(said).toEqual([
      expect.objectContaining({
        level: "warn",
        cause: [expect.objectContaining({ message: expect.any(String) })],
      }),
    ]);
    for (const password of breached) {
      const digits = sha1Digits(password);
      expect(server.stderr()).not.toContain(digits.slice(0, 5));
      expect(server.stderr().toUpperCase()).not.toContain(digits.slice(5));
    }
  });
});

test("the command of docs/breached-passwords.md makes a file", async () => {
  const code = readDocument("docs/breached-passwords.md").blocks.find(
    ({ marker }) => marker === "run: breached",
  )?.code;
  const folder = temporaryDirectory("operations");
  symlinkSync(resolve(await buildExecutable()), join(folder, "latchkey"));
  writeFileSync(join(folder, "pwned-passwords.txt"), `${sha1Digits(bad)}:3\n`);
  const env = { PATH: `${folder}:${process.env["PATH"]}` };
  const shell = Bun.spawn(["sh", "-eu", "-c", code ?? "exit 9"], { cwd: folder, env, stdout: "pipe" });
  expect([await shell.exited, await new Response(shell.stdout).text()]).toEqual([
    0,
    expect.stringContaining("breached.filter: 1 hashes of 1 lines"),
  ]);
});

describe("a file of breached passwords that cannot be used", () => {
  test("refuses the start with the reason, of one process and of workers, before there is a database", async () => {
    const file = await writeFilter(breached);
    const start = async (path: string, more: Record<string, string> = {}) => {
      const env = {
        PORT: "0",
        LATCHKEY_PASSWORD_BREACHED: "file",
        LATCHKEY_PASSWORD_BREACHED_FILE: path,
        ...more,
      };
      const cwd = temporaryDirectory("refused");
      const { exitCode, stderr } = await runLatchkey(["serve"], { env, cwd });
      if (more["LATCHKEY_WORKERS"] === undefined)
        expect(existsSync(join(cwd, "data", "latchkey.db"))).toBe(false);
      return [exitCode, stderr];
    };
    const refused = (reason: string) => [1, expect.stringContaining(reason)];
    expect(await start(`${file}.none`)).toEqual(refused(`${file}.none is not there`));
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(4_100) ^ 8, 4_100);
    writeFileSync(file, bytes);
    expect(await start(file)).toEqual(refused("is damaged: page 1 of 1 is not as it was written"));
    expect(await start(file, { LATCHKEY_WORKERS: "2" })).toEqual(refused("is damaged: page 1 of 1"));
    writeFileSync(file, bytes.subarray(0, 4_096));
    expect(await start(file)).toEqual(refused("is damaged: it has 4096 bytes, and should have 8192"));
    writeFileSync(file, "SHA1:1\n");
    expect(await start(file)).toEqual(refused("is no file that latchkey passwords build made"));
  });

  test("stops an operator's command before anything is done", async () => {
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: database.env });
    const env = {
      ...database.env,
      LATCHKEY_PASSWORD_BREACHED: "file",
      LATCHKEY_PASSWORD_BREACHED_FILE: join(server.dir, "none"),
    };
    const { exitCode, stderr } = await runLatchkey(["users", "create", "ann@example.com", "--name", "Ann"], {
      env,
      stdin: good,
    });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("is not there")]);
    expect(await database.query('SELECT id FROM "user"')).toEqual([]);
    await server.stop();
    await database.close();
  });
});
