import type { Config } from "../../config/load.ts";
import { sessionCookieName } from "../../session/cookie.ts";
import { methodsOf, routes } from "../routes.ts";
import { describeAccount } from "./account-operations.ts";
import { headers, sharedAnswers } from "./answers.ts";
import { type Answer, type Operation, type Operations, ref, type Schema } from "./model.ts";
import { assetsPath, pageOperations } from "./page-operations.ts";
import { describeSchemas } from "./schemas.ts";
import { describeService } from "./service-operations.ts";
import { sessionOperations } from "./session-operations.ts";

const description = `Accounts and sessions. Unless an operation says otherwise:

* An error is JSON, \`{code,message}\`; a page's error is a page.
* Another path is 404 \`NOT_FOUND\`, another method 405 \`METHOD_NOT_ALLOWED\` with \`Allow\`.
* \`OPTIONS\` answers a preflight on every path: an origin that is not listed is granted nothing.
* A trailing slash makes no difference. A body is JSON or a urlencoded form of at most 32 KiB.
* A request that changes something comes from a listed origin, or from a program without \`Origin\` and \`Cookie\`.`;

/** Every path, templates included, and its methods. */
export const documentedRoutes: ReadonlyMap<string, readonly string[]> = new Map([
  ...routes,
  [assetsPath, methodsOf("/assets/") ?? []],
]);

/** OpenAPI 3.1 of the routes that a server with this configuration has. @throws Error when one is not described. */
export function createOpenApi(config: Config, version: string): Schema {
  const operations = {
    ...sessionOperations,
    ...describeAccount(config.signUp),
    ...describeService(config),
    ...pageOperations,
  };
  return {
    openapi: "3.1.0",
    info: { title: "latchkey", version, description, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: config.baseUrl }],
    tags: [
      { name: "session", description: "Sign in, sign out, and what lies between." },
      { name: "account" },
      { name: "verification", description: "For APIs and proxies." },
      { name: "service", description: "For operators." },
      { name: "pages", description: "For people: plain HTML forms." },
    ],
    paths: renderPaths(documentedRoutes, operations),
    components: {
      schemas: describeSchemas(config.passwordMinLength),
      responses: sharedAnswers,
      headers,
      securitySchemes: describeSecurity(config),
    },
  };
}

function describeSecurity({ baseUrl, bearer }: Config): Schema {
  return {
    cookie: {
      type: "apiKey",
      in: "cookie",
      name: sessionCookieName(baseUrl.startsWith("https:")),
      description: "Set by sign-in and sign-up.",
    },
    ...(bearer === "signed"
      ? {
          bearer: {
            type: "http",
            scheme: "bearer",
            description: "The session cookie's value, on verify and forward.",
          },
        }
      : {}),
  };
}

/** The Paths Object. @throws Error unless the operations are the routes' and no others. */
export function renderPaths(table: ReadonlyMap<string, readonly string[]>, operations: Operations): Schema {
  const known = new Set(
    [...table].flatMap(([path, methods]) =>
      methods.filter((method) => method !== "HEAD").map((method) => `${method} ${path}`),
    ),
  );
  const extra = Object.keys(operations).filter((name) => !known.has(name));
  const missing = [...known].filter((name) => !Object.hasOwn(operations, name));
  if (extra.length + missing.length > 0) {
    throw new Error(`src/http/openapi lacks [${missing.join(", ")}] and has [${extra.join(", ")}] too many`);
  }
  const render = (path: string, method: string) => {
    const operation = operations[`${method === "HEAD" ? "GET" : method} ${path}`];
    if (operation === undefined) throw new Error(`HEAD ${path} has no GET`);
    return [
      method.toLowerCase(),
      method === "HEAD" ? renderHead(operation) : renderOperation(operation),
    ] as const;
  };
  return Object.fromEntries(
    [...table].map(([path, methods]) => [
      path,
      Object.fromEntries(methods.map((method) => render(path, method))),
    ]),
  );
}

function renderOperation({ responses, ...operation }: Operation): Schema {
  const render = (answer: Answer | string) => {
    if (typeof answer !== "string") return answer;
    requireShared(answer);
    return ref("responses", answer);
  };
  return { ...operation, responses: mapValues(responses, render) };
}

/** The GET's answers without their bodies. */
function renderHead({ operationId, summary, responses, ...operation }: Operation): Schema {
  const render = (answer: Answer | string) => {
    const { content: _, ...head } = typeof answer === "string" ? requireShared(answer) : answer;
    return head;
  };
  return {
    operationId: `${operationId}Head`,
    summary: `${summary}: the headers alone`,
    ...operation,
    responses: mapValues(responses, render),
  };
}

function requireShared(name: string): Answer {
  const answer = sharedAnswers[name];
  if (answer === undefined) throw new Error(`there is no shared answer ${name}`);
  return answer;
}

function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => unknown): Schema {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
