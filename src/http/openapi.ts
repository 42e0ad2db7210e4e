import type { Config } from "../config/config.ts";
import { type AnyCode, codes, postCodes } from "../error-codes.ts";
import { methodsOf, type NamedRoute, routeList } from "../routes.ts";
import { sessionCookieName } from "../session/cookie.ts";
import {
  answerSchemas,
  bodySchemas,
  boolean,
  type Node,
  type Nodes,
  object,
  ref,
  string,
  text,
  uri,
} from "./openapi-schemas.ts";

/** Builds `GET /openapi.json`: rendered once, for any origin's eyes. It changes with a restart alone. */
export function createOpenApiAnswer(config: Config, version: string): () => Response {
  const body = JSON.stringify(createOpenApi(config, version));
  const headers = { "Content-Type": "application/json", "Cache-Control": "public, max-age=300" };
  return () => new Response(body, { headers });
}

const description = `Accounts and sessions. Unless an operation says otherwise:

* An error is JSON, \`{code,message}\`; to somebody who opens an address in a browser, and on a page, it is a page.
* Another path is 404 \`NOT_FOUND\`, another method 405 \`METHOD_NOT_ALLOWED\` with \`Allow\`.
* \`OPTIONS\` answers a preflight on every path: an origin that is not listed is granted nothing.
* A trailing slash makes no difference. A body is JSON or a urlencoded form of at most 32 KiB.
* A request that changes something comes from a listed origin, or from a program without \`Origin\` and \`Cookie\`.`;

/** OpenAPI 3.1 of `routes.ts`, as a server with this configuration answers. */
function createOpenApi(config: Config, version: string): Node {
  const operations = (route: NamedRoute) =>
    methodsOf(route).map((method) => [method.toLowerCase(), operation(route, method, config)] as const);
  const paths = Object.fromEntries(
    routeList.map((route) => [route.path, Object.fromEntries(operations(route))]),
  );
  const schemas = { ...answerSchemas, ...bodySchemas(config.passwordMinLength) };
  const used = JSON.stringify({ paths, schemas });
  const isUsed = ([name]: readonly [string, unknown]) => used.includes(`"#/components/schemas/${name}"`);
  const cookie = { type: "apiKey", in: "cookie", name: sessionCookieName(config.secure) };
  const bearer = { type: "http", scheme: "bearer", description: "The session cookie's value." };
  return {
    openapi: "3.1.0",
    info: { title: "latchkey", version, description, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: config.baseUrl }],
    tags: [
      { name: "session", description: "Sign in, sign out, and what lies between." },
      { name: "account", description: "Where an account begins, changes and ends." },
      { name: "verification", description: "For APIs and proxies." },
      { name: "service", description: "For operators." },
      { name: "pages", description: "For people: plain HTML forms." },
    ],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).filter(isUsed)),
      securitySchemes: config.bearer === "off" ? { cookie } : { cookie, bearer },
    },
  };
}

function operation(route: NamedRoute, method: string, config: Config): Node {
  const { name, kind, caller, summary, answer = "" } = route;
  const suffix = method === "HEAD" ? "Head" : method === "POST" && kind === "pages" ? "Submission" : "";
  const bearer = kind === "verification" && config.bearer !== "off" ? [{ bearer: [] }] : [];
  const security = {
    anyone: [],
    "with or without a session": [{}, { cookie: [] }],
    "with a session": [{ cookie: [] }, ...bearer],
  }[caller];
  const responses = kind === "pages" ? pageResponses(route, method) : responsesOf(route, config);
  return {
    operationId: name + suffix,
    summary: method === "HEAD" ? `${summary}: the headers alone` : summary,
    // The contract's text, without its links.
    description: answer.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"),
    tags: [kind],
    security,
    parameters: parametersOf(route, config),
    ...(method === "POST" ? { requestBody: requestBody(route) } : {}),
    responses: method === "HEAD" ? mapValues(responses, withoutContent) : responses,
  };
}

const withoutContent = ({ description, headers }: Node): Node => ({ description, headers });

function requestBody({ kind, body, form = [] }: NamedRoute): Node {
  const fields = Object.fromEntries(form.map((field) => [field.replace("?", ""), text]));
  const optional = form.filter((field) => field.endsWith("?")).map((field) => field.slice(0, -1));
  const schema =
    kind === "pages" ? object(fields, optional) : body === undefined ? { type: "object" } : ref(body);
  const content = { "application/x-www-form-urlencoded": { schema } };
  return kind === "pages"
    ? { required: true, content }
    : { required: body !== undefined, content: { "application/json": { schema }, ...content } };
}

