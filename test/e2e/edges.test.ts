import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signToken } from "../../src/session/cookie.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { runLatchkey, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(60_000);

let database: TestDatabase;
let server: RunningLatchkey;
let secret: string;
beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  secret = database.env["BETTER_AUTH_SECRET"] ?? "";
  server = await spawnLatchkey({ env: database.env });
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

const requestOrigin = "http://localhost:3000";
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: requestOrigin, ...headers },
    body: JSON.stringify(body),
    redirect: "manual",
  });

describe("C18: a callbackURL", () => {
  test.each([
    ["/docs/ā", "/docs/%C4%81"],
    ["/docs/a b", "/docs/a%20b"],
    ["/docs/😀?q=ü#é", "/docs/%F0%9F%98%80?q=%C3%BC#%C3%A9"],
    ["/docs/plain?x=%20", "/docs/plain?x=%20"],
  ])("%s is written into Location as %s", async (callbackURL, location) => {
    const { email } = await addMember(database);
    const answer = await post("sign-in/email", { email, password: memberPassword, callbackURL });
    expect([answer.status, answer.headers.get("location")]).toEqual([200, location]);
    expect(await answer.json()).toMatchObject({ redirect: true, url: location });
  });

  test.each(["/docs/\r\nSet-Cookie: a=b", "/docs/\ttab", "/docs/\u0085"])(
    "S53: %j is 400",
    async (callbackURL) => {
      const { email } = await addMember(database);
      const answer = await post("sign-in/email", { email, password: memberPassword, callbackURL });
      expect([answer.status, await answer.json()]).toMatchObject([400, { code: "VALIDATION_ERROR" }]);
    },
  );
});

test("S10: an empty password is wrong, of an account and of nobody alike", async () => {
  const { email } = await addMember(database);
  const answers = await Promise.all(
    [email, "nobody@example.com"].map(async (address) => {
      const answer = await post("sign-in/email", { email: address, password: "" });
      return [answer.status, await answer.text()];
    }),
  );
  expect(answers[0]).toMatchObject([401, expect.stringContaining("INVALID_EMAIL_OR_PASSWORD")]);
  expect(answers[1]).toEqual(answers[0]);
});

describe("C18: a program without a browser's headers", () => {
  test("signs in by Node's own fetch, which sends Sec-Fetch-Mode alone", async () => {
    const { email } = await addMember(database);
    const script = `
      import { createAuthClient } from "better-auth/client";
      const client = createAuthClient({ baseURL: ${JSON.stringify(server.url)} });
      const { data, error } = await client.signIn.email({ email: ${JSON.stringify(email)}, password: ${JSON.stringify(memberPassword)} });
      console.log(JSON.stringify({ email: data?.user.email, error }));`;
    const node = Bun.spawn(["node", "--input-type=module", "-e", script], {
      cwd: join(import.meta.dir, "../.."),
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(node.stdout).json()).toEqual({ email, error: null });
  });

  test.each([
    ["of a foreign site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }],
    ["that navigates from elsewhere", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }],
  ])("is no way in for a browser %s that hides its origin", async (_what, headers) => {
    const { email } = await addMember(database);
    const answer = await fetch(`${server.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ email, password: memberPassword }),
    });
    expect(answer.status).toBe(403);
  });
});

describe("C19: a body", () => {
  /** What comes on a connection, and when it ends. */
  const connect = async () => {
    const { hostname, port } = new URL(server.url);
    const closed = Promise.withResolvers<void>();
    let text = "";
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_socket, bytes) => void (text += bytes.toString()),
        end: () => closed.resolve(),
        close: () => closed.resolve(),
      },
    });
    return { socket, closed: closed.promise.then(() => true), text: () => text };
  };
  const head =
    "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";

  test("S40: that never comes does not keep its connection", async () => {
    const { socket, closed, text } = await connect();
    socket.write(`${head}{"email":`);
    expect(await within(closed, 20_000)).toBe(true);
    expect(text()).toStartWith("HTTP/1.1 408");
    expect(text()).toContain("Connection: close");
  });

  test("whose sender hangs up is no error of latchkey's", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { socket } = await connect();
      socket.write(`${head}{"email":`);
      await Bun.sleep(20);
      socket.terminate();
    }
    await Bun.sleep(200);
    expect(server.logs().filter(({ level }) => level === "error")).toEqual([]);
  });
});

test.each(["BUN_OPTIONS", "BUN_INSPECT_PRELOAD", "NODE_OPTIONS"])(
  "C19, S59: %s, which Bun obeys before latchkey runs, is warned of",
  async (name) => {
    const value = name === "BUN_OPTIONS" ? "--smol" : "x";
    const { stderr } = await runLatchkey(["config"], { env: { [name]: value } });
    expect(stderr).toContain(`${name} is set`);
  },
);

describe("C21", () => {
  test("S1: a password's length is that of what is hashed", async () => {
    const signUp = (password: string) =>
      post("sign-up/email", { email: `${crypto.randomUUID()}@example.com`, name: "Ann", password });
    // Eight letters that are four, decomposed; four that are more than eight.
    expect((await signUp("e\u0301".repeat(4))).status).toBe(400);
    expect((await signUp("e\u0301".repeat(8))).status).toBe(200);
    expect((await signUp("\ufdfa")).status).toBe(200);
    const long = await signUp("\ufdfa".repeat(8));
    expect([long.status, await long.json()]).toMatchObject([400, { code: "PASSWORD_TOO_LONG" }]);
  });

  test.each(["", " ", "\u00a0\u2003"])("the API refuses the name %j, as the page does", async (name) => {
    const email = `${crypto.randomUUID()}@example.com`;
    const signUp = await post("sign-up/email", { email, name, password: memberPassword });
    expect([signUp.status, await signUp.json()]).toMatchObject([400, { code: "VALIDATION_ERROR" }]);
    const member = await addMember(database);
    const cookie = `better-auth.session_token=${signToken(await member.session(), secret)}`;
    expect((await post("update-user", { name }, { cookie })).status).toBe(400);
  });

  test("a signature whose last letter has bits to spare is none, on any route", async () => {
    const member = await addMember(database);
    const signed = decodeURIComponent(signToken(await member.session(), secret));
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const last = signed.at(-2) ?? "";
    const other = alphabet[alphabet.indexOf(last) + 1] ?? "";
    const statusesOf = async (value: string) => {
      const cookie = `better-auth.session_token=${encodeURIComponent(value)}`;
      const ask = (path: string) => fetch(`${server.url}/api/auth/${path}`, { headers: { cookie } });
      return [
        (await ask("verify")).status,
        (await (await ask("get-session")).json()) === null ? "nobody" : "somebody",
        (await ask("list-sessions")).status,
        (await post("update-user", { name: "Other" }, { cookie })).status,
      ];
    };
    expect(await statusesOf(`${signed.slice(0, -2)}${other}=`)).toEqual([401, "nobody", 401, 401]);
    expect(await statusesOf(signed)).toEqual([200, "somebody", 200, 200]);
  });

  test("a name of 64 KB makes no header of 64 KB", async () => {
    const member = await addMember(database);
    const name = "ü".repeat(65_536);
    await database.query('UPDATE "user" SET name = $2 WHERE id = $1', [member.id, name]);
    const cookie = `better-auth.session_token=${signToken(await member.session(), secret)}`;
    const answer = await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } });
    expect(answer.headers.get("x-auth-name")).toBe("%C3%BC".repeat(100));
    expect(((await answer.json()) as { user: { name: string } }).user.name).toBe(name);
  });
});
