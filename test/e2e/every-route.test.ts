import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects } from "../support/databases.ts";
import { contentOf, encode, isPage, openDocumentedServer } from "../support/openapi-server.ts";
import type { Body, DocumentedServer, Visitor } from "../support/openapi-server.ts";
import { samples } from "../support/openapi-calls.ts";

setDefaultTimeout(120_000);

/** BetterAuth's own answers have the token in their bodies: its clients read it there. */
const answersWithToken = [
  "/api/auth/sign-up/email",
  "/api/auth/sign-in/email",
  "/api/auth/change-password",
  "/api/auth/get-session",
  "/api/auth/session",
];

describe.each(dialects)("every route of the document on %s", (dialect) => {
  let it: DocumentedServer;
  beforeAll(async () => {
    it = await openDocumentedServer(dialect);
  });
  afterAll(() => it.close());

  const ask = async (method: string, path: string, visitor: Visitor, body?: Body) => {
    const response = await fetch(it.origin + path.replace("{file}", "latchkey-0000000000000000.css"), {
      method,
      headers: { ...contentOf(path), cookie: visitor.cookie },
      redirect: "manual",
      ...(body === undefined ? {} : { body: encode(path, body) }),
    });
    const headers = [...response.headers].filter(([name]) => name !== "set-cookie");
    return { status: response.status, headers: JSON.stringify(headers), text: await response.text() };
  };
  const reads = () => it.checker.operations.filter(({ method }) => method === "GET" || method === "HEAD");
  const writes = () => it.posts.filter((path) => path in samples);
  const tokensOf = async () => {
    const rows = await it.database.query("SELECT token FROM session");
    return rows.map((row) => String(row["token"]));
  };

  test("S28: shows no token but in Set-Cookie and where BetterAuth's clients read it", async () => {
    const calls = [
      ...reads().map(({ method, path }) => [method, path] as const),
      ...writes().map((path) => ["POST", path] as const),
    ];
    expect(calls.length).toBeGreaterThan(40);
    const shown: string[] = [];
    for (const [method, path] of calls) {
      const visitor = await it.visitor();
      const before = await tokensOf();
      const { headers, text } = await ask(
        method,
        path,
        visitor,
        method === "POST" ? samples[path]?.(visitor) : undefined,
      );
      const tokens = [...before, ...(await tokensOf())];
      expect(tokens.filter((token) => headers.includes(token))).toEqual([]);
      if (tokens.some((token) => text.includes(token))) shown.push(path);
    }
    expect([...new Set(shown)].toSorted()).toEqual(answersWithToken.toSorted());
  });

  test("S35: a GET or HEAD changes no row, whoever asks and whatever stands in the query", async () => {
    const visitor = await it.visitor();
    const content = async () =>
      JSON.stringify(
        await Promise.all(
          ['"user"', "account", "session", "verification"].map((table) =>
            it.database.query(`SELECT * FROM ${table} ORDER BY id`),
          ),
        ),
      );
    const before = await content();
    const query = new URLSearchParams({
      email: visitor.email,
      password: visitor.password,
      currentPassword: visitor.password,
      newPassword: "another good one",
      token: visitor.token,
      name: "Mallory",
      next: "signin",
    });
    for (const { method, path } of reads()) {
      for (const search of ["", `?${query}`]) {
        const { status } = await ask(method, path + search, visitor);
        expect({ method, path, isAnswered: status < 500 }).toEqual({ method, path, isAnswered: true });
      }
    }
    expect(await content()).toBe(before);
    // The same fields do change something where they are posted.
    expect((await ask("POST", "/api/auth/update-user", visitor, { name: "Mallory" })).status).toBe(200);
    expect(await content()).not.toBe(before);
  });

  test("S48: NUL in any text of any body is 400, and S49: what is no text is never 5xx", async () => {
    const seen: string[] = [];
    for (const path of writes()) {
      const visitor = await it.visitor();
      const good = samples[path]?.(visitor) ?? {};
      for (const [field, value] of Object.entries(good)) {
        // Where signing out leads is one of two words; whatever else stands there is the first of them.
        if (typeof value !== "string" || field === "next") continue;
        const { status, text } = await ask("POST", path, visitor, { ...good, [field]: `${value}\0` });
        expect({ path, field, status }).toEqual({ path, field, status: 400 });
        expect(text).not.toMatch(/sqlite|postgres|0x00|constraint/i);
        seen.push(`${path} ${field}`);
        if (isPage(path)) continue;
        for (const other of [null, 5, true, [], {}, "\ud800", "[".repeat(10_000)]) {
          const answer = await ask("POST", path, await it.visitor(), { ...good, [field]: other });
          expect(answer.status).toBeLessThan(500);
        }
      }
    }
    expect(seen.length).toBeGreaterThan(20);
  });

  test("S52: SQL in a name or a password is text, and comes back as it was", async () => {
    const strings = [
      `Robert'); DROP TABLE "user";--`,
      `' OR '1'='1`,
      `" OR ""="`,
      "\\'; SELECT pg_sleep(10); --",
      "$1 ? :a @b %s {}",
      "x' UNION SELECT token FROM session --",
    ];
    for (const name of strings) {
      const visitor = await it.visitor();
      expect((await ask("POST", "/api/auth/update-user", visitor, { name })).status).toBe(200);
      const { text } = await ask("GET", "/api/auth/session", visitor);
      expect((JSON.parse(text) as { user: { name: string } }).user.name).toBe(name);
      const email = `sql-${crypto.randomUUID()}@example.com`;
      const password = `${name} it is`;
      const body = { name, email, password };
      expect((await ask("POST", "/api/auth/sign-up/email", visitor, body)).status).toBe(200);
      expect((await ask("POST", "/api/auth/sign-in/email", visitor, { email, password })).status).toBe(200);
      const forged = { email, password: name };
      expect((await ask("POST", "/api/auth/sign-in/email", visitor, forged)).status).toBe(401);
    }
    const sessions = await it.database.query("SELECT count(*) AS n FROM session");
    expect(Number(sessions[0]?.["n"])).toBeGreaterThan(strings.length);
  });
});
