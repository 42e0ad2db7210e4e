import { jsonAnswer, refusal, setsCookies, uncached } from "./answers.ts";
import {
  body,
  done,
  get,
  invalidBody,
  noBody,
  optional,
  post,
  required,
  status,
  user,
} from "./auth-operation.ts";
import { object, type Operations, type Schema, text } from "./model.ts";

const entry: Operations = {
  "POST /api/auth/sign-in/email": post({
    operationId: "signIn",
    summary: "Sign in with an e-mail address and a password",
    tags: ["session"],
    security: [],
    body: body("SignIn"),
    hashes: true,
    answers: {
      "200": jsonAnswer(
        "A session has begun; one that the request came with has ended.",
        object({ redirect: { type: "boolean" }, token: text, url: text, user }, ["url"]),
        {
          ...uncached,
          ...setsCookies,
          Location: { description: "The `callbackURL` of the body.", schema: text },
        },
      ),
      "400": invalidBody(["PASSWORD_TOO_LONG"]),
      "401": refusal("The same for an unknown address and a wrong password.", ["INVALID_EMAIL_OR_PASSWORD"]),
    },
  }),
  "POST /api/auth/sign-out": post({
    operationId: "signOut",
    summary: "End the session",
    tags: ["session"],
    security: optional,
    body: noBody,
    bodyRequired: false,
    answers: { "200": done("No session is left.", object({ success: { const: true } })) },
  }),
};

const refreshParameters = ["disableRefresh", "disableCookieCache"].map((name) => ({
  name,
  in: "query",
  description: name === "disableRefresh" ? "true: the session is not slid on." : "Without effect.",
  schema: { type: "boolean" },
}));

const found = (schemas: readonly Schema[]) => ({
  "200": done("The session and its user, if there is one.", { oneOf: [body("SessionWithUser"), ...schemas] }),
  "401": "SessionLost",
});

const reading: Operations = {
  "GET /api/auth/get-session": get(
    {
      operationId: "getSession",
      summary: "Who is signed in, or null",
      description: "For pages. Slides the session on when that is due.",
      security: optional,
      parameters: refreshParameters,
    },
    found([{ type: "null" }]),
  ),
  "GET /api/auth/session": get(
    {
      operationId: "getSessionOrNobody",
      summary: "Who is signed in, as an object in any case",
      security: optional,
      parameters: refreshParameters,
    },
    found([object({ user: { type: "null" }, session: { type: "null" } })]),
  ),
  "GET /api/auth/list-sessions": get(
    { operationId: "listSessions", summary: "The user's live sessions", security: required },
    {
      "200": done("`token` holds the session's id, which revoke-session accepts.", {
        type: "array",
        items: body("Session"),
      }),
      "401": "Unauthorized",
    },
  ),
};

const session = { tags: ["session"], security: required };

const revocation: Operations = {
  "POST /api/auth/revoke-session": post({
    ...session,
    operationId: "revokeSession",
    summary: "End one of the user's sessions",
    body: body("SessionRevocation"),
    answers: { "200": done("It is not there any more, or never was.", status) },
  }),
  "POST /api/auth/revoke-sessions": post({
    ...session,
    operationId: "revokeSessions",
    summary: "End all of the user's sessions, this one included",
    body: noBody,
    bodyRequired: false,
    answers: { "200": done("They have ended.", status) },
  }),
  "POST /api/auth/revoke-other-sessions": post({
    ...session,
    operationId: "revokeOtherSessions",
    summary: "End all of the user's sessions but this one",
    body: noBody,
    bodyRequired: false,
    answers: { "200": done("They have ended.", status) },
  }),
};

/** Where a session begins, is read and ends. */
export const sessionOperations: Operations = { ...entry, ...reading, ...revocation };