function parametersOf({ name, callback, path }: NamedRoute, { trustedProxies }: Config): readonly Node[] {
  const parameter = (place: string, at: string, schema: Node) => ({ name: at, in: place, schema });
  if (callback === true) return [parameter("query", "callbackUrl", text)];
  if (name === "recoveryLink")
    return [
      { ...parameter("path", "token", text), required: true },
      { ...parameter("query", "callbackURL", text), required: true },
    ];
  if (name === "verifyEmail")
    return [
      { ...parameter("query", "token", text), required: true },
      parameter("query", "callbackURL", text),
    ];
  if (path.includes("{file}")) return [{ ...parameter("path", "file", assetName), required: true }];
  if (name === "getSession" || name === "session")
    return ["disableRefresh", "disableCookieCache"].map((at) => parameter("query", at, boolean));
  if (name !== "forward" || trustedProxies.length === 0) return [];
  return ["Method", "Proto", "Host", "Uri"].map((at) => parameter("header", `X-Forwarded-${at}`, text));
}

function responsesOf(route: NamedRoute, config: Config): Nodes {
  const isClosed = route.name === "signUp" && config.signUp === "closed";
  const open = config.signUp === "open" ? "EMAIL_PASSWORD_SIGN_UP_DISABLED" : null;
  const absent = isClosed ? "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL" : open;
  const never = [absent, ...absentByMail(config)];
  const answered = codesOf(route).filter((code) => !never.includes(code));
  const redirects = route.name === "forward" && config.trustedProxies.length > 0;
  return {
    ...(isClosed || isMailless(route, config) || route.ok === undefined ? {} : { "200": success(route) }),
    ...(["recoveryLink", "verifyEmail"].includes(route.name) ? { "302": onward } : {}),
    ...(redirects ? { "302": signInRedirect } : {}),
    ...mapValues(
      Object.groupBy(answered, (code) => codes[code].status),
      (list = []) => refusal(route, list),
    ),
  };
}

/** Whether a route does nothing, for want of mail. */
function isMailless({ name, mails }: NamedRoute, { mail, emailVerification }: Config): boolean {
  if (name === "sendVerificationEmail") return emailVerification === "off";
  return mails === true && mail === null;
}

/** What is answered without mail alone, or with it alone. */
function absentByMail({ mail, emailVerification }: Config): readonly AnyCode[] {
  return [
    ...(mail === null ? [] : (["RESET_PASSWORD_DISABLED", "CHANGE_EMAIL_DISABLED"] as const)),
    ...(emailVerification === "off" ? [] : (["VERIFICATION_EMAIL_NOT_ENABLED"] as const)),
    emailVerification === "required" ? "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL" : "EMAIL_NOT_VERIFIED",
  ];
}

/** What every route of a kind may refuse, and what this one does besides. */
function codesOf({
  kind,
  methods,
  caller,
  hashes,
  mails,
  limited,
  refuses = [],
}: NamedRoute): readonly AnyCode[] {
  const isAuth = kind === "session" || kind === "account";
  return [
    "INVALID_HOST",
    "REPEATED_PARAMETER",
    "STARTING",
    ...(methods === "POST" ? postCodes : []),
    ...(isAuth ? (["INTERNAL_SERVER_ERROR", "STORE_UNAVAILABLE"] as const) : []),
    ...(isAuth && caller === "with a session" ? (["UNAUTHORIZED"] as const) : []),
    ...(mails === true ? (["MAIL_QUEUE_FULL", "TOO_MANY_REQUESTS"] as const) : []),
    ...(limited === true ? (["TOO_MANY_REQUESTS"] as const) : []),
    ...(hashes === true ? (["TOO_BUSY", "TOO_MANY_REQUESTS"] as const) : []),
    ...refuses,
  ];
}

function success({ name, kind, ok = "" }: NamedRoute): Node {
  const headers = {
    service: name === "openApi" ? cached : uncached,
    verification: { ...uncached, ...vary, ...identity },
    session: {
      ...uncached,
      ...cookies,
      ...(name === "signIn" ? { Location: { schema: text } } : {}),
      ...(name === "listSessions" ? { "X-Total-Count": required(string({ pattern: "^[0-9]+$" })) } : {}),
    },
    account: { ...uncached, ...cookies },
    pages: {},
  }[kind];
  return json("It is done, or found.", ref(ok), headers);
}

