import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { betterAuth } from "better-auth";
import { limitsOf, samples } from "../support/openapi-calls.ts";
import { asJson, type DocumentedServer, openDocumentedServer } from "../support/openapi-server.ts";

setDefaultTimeout(60_000);

let it: DocumentedServer;

beforeAll(async () => {
  it = await openDocumentedServer("sqlite");
});
afterAll(() => it.close());

test("the documented bodies have the limits that the server has", async () => {
  const codes = ["PASSWORD_TOO_SHORT", "PASSWORD_TOO_LONG", "VALIDATION_ERROR", "INVALID_EMAIL"];
  const limits = limitsOf(it.document);
  expect(limits.map(({ path, field, bound }) => `${path} ${field} ${bound}`)).toHaveLength(20);
  for (const { path, field, bound, allowed, refused } of limits) {
    const isRefused = async (value: string) => {
      const visitor = await it.visitor();
      const { json, problems } = await it.post(
        path,
        { ...samples[path]?.(visitor), [field]: value },
        visitor,
      );
      expect(problems).toEqual([]);
      return codes.includes((json as { readonly code?: string }).code ?? "");
    };
    const found = {
      path,
      field,
      bound,
      allowed: await isRefused(allowed),
      refused: await isRefused(refused),
    };
    expect(found).toEqual({ path, field, bound, allowed: false, refused: true });
  }
});

describe("S17: what is not in the document is not served:", () => {
  const ask = (method: string, path: string) =>
    fetch(it.origin + path.replace("{file}", "x.css"), {
      method,
      headers: asJson,
      redirect: "manual",
      ...(method === "GET" || method === "HEAD" ? {} : { body: "{}" }),
    });

  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])(
    "%s, where other methods are",
    async (method) => {
      for (const [path, operations] of Object.entries(it.document.paths)) {
        const methods = Object.keys(operations).map((name) => name.toUpperCase());
        if (methods.includes(method)) continue;
        const { status, headers } = await ask(method, path);
        const found = { path, status, allow: headers.get("allow") };
        expect(found).toEqual({ path, status: 405, allow: methods.join(", ") });
      }
    },
  );

  test("BetterAuth's other routes, and what looks like one of ours", async () => {
    const { api } = betterAuth({
      secret: "x".repeat(32),
      baseURL: "http://localhost",
      logger: { disabled: true },
    });
    const upstream = Object.values(api).flatMap(({ path }: { readonly path?: unknown }) =>
      typeof path === "string" ? [`/api/auth${path.replaceAll(/:(\w+)/g, "{$1}")}`] : [],
    );
    const similar = [
      "/openapi",
      "/openapi.yaml",
      "/docs",
      "/metrics",
      "/api",
      "/api/auth",
      "/api/auth/verify/x",
    ];
    const cased = ["/API/AUTH/VERIFY", "/Signin", "/health/Live", "/accounts", "/account/x", "/assets"];
    const others = [...upstream, ...similar, ...cased].filter((path) => !(path in it.document.paths));
    expect(upstream.filter((path) => path in it.document.paths).length).toBeGreaterThan(9);
    expect(others.length).toBeGreaterThan(25);
    for (const path of others.map((one) => one.replaceAll(/\{\w+\}/g, "x"))) {
      for (const method of ["GET", "POST"]) {
        const { status } = await ask(method, path);
        expect({ method, path, status }).toEqual({ method, path, status: 404 });
      }
    }
  });
});

describe("S49: fields of another type:", () => {
  test("an update without fields is refused with a code", async () => {
    expect((await it.refusal("/api/auth/update-user", {}, await it.visitor())).problems).toEqual([]);
  });

  test("a callbackURL that is no text is refused with a code", async () => {
    const { email, password } = await it.visitor();
    const { problems } = await it.post("/api/auth/sign-in/email", { email, password, callbackURL: 5 });
    expect(problems).toEqual([]);
  });

  test.each([
    ["name", 5],
    ["name", true],
    ["name", null],
    ["name", ["x"]],
    ["name", { a: 1 }],
    ["image", 5],
    ["image", true],
    ["image", ["x"]],
    ["image", { a: 1 }],
  ])("an update is refused whose %s is %j", async (field, value) => {
    const answer = await it.refusal("/api/auth/update-user", { [field]: value }, await it.visitor());
    expect(answer.isRefused).toBe(true);
  });
});
