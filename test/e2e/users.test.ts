import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { parseObject } from "../support/process-output.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const another = "a new good password";

describe.each(dialects)("latchkey users beside a running server on %s", (dialect) => {
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

  let made = 0;
  const newEmail = () => `user${(made += 1)}@example.com`;
  const users = (args: readonly string[], stdin?: string) =>
    runLatchkey(["users", ...args], { env: database.env, ...(stdin === undefined ? {} : { stdin }) });
  /** What it prints as JSON. */
  const json = async (args: readonly string[], stdin?: string) => {
    const { exitCode, stdout, stderr } = await users([...args, "--json"], stdin);
    if (exitCode !== 0) throw new Error(`exit status ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const signUp = async (email = newEmail(), name = "Ann") => {
    const client = createClient(server.origin);
    const { data, error } = await client.auth.signUp.email({ email, password, name });
    expect(error).toBeNull();
    return { ...client, email, id: data?.user.id ?? "" };
  };
  const signIn = async (email: string, tried = password) => {
    const client = createClient(server.origin);
    return { ...client, status: (await client.auth.signIn.email({ email, password: tried })).error?.status };
  };
  const verify = async (client: Pick<ReturnType<typeof createClient>, "fetch">) =>
    (await client.fetch("/api/auth/verify")).status;
  const rowsOf = async (id: string) => {
    const counts: number[] = [];
    for (const [table, column] of [
      ['"user"', "id"],
      ["account", "user_id"],
      ["session", "user_id"],
    ])
      counts.push(
        Number(
          (await database.query(`SELECT count(*) AS n FROM ${table} WHERE ${column} = $1`, [id]))[0]?.["n"],
        ),
      );
    return counts;
  };
  const eventOf = (stderr: string) => stderr.split("\n").flatMap(parseObject)[0];

  test("revoke ends every session of one user at once, and says so in the log", async () => {
    const ann = await signUp();
    const other = await signIn(ann.email);
    const bystander = await signUp();
    expect([await verify(ann), await verify(other), await verify(bystander)]).toEqual([200, 200, 200]);
    const { exitCode, stdout, stderr } = await users(["revoke", ann.email.toUpperCase()]);
    expect([await verify(ann), await verify(other), await verify(bystander)]).toEqual([401, 401, 200]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${ann.email}: 2 sessions ended\n` });
    expect(eventOf(stderr)).toEqual({
      level: "info",
      time: expect.any(String),
      event: "session_revocation",
      outcome: "success",
      operator: process.getuid?.(),
      userId: ann.id,
      ended: 2,
      msg: "session revocation",
    });
    expect((await signIn(ann.email)).status).toBeUndefined();
  });

  test("list finds people by a part of the e-mail or name, in whichever case, and takes no wildcard", async () => {
    const tag = `q${crypto.randomUUID().slice(0, 8)}`;
    const ann = await signUp(`ann.${tag}@example.com`, "Änn 100% [x] a_b");
    const ben = await signUp(`ben.${tag}@example.com`, "Ben");
    const found = async (search: string) =>
      (await json(["list", "--search", search])).users.map((user: { id: string }) => user.id);
    expect(await found(tag.toUpperCase())).toEqual([ben.id, ann.id]);
    expect(await found(`ANN.${tag}`)).toEqual([ann.id]);
    for (const search of ["äNN 100%", "00% [X]", "A_B"]) expect(await found(search)).toContain(ann.id);
    for (const search of ["1%", "a%b", "[ab]en", "b.n", "a?b", "*", `n_${tag}`, `ann?${tag}`, "^"])
      expect(await found(search)).toEqual([]);
    const [user] = (await json(["list", "--search", `ben.${tag}`])).users;
    expect(user).toEqual({
      id: ben.id,
      email: ben.email,
      name: "Ben",
      emailVerified: false,
      image: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      updatedAt: expect.any(String),
      lockedAt: null,
      lastSessionAt: expect.any(String),
    });
    const { stdout, exitCode } = await users(["list", "--search", `ben.${tag}`]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ID +E-MAIL +NAME +CREATED +LAST SESSION +LOCKED\n.+ ben\..+ Ben {3}20.+ -\n$/);
  });

  test("list gives pages that new users do not move", async () => {
    const tag = `p${crypto.randomUUID().slice(0, 8)}`;
    const made: string[] = [];
    for (let at = 0; at < 5; at += 1) made.unshift((await signUp(`${at}.${tag}@example.com`)).id);
    // As old as another, to the microsecond where there are some.
    await database.query(
      `UPDATE "user" SET created_at = (SELECT created_at FROM "user" WHERE id = $1) WHERE id = $2`,
      [made[2] ?? "", made[3] ?? ""],
    );
    if (dialect !== "sqlite")
      await database.query(
        `UPDATE "user" SET created_at = created_at + interval '7 microseconds' WHERE email LIKE $1`,
        [`%${tag}%`],
      );
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page = await json([
        "list",
        "--search",
        tag,
        "--limit",
        "1",
        ...(after === null ? [] : ["--after", after]),
      ]);
      seen.push(...page.users.map((user: { id: string }) => user.id));
      after = page.next;
      await signUp(`late${seen.length}.${tag}@example.com`);
    } while (after !== null);
    expect(seen.toSorted()).toEqual(made.toSorted());
    const { stderr, stdout } = await users(["list", "--search", tag, "--limit", "2"]);
    expect(stdout.trim().split("\n")).toHaveLength(3);
    expect(stderr).toMatch(/^There are more: --after [\w-]+\n$/);
  });

  test("create makes an account that signs in, under the form of address that a sign-up keeps", async () => {
    const email = newEmail();
    const { user } = await json(["create", ` ${email.toUpperCase()} `, "--name", "Bén"], `${password}\n`);
    expect(user).toMatchObject({ email, name: "Bén", emailVerified: false, image: null });
    expect(user.id).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(await rowsOf(user.id)).toEqual([1, 1, 0]);
    const [account] = await database.query(
      "SELECT provider_id, account_id, password FROM account WHERE user_id = $1",
      [user.id],
    );
    expect(account).toEqual({
      provider_id: "credential",
      account_id: user.id,
      password: expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/),
    });
    expect((await signIn(email)).status).toBeUndefined();
    const again = await users(["create", email, "--name", "Ben"], another);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain(
      `Error: email: ${email} has an account already\nTry: latchkey users show ${email}\n`,
    );
    expect(eventOf(again.stderr)).toMatchObject({
      event: "account_creation",
      outcome: "failure",
      reason: "email_taken",
    });
    expect((await signIn(email, another)).status).toBe(401);
  });

  test("show tells whether there is a password, and how many sessions live", async () => {
    const ann = await signUp();
    await signIn(ann.email);
    const expired = dialect === "sqlite" ? "1" : "to_timestamp(1)";
    const one = `SELECT id FROM session WHERE user_id = $1 LIMIT 1`;
    await database.query(`UPDATE session SET expires_at = ${expired} WHERE id = (${one})`, [ann.id]);
    expect(await json(["show", ann.id])).toEqual({
      user: expect.objectContaining({ id: ann.id, email: ann.email }),
      hasPassword: true,
      sessions: 1,
    });
    await database.query("UPDATE account SET password = NULL WHERE user_id = $1", [ann.id]);
    expect(await json(["show", ann.email])).toMatchObject({ hasPassword: false });
  });

  test("rename and set-email count at the next verify, and leave people signed in", async () => {
    const ann = await signUp();
    const whoami = async () =>
      ((await (await ann.fetch("/api/auth/verify")).json()) as { user: object }).user;
    expect(await whoami()).toMatchObject({ name: "Ann", email: ann.email });
    await database.query(
      `UPDATE "user" SET email_verified = ${dialect === "sqlite" ? "1" : "true"} WHERE id = $1`,
      [ann.id],
    );
    await json(["rename", ann.email, "Anna 🙂"]);
    expect(await whoami()).toMatchObject({ name: "Anna 🙂", emailVerified: true });
    const email = newEmail();
    const { user } = await json(["set-email", ann.email, email.toUpperCase()]);
    expect(user).toMatchObject({ id: ann.id, email, emailVerified: false });
    expect(await whoami()).toMatchObject({ id: ann.id, name: "Anna 🙂", email, emailVerified: false });
    expect([(await signIn(ann.email)).status, (await signIn(email)).status]).toEqual([401, undefined]);
    const taken = await users(["set-email", email, (await signUp()).email]);
    expect([taken.exitCode, eventOf(taken.stderr)]).toEqual([
      2,
      expect.objectContaining({
        event: "email_change",
        outcome: "failure",
        reason: "email_taken",
        userId: ann.id,
      }),
    ]);
    expect(await whoami()).toMatchObject({ email });
  });

  test("set-password ends all sessions, and the old password signs in no more", async () => {
    const ann = await signUp();
    const { exitCode, stdout, stderr } = await users(["set-password", ann.email], `${another}\r\n`);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: `${ann.email} has a new password; 1 session ended\n`,
    });
    expect(stderr).not.toContain(another);
    expect([await verify(ann), (await signIn(ann.email)).status]).toEqual([401, 401]);
    const kept = await signIn(ann.email, another);
    expect(await json(["set-password", ann.id, "--keep-sessions"], password)).toEqual({
      userId: ann.id,
      ended: 0,
    });
    expect([await verify(kept), (await signIn(ann.email, another)).status]).toEqual([200, 401]);
    expect((await signIn(ann.email)).status).toBeUndefined();
  });

  test("set-password gives a password to whom another service left none", async () => {
    const ann = await signUp();
    await database.query("DELETE FROM account WHERE user_id = $1", [ann.id]);
    await json(["set-password", ann.email], another);
    expect(await rowsOf(ann.id)).toEqual([1, 1, 0]);
    expect((await signIn(ann.email, another)).status).toBeUndefined();
  });

  test("sessions lists them as the log names them, and revoke ends one", async () => {
    const ann = await signUp();
    const other = await signIn(ann.email);
    const { sessions } = await json(["sessions", ann.email]);
    expect(sessions).toEqual([
      {
        session: expect.stringMatching(/^[0-9a-f]{16}$/),
        id: expect.any(String),
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
        expiresAt: expect.any(String),
        ipAddress: "127.0.0.1",
        userAgent: expect.stringContaining("Bun"),
      },
      expect.objectContaining({ ipAddress: "127.0.0.1" }),
    ]);
    const logged = server.logs().find(({ event, userId }) => event === "sign_in" && userId === ann.id);
    expect(sessions[0].session).toBe(logged?.["session"]);
    expect(await json(["revoke", ann.email, "--session", sessions[0].session])).toEqual({
      userId: ann.id,
      ended: 1,
    });
    expect([await verify(ann), await verify(other)]).toEqual([200, 401]);
    const again = await users(["revoke", ann.email, "--session", sessions[0].session]);
    expect([again.exitCode, eventOf(again.stderr)?.["reason"]]).toEqual([2, "unknown_session"]);
    // Nobody else's.
    const ben = await signUp();
    expect((await users(["revoke", ben.email, "--session", sessions[1].id])).exitCode).toBe(2);
    expect(await verify(ann)).toBe(200);
    await json(["revoke", ann.email, "--session", sessions[1].id]);
    expect(await verify(ann)).toBe(401);
  });

  test("delete leaves nothing of a user, and of nobody else", async () => {
    const [ann, ben] = [await signUp(), await signUp()];
    const unconfirmed = await users(["delete", ann.email]);
    expect([unconfirmed.exitCode, unconfirmed.stderr]).toEqual([
      2,
      expect.stringContaining("Try: add --yes"),
    ]);
    expect(await verify(ann)).toBe(200);
    expect(await json(["delete", ann.email, "--yes"])).toEqual({ userId: ann.id, ended: 1 });
    expect([await verify(ann), await verify(ben), (await signIn(ann.email)).status]).toEqual([401, 200, 401]);
    expect([await rowsOf(ann.id), await rowsOf(ben.id)]).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ]);
    const again = await users(["delete", ann.email, "--yes"]);
    expect([again.exitCode, eventOf(again.stderr)?.["reason"]]).toEqual([2, "unknown_user"]);
    expect((await signUp(ann.email)).id).not.toBe(ann.id);
  });
});
