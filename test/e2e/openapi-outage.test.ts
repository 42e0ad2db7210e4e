import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { samples } from "../support/openapi-calls.ts";
import { type DocumentedServer, isPage, openDocumentedServer } from "../support/openapi-server.ts";

setDefaultTimeout(60_000);

let it: DocumentedServer;

beforeAll(async () => {
  it = await openDocumentedServer("postgres");
});
afterAll(async () => {
  it.database.network?.stall(false);
  await it.close();
});

/** What a path's parameter is, and its query, so that the database is asked. */
const targetOf = (path: string) =>
  path === "/api/auth/verify-email"
    ? { search: `?token=${"x".repeat(43)}` }
    : path.includes("{token}")
      ? { file: "x".repeat(43), search: "?callbackURL=%2Fguide" }
      : { file: "latchkey-0000000000000000.css" };

test("S29: an outage of the database is answered as documented, on every route at once", async () => {
  const visitor = await it.visitor();
  const headers = { cookie: visitor.cookie };
  expect((await it.checker.send({ method: "GET", path: "/api/auth/verify", headers })).status).toBe(200);
  it.database.network?.stall(true);
  const answers = await Promise.all(
    it.checker.operations.map(async ({ method, path }) => {
      const body = samples[path]?.(visitor) ?? {};
      const { status, problems } =
        method === "POST"
          ? await it.post(path, body, visitor)
          : await it.checker.send({ method, path, ...targetOf(path), headers });
      return { call: `${method} ${path}`, status, problems };
    }),
  );
  expect(answers.filter(({ problems }) => problems.length > 0)).toEqual([]);
  const answered = answers.filter(({ status }) => status !== 503).map(({ call }) => call);
  const withoutDatabase = [
    "/health/live",
    "/openapi.json",
    "/assets/{file}",
    "/forgot-password",
    "/verify",
    // Without a token, these have nothing to ask.
    "/recover",
    "/confirm",
    "/account/deleted",
  ];
  // Opening a form's address leads to its page, which then has to ask.
  const toAccount = it.posts.filter((path) => path.startsWith("/account/"));
  expect(new Set(answered)).toEqual(
    new Set([...withoutDatabase, ...toAccount].flatMap((path) => [`GET ${path}`, `HEAD ${path}`])),
  );
  const seen = [...it.checker.seen].filter((name) => name.endsWith(" 503"));
  const documented = it.checker.operations.filter(({ path }) => !isPage(path) || path === "/health");
  expect(seen.toSorted()).toEqual(documented.map(({ method, path }) => `${method} ${path} 503`).toSorted());
});
