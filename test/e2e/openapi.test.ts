import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signToken } from "../../src/session/cookie.ts";
import { badBodies, badForms, navigation, samples } from "../support/openapi-calls.ts";
import type { Call, Checked } from "../support/openapi-check.ts";
import {
  asForm,
  asJson,
  type Body,
  contentOf,
  cookieName,
  type DocumentedServer,
  encode,
  isPage,
  openDocumentedServer,
} from "../support/openapi-server.ts";

setDefaultTimeout(60_000);

let it: DocumentedServer;
let asset = "";
let stalled: Promise<readonly Checked[]>;

beforeAll(async () => {
  it = await openDocumentedServer("sqlite");
  const page = await (await fetch(`${it.origin}/signin`)).text();
  asset = /\/assets\/([^"]+\.css)/.exec(page)?.[1] ?? "";
  // Their answers take 10 s, in which the other tests run.
  stalled = Promise.all(it.posts.map(sendStalled));
});
afterAll(() => it.close());

function sendStalled(path: string): Promise<Checked> {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(1)),
  });
  return it.checker.send({ method: "POST", path, headers: contentOf(path), body });
}

/** Sends requests one after the other. @returns those whose answers are not as documented. */
async function misfits(calls: readonly Call[]): Promise<unknown[]> {
  const wrong: unknown[] = [];
  for (const call of calls) {
    const { problems } = await it.checker.send(call);
    if (problems.length > 0) wrong.push({ ...call, problems });
  }
  return wrong;
}

