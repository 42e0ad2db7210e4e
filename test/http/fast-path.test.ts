import { describe, expect, test } from "bun:test";
import { storeUnavailable } from "../../src/database/store-error.ts";
import { createFastPath, type FastPathDeps } from "../../src/http/fast-path.ts";
import { routeList } from "../../src/routes.ts";
import type { SessionReading } from "../../src/session/get-session.ts";

// That its headers and bodies are those of the long way is test/e2e/get-session-differential.test.ts's to show.

function open(deps: Partial<FastPathDeps> = {}) {
  let count = 0;
  const handedOn: (SessionReading | undefined)[] = [];
  const routes = createFastPath({
    answerVerify: (_request, requestId) =>
      new Response("verified", { headers: { "X-Request-Id": requestId } }),
    readSession: (cookie) => (cookie === null ? { isKnown: false } : `{"of":"${cookie}"}`),
    health: async () => new Response("healthy", { status: 503 }),
    live: () => new Response("alive"),
    nextRequestId: () => `id-${(count += 1)}`,
    fixedHeaders: { "X-Content-Type-Options": "nosniff" },
    keepsRequestIds: false,
    respond: async (request, peers, reading) => {
      handedOn.push(reading);
      return new Response(`the long way from ${peers.requestIP(request)?.address}`);
    },
    ...deps,
  });
  const peers = { requestIP: () => ({ address: "198.51.100.7", family: "IPv4", port: 1 }) as const };
  const ask = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const request = new Request(`http://localhost${path}`, { headers: { host: "localhost", ...headers } });
    return await routes[path.split("?")[0] ?? ""]?.GET(request, peers);
  };
  const text = async (path: string, headers?: Readonly<Record<string, string>>) =>
    await (await ask(path, headers))?.text();
  return { ask, text, routes, handedOn };
}

const theLongWay = "the long way from 198.51.100.7";
const cookie = { cookie: "a=1" };
const sessionPaths = [
  "/api/auth/get-session",
  "/api/auth/get-session/",
  "/api/auth/session",
  "/api/auth/session/",
];

describe("createFastPath", () => {
  test("has the routes that the table calls fast, with and without a trailing slash, for GET and HEAD", () => {
    const { routes } = open();
    const fast = routeList.flatMap(({ path, fast: isFast }) => (isFast === true ? [path, `${path}/`] : []));
    expect(fast.length).toBe(10);
    expect(Object.keys(routes).toSorted()).toEqual(fast.toSorted());
    for (const route of Object.values(routes)) expect(route.HEAD).toBe(route.GET);
  });

  test.each(["/api/auth/verify", "/api/auth/verify/"])("answers %s itself", async (path) => {
    const response = await open().ask(path, { origin: "https://evil.example" });
    expect([await response?.text(), response?.headers.get("x-request-id")]).toEqual(["verified", "id-1"]);
  });

  test.each(sessionPaths)("answers %s with what was read, each with an id of its own", async (path) => {
    const { ask } = open();
    const [first, second] = [await ask(path, cookie), await ask(path, { cookie: "b=2" })];
    expect([first?.headers.get("x-request-id"), second?.headers.get("x-request-id")]).toEqual([
      "id-1",
      "id-2",
    ]);
    expect([await first?.text(), await second?.text()]).toEqual(['{"of":"a=1"}', '{"of":"b=2"}']);
    expect([...(first?.headers ?? [])].filter(([name]) => name.startsWith("access-control"))).toEqual([]);
  });

  test.each([
    ["/health", "healthy", 503],
    ["/health/", "healthy", 503],
    ["/health/live", "alive", 200],
  ])("answers %s itself, with every answer's headers", async (path, body, status) => {
    const { ask, handedOn } = open();
    const answer = await ask(path);
    expect([answer?.status, await answer?.text(), handedOn.length]).toEqual([status, body, 0]);
    expect(Object.fromEntries(answer?.headers ?? [])).toMatchObject({
      vary: "Origin",
      "x-content-type-options": "nosniff",
      "x-request-id": "id-1",
    });
  });

  test("waits for a store that does not answer at once", async () => {
    const { text } = open({ readSession: async (header) => `later ${header}` });
    expect(await text("/api/auth/session", cookie)).toBe("later a=1");
  });

  test.each([
    [
      "an Origin, for which CORS is due",
      "/api/auth/get-session",
      { ...cookie, origin: "http://localhost:3000" },
    ],
    ["an Origin, for which CORS is due", "/health", { origin: "http://localhost:3000" }],
    ["a query, in which a parameter may stand twice", "/health?x=1&x=2", {}],
    ["a host that is none", "/health/live", { host: "a, b" }],
    ["a query, which BetterAuth may know", "/api/auth/get-session?disableRefresh=true", cookie],
    ["an empty query", "/api/auth/get-session?", cookie],
    ["a query, in which a parameter may stand twice", "/api/auth/verify?x=1&x=2", cookie],
    ["a host that is none", "/api/auth/get-session", { ...cookie, host: "a, b" }],
    ["a host that is none", "/api/auth/verify", { host: "user@a" }],
  ])("leaves %s to the application", async (_what, path, headers) => {
    const { text, handedOn } = open();
    expect(await text(path, headers as Record<string, string>)).toBe(theLongWay);
    expect(handedOn).toEqual([undefined]);
  });

  test("looks at every host, also after a good one", async () => {
    const { text } = open();
    const verify = (host: string) => text("/api/auth/verify", { host });
    const answers = [await verify("a"), await verify("a b"), await verify("a"), await verify("a, a")];
    expect(answers).toEqual(["verified", theLongWay, "verified", theLongWay]);
  });

  test("leaves what BetterAuth has to answer to the application, with what is known by then", async () => {
    for (const reading of [{ isKnown: true }, { isKnown: false }]) {
      const { text, handedOn } = open({ readSession: () => reading });
      expect(await text("/api/auth/get-session", cookie)).toBe(theLongWay);
      expect(handedOn).toEqual([reading]);
    }
  });

  test.each([
    [
      "thrown",
      () => {
        throw storeUnavailable(new Error("gone"));
      },
    ],
    ["rejected", () => Promise.reject(storeUnavailable(new Error("gone")))],
  ] as const)("leaves a failing store (%s) to the application, which says 503", async (_how, readSession) => {
    const { text, handedOn } = open({ readSession });
    expect(await text("/api/auth/get-session", cookie)).toBe(theLongWay);
    expect(handedOn).toEqual([undefined]);
  });

  test("leaves requests with an id to the application where some peers' ids are kept", async () => {
    const withId = { ...cookie, "x-request-id": "mine" };
    const trusting = open({ keepsRequestIds: true });
    expect([
      await trusting.text("/api/auth/verify", withId),
      await trusting.text("/api/auth/session", withId),
    ]).toEqual([theLongWay, theLongWay]);
    expect((await trusting.ask("/api/auth/verify", cookie))?.headers.get("x-request-id")).toBe("id-1");
    expect((await open().ask("/api/auth/verify", withId))?.headers.get("x-request-id")).toBe("id-1");
  });
});