function refusal({ name, kind, refuses = [] }: NamedRoute, list: readonly AnyCode[]): Node {
  const { status } = codes[list[0] ?? "NOT_FOUND"];
  // Verify's own say `valid` besides what every error says.
  const own = kind === "verification" ? list.filter((code) => refuses.includes(code)) : [];
  const others = list.filter((code) => !own.includes(code));
  const schemas = [
    ...(own.length === 0 ? [] : [object({ valid: { const: false }, code: { enum: own }, message: text })]),
    ...(name === "health" && status === 503 ? [ref("Health")] : []),
    ...(others.length === 0 ? [] : [errorSchema(others)]),
  ];
  const about401 = kind === "verification" ? { ...vary, ...challenge } : cookies;
  // To somebody who opens the address in a browser, it is a page.
  const isPageToPeople = name === "forward" || kind === "session" || kind === "account";
  const refused = json(
    list.map((code) => `\`${code}\`: ${codes[code].when}`).join("; "),
    { anyOf: schemas },
    {
      ...uncached,
      ...(status === 503 || status === 429 ? { "Retry-After": required(seconds) } : {}),
      ...(status === 401 ? about401 : {}),
    },
  );
  return isPageToPeople ? { ...refused, content: { ...(refused["content"] as Node), ...html } } : refused;
}

const html: Nodes = { "text/html": { schema: {} } };

/** The hosted pages, in short: they are for people. Where the `Host` is bad or the server starts, they are JSON. */
function pageResponses({ ok, name }: NamedRoute, method: string): Nodes {
  const orJson = (code: AnyCode) => ({ ...html, "application/json": { schema: errorSchema([code]) } });
  const failures = {
    "4XX": answer("A page that says what is wrong.", {}, orJson("INVALID_HOST")),
    "5XX": answer("A page that says so.", { "Retry-After": { schema: seconds } }, orJson("STARTING")),
  };
  if (name === "asset") {
    const types = ["text/css", "text/javascript", "image/svg+xml", "font/woff2"].map((type) => [
      type,
      { schema: {} },
    ]);
    const file = answer("The file.", { "Cache-Control": required(text) }, Object.fromEntries(types));
    return { "200": file, ...failures };
  }
  const shown = method === "POST" || ok === undefined ? {} : { "200": answer("The page.", cookies, html) };
  return {
    ...shown,
    "303": answer("On to another page.", { ...cookies, Location: required(uri) }),
    ...failures,
  };
}

function answer(about: string, headers: Nodes, content?: Node): Node {
  const named = { "X-Request-Id": { schema: requestId }, ...headers };
  return { description: about, headers: named, ...(content === undefined ? {} : { content }) };
}

function json(about: string, schema: Node, headers: Nodes): Node {
  return answer(about, headers, { "application/json": { schema } });
}

function required(schema: Node): Node {
  return { required: true, schema };
}

function errorSchema(list: readonly AnyCode[]): Node {
  return { allOf: [ref("Error"), { properties: { code: { enum: list } } }] };
}

function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => Node): Nodes {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

const seconds = string({ pattern: "^[0-9]+$" });
const requestId = string({ pattern: "^[A-Za-z0-9._-]{1,64}$" });
const assetName = string({ pattern: "^latchkey-[0-9a-f]{16}\\.(?:css|js|svg|woff2)$" });
const percentEncoded = required(string({ pattern: "^[!-~]*$" }));

const uncached = { "Cache-Control": required({ const: "no-store" }) };
const cached = { "Cache-Control": required(string({ pattern: "^public, max-age=[0-9]+$" })) };
const cookies = { "Set-Cookie": { schema: text } };
const vary = { Vary: required({ const: "Origin, Cookie, Authorization" }) };
const challenge = { "WWW-Authenticate": required(string({ pattern: '^Bearer realm="latchkey"' })) };
const identity = {
  "X-Auth-User-Id": percentEncoded,
  "X-Auth-Session-Id": percentEncoded,
  "X-Auth-Email": percentEncoded,
  "X-Auth-Email-Verified": required({ enum: ["true", "false"] }),
  "X-Auth-Name": percentEncoded,
};
const onward = answer("On to `callbackURL`.", { ...uncached, Location: required(uri) });
const signInRedirect = answer("To the sign-in page, and from there back.", {
  ...uncached,
  ...vary,
  Location: required(uri),
});