describe("the answers are as documented", () => {
  test("to GET and HEAD: a stranger, a visitor, credentials that do not count, bad input", async () => {
    const { cookie, token, recovery, links } = await it.visitor();
    const gone = signToken("x".repeat(32), it.database.env["BETTER_AUTH_SECRET"] ?? "");
    const bearer = `Bearer ${cookie.slice(cookieName.length + 1)}`;
    const requests: readonly Omit<Call, "method" | "path">[] = [
      {},
      { headers: { cookie } },
      { headers: { cookie, origin: asJson.origin } },
      { headers: { origin: "http://evil.example" } },
      { headers: { authorization: bearer } },
      { headers: { authorization: `Bearer ${token}` } },
      { headers: { cookie: `${cookieName}=a.b` } },
      { headers: { cookie: `${cookieName}=${gone}` } },
      { headers: { host: "a@b" } },
      // Another name of this machine: a page leads to the public URL.
      { headers: { host: new URL(it.origin).host.replace("localhost", "127.0.0.1") } },
      { headers: { host: "a!b" } },
      { headers: navigation },
      { headers: { ...navigation, cookie } },
      { search: "?x=1&x=2", headers: { cookie } },
      { search: "?disableRefresh=true&disableCookieCache=true", headers: { cookie } },
      { search: "?callbackUrl=%2Fguide", headers: { cookie } },
      { search: `?token=${recovery}` },
      { search: `?token=${links[0] ?? ""}` },
      { search: "?callbackUrl=https%3A%2F%2Fevil.example" },
      { search: "?callbackURL=%2Fguide" },
      { file: "latchkey-0000000000000000.js" },
      { file: "latchkey-0000000000000000.svg" },
      { file: "unknown" },
    ];
    const calls = it.checker.operations
      .filter(({ method }) => method !== "POST")
      .flatMap(({ method, path }) => requests.map((request) => ({ file: asset, ...request, method, path })));
    expect(calls.length).toBeGreaterThan(500);
    expect(await misfits(calls)).toEqual([]);
  });

  test("to a GET whose session is due to slide on, and to one that has ended", async () => {
    for (const path of ["/api/auth/get-session", "/api/auth/session", "/signin", "/account"]) {
      const { cookie, token } = await it.visitor();
      for (const days of [1, -1]) {
        const end = [Date.now() + days * 86_400_000, token];
        await it.database.query("UPDATE session SET expires_at = $1 WHERE token = $2", end);
        expect(await misfits([{ method: "GET", path, headers: { cookie } }])).toEqual([]);
      }
    }
  });

  test("to whoever opens a mailed link that nobody has used, and to one that leads elsewhere", async () => {
    const { links } = await it.visitor();
    const search = `?token=${links[0] ?? ""}`;
    const calls = ["GET", "HEAD"].map((method) => ({ method, path: "/confirm", search }));
    const away = "&callbackURL=https%3A%2F%2Fevil.example";
    const led = { method: "GET", path: "/api/auth/verify-email", search: search + away };
    expect(await misfits([...calls, led])).toEqual([]);
  });

  test("to each POST of a visitor, and it succeeds", async () => {
    expect(Object.keys(samples).toSorted()).toEqual(it.posts.toSorted());
    for (const [path, sample] of Object.entries(samples)) {
      const visitor = await it.visitor();
      const body = sample(visitor);
      const { status, problems } = await it.post(path, body, visitor);
      const refused = isPage(path) ? null : it.checker.bodyProblem(path, body);
      const wanted = { path, status: isPage(path) ? 303 : 200, problems: [], refused: null };
      expect({ path, status, problems, refused }).toEqual(wanted);
    }
  });

  test("to each POST of a stranger, of foreign pages and of clients that send something else", async () => {
    const { cookie, ...visitor } = await it.visitor();
    const others: readonly Readonly<Record<string, string>>[] = [
      {},
      { cookie: `${cookieName}=a.b` },
      { cookie, origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
      { host: "a@b" },
      { "content-type": "text/plain" },
    ];
    const texts = ["", "{", "[]", "null", "\ufeff{}", '{"__proto__":{}}', "x".repeat(32 * 1024 + 1)];
    for (const [path, sample] of Object.entries(samples)) {
      const headers = contentOf(path);
      const base = { method: "POST", path, headers, body: encode(path, sample({ cookie, ...visitor })) };
      const calls = [
        ...others.map((other) => ({ ...base, headers: { ...headers, ...other } })),
        { ...base, search: "?x=1&x=2" },
        ...badForms.map((body) => ({ ...base, headers: asForm, body })),
        ...texts.map((body) => ({ ...base, body })),
      ];
      expect({ path, wrong: await misfits(calls) }).toEqual({ path, wrong: [] });
    }
  });

  test("to each POST whose fields are not what they should be, which refuses them", async () => {
    for (const path of it.posts.filter((path) => !isPage(path) && path !== "/api/auth/update-user")) {
      const visitor = await it.visitor();
      for (const body of badBodies(samples[path]?.(visitor) ?? {})) {
        if ("callbackURL" in body && typeof body["callbackURL"] !== "string") continue;
        expect(await it.refusal(path, body, visitor)).toEqual({ path, body, problems: [], isRefused: true });
      }
    }
  });

  test("to what only some requests get", async () => {
    const visitor = await it.visitor();
    const { email, password } = visitor;
    const requests: readonly (readonly [string, Body, number, string])[] = [
      ["sign-up/email", { name: "Ann", email, password }, 422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"],
      [
        "sign-in/email",
        { email, password, callbackURL: "https://evil.example" },
        403,
        "INVALID_CALLBACK_URL",
      ],
      ["sign-in/email", { email, password: "wrong" }, 401, "INVALID_EMAIL_OR_PASSWORD"],
      ["delete-user", { password: "wrong" }, 400, "INVALID_PASSWORD"],
      ["delete-user", { password, token: "x" }, 404, "INVALID_TOKEN"],
      ["update-user", { email: "other@example.com" }, 400, "EMAIL_CAN_NOT_BE_UPDATED"],
    ];
    for (const [path, body, status, code] of requests) {
      const answer = await it.post(`/api/auth/${path}`, body, visitor);
      expect(answer).toMatchObject({ status, json: { code }, problems: [] });
    }
    await it.database.query("DELETE FROM account WHERE user_id = (SELECT id FROM user WHERE email = $1)", [
      email,
    ]);
    const body = { currentPassword: password, newPassword: password };
    const answer = await it.post("/api/auth/change-password", body, visitor);
    expect(answer).toMatchObject({
      status: 400,
      json: { code: "CREDENTIAL_ACCOUNT_NOT_FOUND" },
      problems: [],
    });
  });

  test("to a POST whose body never comes", async () => {
    const answers = (await stalled).map(({ status, problems }) => ({ status, problems }));
    expect(answers).toEqual(it.posts.map(() => ({ status: 408, problems: [] })));
  });

  test("to whoever tries too often", async () => {
    const limited = await openDocumentedServer("sqlite", {
      LATCHKEY_LIMITS: "on",
      LATCHKEY_LIMIT_SIGN_IN: "5/15m",
      LATCHKEY_LIMIT_SIGN_UP: "5/1h",
    });
    const visitor = await limited.visitor();
    const wrong = "not this one at all";
    const tries: readonly (readonly [string, (at: number) => Body])[] = [
      ["/api/auth/sign-up/email", (at) => ({ name: "A", email: `many-${at}@example.com`, password: wrong })],
      [
        "/api/auth/sign-in/email",
        (at) => ({ email: `many-${at}@example.com`, password: "another wrong one" }),
      ],
      ["/api/auth/change-password", () => ({ currentPassword: wrong, newPassword: "a new good password" })],
      ["/api/auth/delete-user", () => ({ password: wrong })],
      ["/api/auth/request-password-reset", () => ({ email: "same@example.com" })],
      ["/api/auth/send-verification-email", () => ({ email: "others@example.com" })],
      ["/api/auth/change-email", () => ({ newEmail: "another@example.com" })],
      ["/api/auth/verify-email-code", () => ({ email: "others@example.com", code: "12345678" })],
      ["/api/auth/reset-password", () => ({ token: wrong, newPassword: "a new good password" })],
    ];
    for (const [path, body] of tries)
      for (let at = 0; at < 12; at += 1)
        expect(
          (await limited.post(path, body(at), path.includes("sign-") ? undefined : visitor)).problems,
        ).toEqual([]);
    const seen = [...limited.checker.seen].filter((name) => name.endsWith(" 429"));
    expect(seen.toSorted()).toEqual(tries.map(([path]) => `POST ${path} 429`).toSorted());
    const documented = it.checker.operations.flatMap(({ method, path, operation }) =>
      "429" in operation.responses ? [`${method} ${path} 429`] : [],
    );
    expect(documented.toSorted()).toEqual(seen.toSorted());
    await limited.close();
  });

  test("and each documented one has come, but for outages and limits", () => {
    const isApart = (status: string) => status.startsWith("5") || status === "429";
    const unseen = it.checker.operations.flatMap(({ method, path, operation }) =>
      Object.keys(operation.responses)
        .filter((status) => !isApart(status) && !it.checker.seen.has(`${method} ${path} ${status}`))
        .map((status) => `${method} ${path} ${status}`),
    );
    expect(unseen).toEqual([]);
  });
});
