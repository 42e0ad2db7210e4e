import type { Config } from "../../config/load.ts";
import { emptyAnswer, jsonAnswer, retryAfter, startingSchema, uncached } from "./answers.ts";
import { type Answer, type Operation, type Operations, ref, type Schema, text } from "./model.ts";
import { notVerified } from "./schemas.ts";

/** What proxies, APIs and operators ask. */
export function describeService({ bearer, trustedProxies }: Config): Operations {
  const security = [{ cookie: [] }, ...(bearer === "signed" ? [{ bearer: [] }] : [])];
  return {
    "GET /api/auth/verify": { ...verifyOperation, security },
    "GET /api/auth/forward":
      trustedProxies.length > 0 ? redirecting(security) : { ...forwardOperation, security },
    ...fixed,
  };
}

const header = (schema: Schema, description: string) => ({ description, required: true, schema });
const encoded = { type: "string", pattern: "^[!-~]*$" };
const percent = "Percent-encoded UTF-8.";
const vary = { Vary: header({ const: "Origin, Cookie, Authorization" }, "What the answer depends on.") };

const verified = jsonAnswer("The session lives.", ref("schemas", "VerifiedSession"), {
  ...uncached,
  ...vary,
  "X-Auth-User-Id": header(encoded, percent),
  "X-Auth-Session-Id": header(encoded, percent),
  "X-Auth-Email": header(encoded, percent),
  "X-Auth-Email-Verified": header({ enum: ["true", "false"] }, "Whether the address is verified."),
  "X-Auth-Name": header(encoded, percent),
});

const notSignedIn = jsonAnswer(
  "No live session: none was presented, its signature is wrong, or it has ended.",
  notVerified(["NO_CREDENTIALS", "INVALID_SESSION", "SESSION_EXPIRED"]),
  {
    ...uncached,
    ...vary,
    "WWW-Authenticate": header(
      { enum: ['Bearer realm="latchkey"', 'Bearer realm="latchkey", error="invalid_token"'] },
      "RFC 6750 §3.",
    ),
  },
);

/** A body of one kind, or the error of a server that is starting. */
const orStarting = (description: string, schema: Schema): Answer =>
  jsonAnswer(
    description,
    { anyOf: [schema, startingSchema] },
    {
      ...uncached,
      ...retryAfter,
    },
  );

const verifyOperation: Omit<Operation, "security"> = {
  operationId: "verify",
  summary: "Whether the caller's session lives, and whose it is",
  description:
    "For APIs and proxies, which send on the `Cookie` they got. Only reads, sets no cookie, and is exact: a session " +
    "that has ended is never 200. 503 says nothing about the session.",
  tags: ["verification"],
  responses: {
    "200": verified,
    "400": "InvalidHost",
    "401": notSignedIn,
    "503": orStarting(
      "Nobody knows: the sessions cannot be read in time.",
      notVerified(["SESSION_STORE_UNAVAILABLE"]),
    ),
  },
};

const forwardOperation: Omit<Operation, "security"> = {
  ...verifyOperation,
  operationId: "forward",
  summary: "As verify, for proxies that hand the answer on",
};

const parameter = (name: string, schema: Schema) => ({ name, in: "header", schema });

/** With trusted proxies, which may report a navigation. */
const redirecting = (security: Operation["security"]): Operation => ({
  ...forwardOperation,
  description:
    "For Traefik's ForwardAuth and Caddy's forward_auth. As verify, but a person without a session who opens a page " +
    "(`Accept` names text/html, `Sec-Fetch-Mode` is navigate or absent) is sent to sign in, when a trusted proxy " +
    "reports it and the page is of a trusted origin.",
  security,
  parameters: [
    parameter("X-Forwarded-Method", text),
    parameter("X-Forwarded-Proto", { enum: ["https", "http"] }),
    parameter("X-Forwarded-Host", text),
    parameter("X-Forwarded-Uri", { type: "string", pattern: "^/" }),
  ],
  responses: {
    ...forwardOperation.responses,
    "302": emptyAnswer("To the sign-in page, and from there back.", {
      ...uncached,
      ...vary,
      Location: header({ type: "string", format: "uri" }, "`/signin?callbackUrl=…`"),
    }),
  },
});

const service = { tags: ["service"], security: [] };

const fixed: Operations = {
  "GET /health": {
    ...service,
    operationId: "health",
    summary: "Whether the server can answer",
    description: "Readiness, within 2 s. A good result of the database may be 5 s old.",
    responses: {
      "200": jsonAnswer("It can.", ref("schemas", "Health"), uncached),
      "400": "InvalidHost",
      "503": orStarting("It cannot.", ref("schemas", "Health")),
    },
  },
  "GET /health/live": {
    ...service,
    operationId: "live",
    summary: "Whether the process answers",
    responses: {
      "200": jsonAnswer("It does.", ref("schemas", "Alive"), uncached),
      "400": "InvalidHost",
      "503": "Starting",
    },
  },
  "GET /openapi.json": {
    ...service,
    operationId: "openApi",
    summary: "This document",
    responses: {
      "200": jsonAnswer(
        "OpenAPI 3.1, of this server as it is configured.",
        { type: "object", required: ["openapi"] },
        {
          "Cache-Control": header(
            { type: "string", pattern: "^public, max-age=[0-9]+$" },
            "For a few minutes.",
          ),
        },
      ),
      "400": "InvalidHost",
      "503": "Starting",
    },
  },
};
