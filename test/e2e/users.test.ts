import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { parseObject } from "../support/process-output.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";

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
      lastSessionAt: expect.any(String),
    });
    const { stdout, exitCode } = await users(["list", "--search", `ben.${tag}`]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ID +E-MAIL +NAME +CREATED +LAST SESSION\n.+ ben\..+ Ben {3}20.+\n$/);
  });
});
