import { describe, expect, test } from "bun:test";
import { storeUnavailable } from "../../src/database/store-error.ts";
import { isHost } from "../../src/http/host.ts";
import { createHotRoutes, type HotDeps } from "../../src/http/fast-path.ts";

// That its headers and bodies are those of the long way is test/e2e/get-session-differential.test.ts's to show.

function open(deps: Partial<HotDeps> = {}) {
  let count = 0;
  const routes = createHotRoutes({
    answerVerify: (_request, requestId) =>
      new Response("verified", { headers: { "X-Request-Id": requestId } }),
    readSession: (cookie) => (cookie === null ? null : `{"of":"${cookie}"}`),
    nextRequestId: () => `id-${(count += 1)}`,
    fixedHeaders: { "X-Content-Type-Options": "nosniff" },
    isHost,
    keepsRequestIds: false,
    ...deps,
  });
  const ask = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = routes[path.split("?")[0] ?? ""];
    return (
      (await answer?.(
        new Request(`http://localhost${path}`, { headers: { host: "localhost", ...headers } }),
      )) ?? null
    );
  };
  return { ask };
}

const cookie = { cookie: "a=1" };
const sessionPaths = [
  "/api/auth/get-session",
  "/api/auth/get-session/",
  "/api/auth/session",
  "/api/auth/session/",
];

describe("createHotRoutes", () => {
  test.each(["/api/auth/verify", "/api/auth/verify/", "/api/auth/verify?x=1"])(
    "answers %s itself",
    async (path) => {
      const response = await open().ask(path, { origin: "https://evil.example" });
      expect([await response?.text(), response?.headers.get("x-request-id")]).toEqual(["verified", "id-1"]);
    },
  );

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

  test("waits for a store that does not answer at once", async () => {
    const { ask } = open({ readSession: async (header) => `later ${header}` });
    expect(await (await ask("/api/auth/session", cookie))?.text()).toBe("later a=1");
  });

  test.each([
    [
      "an Origin, for which CORS is due",
      "/api/auth/get-session",
      { ...cookie, origin: "http://localhost:3000" },
    ],
    ["a query, which BetterAuth may know", "/api/auth/get-session?disableRefresh=true", cookie],
    ["an empty query", "/api/auth/get-session?", cookie],
    ["what BetterAuth has to answer", "/api/auth/get-session", {}],
    ["a host that is none", "/api/auth/get-session", { ...cookie, host: "a, b" }],
    ["a host that is none", "/api/auth/verify", { host: "user@a" }],
  ])("leaves %s to the application", async (_what, path, headers) => {
    expect(await open().ask(path, headers as Record<string, string>)).toBeNull();
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
    expect(await open({ readSession }).ask("/api/auth/get-session", cookie)).toBeNull();
  });

  test("leaves requests with an id to the application where some peers' ids are kept", async () => {
    const withId = { ...cookie, "x-request-id": "mine" };
    const trusting = open({ keepsRequestIds: true });
    expect([
      await trusting.ask("/api/auth/verify", withId),
      await trusting.ask("/api/auth/session", withId),
    ]).toEqual([null, null]);
    expect((await trusting.ask("/api/auth/verify", cookie))?.headers.get("x-request-id")).toBe("id-1");
    expect((await open().ask("/api/auth/verify", withId))?.headers.get("x-request-id")).toBe("id-1");
  });
});
