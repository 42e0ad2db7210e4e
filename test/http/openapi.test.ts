import { describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import packageJson from "../../package.json" with { type: "json" };
import { loadConfig } from "../../src/config/load.ts";
import { createOpenApiAnswer } from "../../src/http/openapi.ts";
import { methodsOf, routeList } from "../../src/routes.ts";
import {
  compileSchemas,
  type DocumentedAnswer,
  type OpenApi,
  operationsOf,
  readOpenApi,
} from "../support/openapi.ts";
import { codeSpans, readDocument, requireTable } from "../support/readme.ts";

const https = {
  BETTER_AUTH_URL: "https://auth.example.com",
  BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com",
};
const environments: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  defaults: {},
  https,
  "bearer tokens": { LATCHKEY_BEARER: "signed" },
  "sign-up closed": { LATCHKEY_SIGN_UP: "closed" },
  "long passwords": { LATCHKEY_PASSWORD_MIN_LENGTH: "15" },
  "a proxy": { LATCHKEY_TRUSTED_PROXIES: "10.0.0.0/8" },
};

async function open(env: Readonly<Record<string, string>>): Promise<OpenApi> {
  const { config } = loadConfig(env, {
    readFile: () => "",
    secretFileRisk: () => null,
    cwd: "/",
    isTerminal: false,
    cpuCount: 4,
    hasIpv6: () => true,
    platform: "linux",
  });
  return readOpenApi(createOpenApiAnswer(config, packageJson.version)());
}

/** Every object in a value, with its path as a JSON pointer. */
function* nodes(value: unknown, path = "#"): Generator<readonly [string, Record<string, unknown>]> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [key, child] of Object.entries(value)) {
    yield* nodes(child, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
  }
}

describe.each(Object.entries(environments))("the OpenAPI document with %s", (_name, env) => {
  test("is valid OpenAPI 3.1", async () => {
    const document = await open(env);
    expect(document.openapi).toBe("3.1.0");
    expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
  });

  test("has schemas that compile, without unknown keywords or formats", async () => {
    const { count } = compileSchemas(await open(env));
    expect(count).toBeGreaterThan(80);
  });

  test("refers to what is there, and has nothing that is not referred to", async () => {
    const document = await open(env);
    const all = new Map(nodes(document));
    const referred = new Set(
      [...all.values()].flatMap(({ $ref }) => (typeof $ref === "string" ? [$ref] : [])),
    );
    expect([...referred].filter((pointer) => !all.has(pointer))).toEqual([]);
    const components = ["schemas", "responses", "headers"].flatMap((kind) =>
      Object.keys(document.components[kind] ?? {}).map((name) => `#/components/${kind}/${name}`),
    );
    expect(components.filter((pointer) => !referred.has(pointer))).toEqual([]);
  });

  test("has the routes of the one table, each with its methods", async () => {
    const documented = operationsOf(await open(env)).map(({ method, path }) => `${method} ${path}`);
    const served = routeList.flatMap((route) => methodsOf(route).map((method) => `${method} ${route.path}`));
    expect(documented.toSorted()).toEqual(served.toSorted());
  });

  test("names every operation once, and each uses a scheme and a tag that are there", async () => {
    const document = await open(env);
    const operations = operationsOf(document).map(({ operation }) => operation);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    const schemes = new Set(
      operations.flatMap(({ security }) => security.flatMap((need) => Object.keys(need))),
    );
    expect([...schemes].toSorted()).toEqual(
      Object.keys(document.components["securitySchemes"] ?? {}).toSorted(),
    );
    const tags = new Set(operations.flatMap(({ tags }) => tags));
    expect([...tags].toSorted()).toEqual(document.tags.map(({ name }) => name).toSorted());
  });

  test("lets every answer say its request id, and every 503 of the API when to come back", async () => {
    for (const { method, path, operation } of operationsOf(await open(env))) {
      const wrong = Object.entries(operation.responses).flatMap(([status, { headers = {} }]) => [
        ...(headers["X-Request-Id"] === undefined ? [`${status} X-Request-Id`] : []),
        ...(status === "503" && headers["Retry-After"] === undefined ? [`${status} Retry-After`] : []),
      ]);
      expect({ method, path, wrong }).toEqual({ method, path, wrong: [] });
    }
  });
});

