import { type Answer, ref, type Schema } from "./model.ts";

const json = "application/json";
const requestId: Readonly<Record<string, Schema>> = { "X-Request-Id": ref("headers", "RequestId") };
export const retryAfter: Readonly<Record<string, Schema>> = { "Retry-After": ref("headers", "RetryAfter") };
export const setsCookies: Readonly<Record<string, Schema>> = { "Set-Cookie": ref("headers", "SetCookie") };
export const uncached: Readonly<Record<string, Schema>> = { "Cache-Control": ref("headers", "NoStore") };

export function jsonAnswer(
  description: string,
  schema: Schema,
  headers: Readonly<Record<string, Schema>> = {},
): Answer {
  return { description, headers: { ...requestId, ...headers }, content: { [json]: { schema } } };
}

export function pageAnswer(description: string, headers: Readonly<Record<string, Schema>> = {}): Answer {
  return { description, headers: { ...requestId, ...headers }, content: { "text/html": { schema: {} } } };
}

export function emptyAnswer(description: string, headers: Readonly<Record<string, Schema>>): Answer {
  return { description, headers: { ...requestId, ...headers } };
}

/** An error with one of these codes. */
export function refusal(
  description: string,
  codes: readonly string[],
  headers: Readonly<Record<string, Schema>> = {},
): Answer {
  return jsonAnswer(description, errorSchema(codes), { ...uncached, ...headers });
}

export function errorSchema(codes: readonly string[]): Schema {
  return { allOf: [ref("schemas", "Error"), { properties: { code: { enum: codes } } }] };
}

/** What every route answers while the server starts. */
export const startingSchema = errorSchema(["STARTING"]);

/** What a body or its fields can be refused for, whatever the route. */
export const invalidBodyCodes = [
  "INVALID_HOST",
  "INVALID_BODY",
  "REPEATED_PARAMETER",
  "VALIDATION_ERROR",
  "INVALID_EMAIL",
];

/** Answers that several operations give; they stand in the document's components. */
export const sharedAnswers: Readonly<Record<string, Answer>> = {
  InvalidHost: refusal("The `Host` header cannot be used.", ["INVALID_HOST"]),
  InvalidRequest: refusal("The request cannot be understood.", ["INVALID_HOST", "REPEATED_PARAMETER"]),
  InvalidBody: refusal("The body cannot be used.", invalidBodyCodes),
  Unauthorized: refusal("Nobody is signed in.", ["UNAUTHORIZED"], setsCookies),
  SessionLost: refusal(
    "The session ended while it was being refreshed.",
    ["FAILED_TO_GET_SESSION"],
    setsCookies,
  ),
  ForbiddenOrigin: refusal("The request, or an address in it, is of an origin that is not trusted.", [
    "INVALID_ORIGIN",
    "MISSING_OR_NULL_ORIGIN",
    "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED",
    "INVALID_CALLBACK_URL",
    "INVALID_REDIRECT_URL",
    "INVALID_ERROR_CALLBACK_URL",
    "INVALID_NEW_USER_CALLBACK_URL",
  ]),
  BodyTimeout: refusal("The body did not arrive in time.", ["REQUEST_TIMEOUT"]),
  BodyTooLarge: refusal("The body has more than 32 KiB.", ["PAYLOAD_TOO_LARGE"]),
  UnsupportedMediaType: refusal("The body is neither JSON nor a form.", ["UNSUPPORTED_MEDIA_TYPE"]),
  InternalError: refusal("A fault of the server's; its log has the cause.", ["INTERNAL_SERVER_ERROR"]),
  Starting: refusal("The server is starting.", ["STARTING"], retryAfter),
  Unavailable: refusal(
    "The database cannot be reached in time.",
    ["STORE_UNAVAILABLE", "STARTING"],
    retryAfter,
  ),
  Busy: refusal(
    "The database cannot be reached in time, or too many passwords wait to be hashed.",
    ["STORE_UNAVAILABLE", "TOO_BUSY", "STARTING"],
    retryAfter,
  ),
};

/** The headers that answers refer to. */
export const headers: Readonly<Record<string, Schema>> = {
  RequestId: {
    description: "The request's name, also in the server's log.",
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  },
  RetryAfter: {
    description: "Seconds until a retry may succeed.",
    required: true,
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
  SetCookie: {
    description: "Begins, renews or ends the session's cookie. One field a cookie.",
    schema: { type: "string" },
  },
  NoStore: { required: true, schema: { const: "no-store" } },
};
