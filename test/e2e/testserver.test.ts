import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { createClient } from "../support/client.ts";
import { createFormClient } from "../support/form-client.ts";
import { type RunningTestserver, startTestserver } from "../support/testserver.ts";

let server: RunningTestserver;
beforeAll(async () => {
  server = await startTestserver(["--users", "3"]);
});
afterAll(() => server.stop());

const verify = (cookie: string, url = server.url) => fetch(`${url}/api/auth/verify`, { headers: { cookie } });

describe("latchkey testserver", () => {
  test("says in one line on stdout what a test needs", () => {
    const [line, ...rest] = server.stdout().split("\n");
    expect(rest).toEqual([""]);
    expect(JSON.parse(line ?? "")).toEqual({
      url: `http://127.0.0.1:${server.port}`,
      baseUrl: `http://localhost:${server.port}`,
      port: expect.any(Number),
      pid: expect.any(Number),
      directory: expect.stringContaining(server.temporary),
      users: [1, 2, 3].map((number) => ({
        id: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
        email: `user${number}@example.com`,
        name: `User ${number}`,
        password: "correct horse battery",
        cookie: expect.stringMatching(/^better-auth\.session_token=[A-Za-z0-9]{32}\.[A-Za-z0-9%]+$/),
      })),
    });
    expect(server.port).toBeGreaterThan(0);
  });

  test("has users who are signed in", async () => {
    for (const { id, email, name, cookie } of server.users) {
      const answer = await verify(cookie);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ valid: true, user: { id, email, name } });
      const session = await fetch(`${server.url}/api/auth/get-session`, { headers: { cookie } });
      expect(await session.json()).toMatchObject({ user: { id, email } });
    }
  });

  test("knows nobody by another cookie", async () => {
    const [user] = server.users;
    const forged = (user?.cookie ?? "").replace(/\..{4}(?=[^.]*$)/, ".AAAA");
    expect(forged).not.toBe(user?.cookie);
    for (const cookie of [forged, "better-auth.session_token=nobody.AAAA", ""])
      expect((await verify(cookie)).status).toBe(401);
  });

  test("signs its users in, and others up, by BetterAuth's client", async () => {
    const [user] = server.users;
    if (user === undefined) throw new Error("no user");
    for (const origin of [server.url, server.baseUrl]) {
      const { auth } = createClient(origin);
      const wrong = await auth.signIn.email({ email: user.email, password: "wrong horse battery" });
      expect(wrong.error?.code).toBe("INVALID_EMAIL_OR_PASSWORD");
      const right = await auth.signIn.email({ email: user.email, password: user.password });
      expect(right.data?.user).toMatchObject({ id: user.id, email: user.email });
      expect((await auth.getSession()).data?.user.id).toBe(user.id);
    }
    const { auth } = createClient(server.url);
    const up = await auth.signUp.email({ email: "new@example.com", name: "New", password: user.password });
    expect(up.data?.user).toMatchObject({ email: "new@example.com" });
    expect((await auth.getSession()).data?.user.email).toBe("new@example.com");
  });

  test("has the pages, at its public URL, and signs in by them", async () => {
    const browser = createFormClient(server.baseUrl);
    const elsewhere = createFormClient(server.baseUrl, "https://evil.example.com");
    expect((await createFormClient(server.url).get("/signin")).location).toBe(`${server.baseUrl}/signin`);
    const { email, password } = server.users[1] ?? { email: "", password: "" };
    expect((await browser.get("/signin")).html).toContain('name="password"');
    const signedIn = await browser.post("/signin", { email, password });
    expect([signedIn.status, signedIn.location]).toEqual([303, `${server.baseUrl}/account`]);
    expect((await browser.get("/account")).html).toContain(email);
    expect((await elsewhere.post("/signin", { email, password })).status).toBe(403);
  });

  test("says on stderr that it is for tests alone, and logs there", () => {
    expect(server.stderr()).toMatch(/^Warning: for tests alone: /);
    expect(server.stderr()).toContain('"event":"listening"');
  });

  test("has nothing but a folder of its own, for its user alone", () => {
    expect(readdirSync(server.temporary)).toHaveLength(1);
    expect(dirname(server.directory)).toBe(server.temporary);
    expect(statSync(server.directory).mode & 0o777).toBe(0o700);
    expect(existsSync(`${server.directory}/latchkey.db`)).toBe(true);
  });
});

describe("several testservers", () => {
  test("have ports, folders, secrets and users of their own", async () => {
    const other = await startTestserver();
    expect(other.users).toHaveLength(2);
    for (const field of ["port", "directory", "pid"] as const) expect(other[field]).not.toBe(server[field]);
    expect(other.users[0]?.id).not.toBe(server.users[0]?.id ?? "");
    const [cookie = ""] = server.users.map((user) => user.cookie);
    expect((await verify(cookie, other.url)).status).toBe(401);
    expect(await other.stop()).toBe(0);
    expect((await verify(cookie)).status).toBe(200);
  });
});