test("S43: a HEAD has its GET's answers without their bodies", async () => {
  const operations = operationsOf(await open({}));
  const heads = operations.filter(({ method }) => method === "HEAD");
  expect(heads.length).toBeGreaterThan(15);
  for (const { path, operation } of heads) {
    const get = operations.find((other) => other.method === "GET" && other.path === path)?.operation;
    const bodiless = Object.entries(get?.responses ?? {}).map(([status, { description, headers }]) => [
      status,
      { description, headers },
    ]);
    expect(Object.entries(operation.responses)).toEqual(bodiless as [string, DocumentedAnswer][]);
    expect(operation.operationId).toBe(`${get?.operationId}Head`);
  }
});

describe("what depends on the configuration", () => {
  const operation = async (env: Readonly<Record<string, string>>, method: string, path: string) =>
    operationsOf(await open(env)).find((found) => found.method === method && found.path === path)?.operation;

  test("is the version, the server and the cookie's name", async () => {
    const facts = async (env: Readonly<Record<string, string>>) => {
      const { info, servers, components } = await open(env);
      return [info.version, servers, components["securitySchemes"]?.["cookie"]];
    };
    expect(await facts({ PORT: "3100" })).toEqual([
      packageJson.version,
      [{ url: "http://localhost:3100" }],
      expect.objectContaining({ type: "apiKey", in: "cookie", name: "better-auth.session_token" }),
    ]);
    expect(await facts(https)).toEqual([
      packageJson.version,
      [{ url: "https://auth.example.com" }],
      expect.objectContaining({ name: "__Secure-better-auth.session_token" }),
    ]);
  });

  test("is bearer authentication, on verify and forward alone", async () => {
    expect(Object.keys((await open({})).components["securitySchemes"] ?? {})).toEqual(["cookie"]);
    const document = await open({ LATCHKEY_BEARER: "signed" });
    expect(document.components["securitySchemes"]).toMatchObject({
      bearer: { type: "http", scheme: "bearer" },
    });
    const taking = operationsOf(document).filter(({ operation: { security } }) =>
      security.some((need) => "bearer" in need),
    );
    expect(new Set(taking.map(({ path }) => path))).toEqual(
      new Set(["/api/auth/verify", "/api/auth/forward"]),
    );
  });

  test("is whether sign-up can succeed", async () => {
    const signUp = (env: Readonly<Record<string, string>>) =>
      operation(env, "POST", "/api/auth/sign-up/email");
    const closed = "EMAIL_PASSWORD_SIGN_UP_DISABLED";
    expect(Object.keys((await signUp({}))?.responses ?? {})).toContain("200");
    expect(JSON.stringify((await signUp({}))?.responses)).not.toContain(closed);
    const refused = await signUp({ LATCHKEY_SIGN_UP: "closed" });
    expect(Object.keys(refused?.responses ?? {})).not.toContain("200");
    expect(JSON.stringify(refused?.responses["400"])).toContain(closed);
  });

  test("is the redirect of forward, where there are trusted proxies", async () => {
    const statuses = async (env: Readonly<Record<string, string>>) =>
      Object.keys((await operation(env, "GET", "/api/auth/forward"))?.responses ?? {});
    expect(await statuses({})).not.toContain("302");
    expect(await statuses({ LATCHKEY_TRUSTED_PROXIES: "10.0.0.0/8" })).toContain("302");
    expect(await statuses(https)).toContain("302");
  });

  test("is the shortest password", async () => {
    const { schemas } = (await open({ LATCHKEY_PASSWORD_MIN_LENGTH: "15" })).components;
    expect(schemas?.["SignUp"]).toMatchObject({
      properties: { password: { minLength: 15, maxLength: 128 } },
    });
    expect(schemas?.["PasswordChange"]).toMatchObject({ properties: { newPassword: { minLength: 15 } } });
  });
});

test("every code of the contract stands where it is answered", async () => {
  const mail = { SMTP_URL: "smtp://127.0.0.1", LATCHKEY_MAIL_FROM: "a@example.com" };
  const required = { ...mail, LATCHKEY_EMAIL_VERIFICATION: "required" };
  const text = JSON.stringify(
    await Promise.all([{ LATCHKEY_SIGN_UP: "closed" }, {}, required].map((env) => open(env))),
  );
  const codes = requireTable(readDocument("docs/contract.md"), "codes").rows.flatMap(([code = ""]) =>
    codeSpans(code),
  );
  expect(codes.length).toBeGreaterThan(20);
  // The port of plain http has no route of these: test/e2e/tls.test.ts asks it.
  const elsewhere = ["HTTPS_REQUIRED"];
  expect(codes.filter((code) => !text.includes(code))).toEqual(elsewhere);
});
