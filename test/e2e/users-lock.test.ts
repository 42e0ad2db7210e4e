import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { parseObject } from "../support/process-output.ts";

setDefaultTimeout(60_000);

const another = "a new good password";

describe.each(dialects)("a locked user on %s", (dialect) => {
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
  const users = (args: readonly string[], stdin = "") =>
    runLatchkey(["users", ...args], { env: database.env, stdin });
  const json = async (args: readonly string[], stdin?: string) => {
    const { exitCode, stdout, stderr } = await users([...args, "--json"], stdin);
    if (exitCode !== 0) throw new Error(`exit status ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const eventOf = (stderr: string) => stderr.split("\n").flatMap(parseObject)[0];
  const signIn = (email: string, password = memberPassword) =>
    createClient(server.origin).fetch("/api/auth/sign-in/email", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
  const count = async (text: string, id: string) =>
    Number((await database.query(`SELECT count(*) AS n FROM ${text} = $1`, [id]))[0]?.["n"]);

  test("is signed out everywhere at once, and reaches nothing that needs a session", async () => {
    const member = await addMember(database);
    const bystander = await addMember(database);
    const browser = member.browser(server.origin, await member.session());
    const other = member.browser(server.origin, await member.session());
    const stranger = bystander.browser(server.origin, await bystander.session());
    const verify = async (client: typeof browser) => (await client.fetch("/api/auth/verify")).status;
    expect([await verify(browser), await verify(other), await verify(stranger)]).toEqual([200, 200, 200]);
    const { exitCode, stdout, stderr } = await users(["lock", member.email]);
    expect([await verify(browser), await verify(other), await verify(stranger)]).toEqual([401, 401, 200]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: `${member.email} is locked; 2 sessions ended\n`,
    });
    expect(eventOf(stderr)).toMatchObject({
      event: "account_lock",
      outcome: "success",
      operator: process.getuid?.(),
      userId: member.id,
      ended: 2,
    });
    const post = async (path: string, body: object) => {
      const headers = { "content-type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return (await browser.fetch(`/api/auth/${path}`, init)).status;
    };
    expect([
      await post("change-password", { currentPassword: memberPassword, newPassword: another }),
      await post("update-user", { name: "Ben" }),
      await post("delete-user", { password: memberPassword }),
    ]).toEqual([401, 401, 401]);
    expect(await (await browser.fetch("/api/auth/get-session")).text()).toBe("null");
    expect(await count("session WHERE user_id", member.id)).toBe(0);
  });

  test("is answered as one whose password is wrong, to the byte, and only the log knows", async () => {
    const member = await addMember(database);
    const answerOf = async (password?: string) => {
      const response = await signIn(member.email, password);
      const headers = Object.fromEntries(response.headers);
      // Of each answer its own.
      for (const name of ["x-request-id", "date"]) delete headers[name];
      const id = response.headers.get("x-request-id");
      return { id, said: { status: response.status, headers, body: await response.text() } };
    };
    const wrong = await answerOf("wrong horse battery");
    await users(["lock", member.id]);
    const right = await answerOf();
    const wrongToo = await answerOf("wrong horse battery");
    expect(wrong.said.status).toBe(401);
    expect(wrong.said.headers["set-cookie"]).toBeUndefined();
    expect([right.said, wrongToo.said]).toEqual([wrong.said, wrong.said]);
    const reasonOf = (id: string | null) =>
      server.logs().find((line) => line["requestId"] === id)?.["reason"];
    while (reasonOf(wrongToo.id) === undefined) await Bun.sleep(10);
    expect([reasonOf(wrong.id), reasonOf(right.id), reasonOf(wrongToo.id)]).toEqual([
      "wrong_password",
      "locked",
      "wrong_password",
    ]);
  });

  test("is shown as one, stays so whatever is set, and signs in again once unlocked", async () => {
    const member = await addMember(database);
    const lockedAtOf = async () => (await json(["show", member.id])).user.lockedAt;
    expect(await lockedAtOf()).toBeNull();
    expect(await json(["lock", member.email])).toEqual({ userId: member.id, ended: 0 });
    const lockedAt = await lockedAtOf();
    expect(Math.abs(Date.now() - Date.parse(lockedAt))).toBeLessThan(60_000);
    expect(await json(["lock", member.email])).toEqual({ userId: member.id, ended: 0 });
    await json(["set-password", member.email], another);
    await json(["rename", member.email, "Ben"]);
    expect(await lockedAtOf()).toBe(lockedAt);
    const { users: found } = await json(["list", "--search", member.email]);
    expect(found).toEqual([expect.objectContaining({ id: member.id, name: "Ben", lockedAt })]);
    expect((await users(["show", member.id])).stdout).toContain(`locked    since ${lockedAt}\n`);
    expect((await users(["list", "--search", member.email])).stdout).toMatch(
      new RegExp(` -  +${lockedAt}\n$`),
    );
    expect((await signIn(member.email, another)).status).toBe(401);
    const { exitCode, stderr } = await users(["unlock", member.email]);
    expect([exitCode, eventOf(stderr)]).toEqual([
      0,
      expect.objectContaining({ event: "account_unlock", outcome: "success", userId: member.id }),
    ]);
    expect((await users(["show", member.id])).stdout).toContain("locked    no\n");
    expect((await signIn(member.email, another)).status).toBe(200);
    expect(await json(["unlock", member.email])).toMatchObject({ user: { id: member.id, lockedAt: null } });
  });

  test("is deleted with the lock", async () => {
    const member = await addMember(database);
    await json(["lock", member.id]);
    expect(await count("latchkey_lock WHERE user_id", member.id)).toBe(1);
    await json(["delete", member.id, "--yes"]);
    expect(await count('"user" WHERE id', member.id)).toBe(0);
    expect(await count("latchkey_lock WHERE user_id", member.id)).toBe(0);
  });

  test("has to be somebody", async () => {
    for (const command of ["lock", "unlock"]) {
      const { exitCode, stdout, stderr } = await users([command, "nobody@example.com"]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain("nobody has the e-mail address or id nobody@example.com");
      expect(eventOf(stderr)).toMatchObject({ event: `account_${command}`, reason: "unknown_user" });
    }
  });
});
