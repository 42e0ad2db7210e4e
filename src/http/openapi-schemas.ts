import { emailMaxLength, imageMaxLength, nameMaxLength, passwordMaxLength } from "../auth/input.ts";

/** A JSON Schema 2020-12, or another part of the document that nothing here looks into. */
export type Node = Readonly<Record<string, unknown>>;
export type Nodes = Readonly<Record<string, Node>>;

export function ref(name: string): Node {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object that has all of its fields but the optional ones. */
export function object(properties: Nodes, optional: readonly string[] = []): Node {
  const needed = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, ...(needed.length === 0 ? {} : { required: needed }) };
}

export const string = (more: Node): Node => ({ type: "string", ...more });
export const text = string({});
export const boolean = { type: "boolean" };
const nullableText = { type: ["string", "null"] };
export const uri = string({ format: "uri" });

const instants = { createdAt: string({ format: "date-time" }), updatedAt: string({ format: "date-time" }) };
const session = { id: text, userId: text, expiresAt: string({ format: "date-time" }), ...instants };
const person = { id: text, name: text, email: string({ format: "email" }), emailVerified: boolean };
const user = ref("User");
const status = { enum: ["ok", "unavailable"] };
const database = object({ status, latencyMs: { type: "number", minimum: 0 }, idle: { const: true } }, [
  "latencyMs",
  "idle",
]);
const count = { type: "integer", minimum: 0 };
const workers = object({ status: { enum: ["ok", "missing"] }, serving: count, configured: count });
const migrations = object({
  status: { enum: ["ok", "pending"] },
  pending: count,
});

/** What answers are made of. A session's `token` is its secret, but its id in `list-sessions`. */
export const answerSchemas: Nodes = {
  Error: object({ code: string({ pattern: "^[A-Z][A-Z0-9_]*$" }), message: text }),
  User: object({ ...person, image: nullableText, ...instants }),
  Session: object({ ...session, token: text, ipAddress: nullableText, userAgent: nullableText }),
  SessionWithUser: object({ session: ref("Session"), user }),
  Nobody: object({ user: { type: "null" }, session: { type: "null" } }),
  SessionOrNull: { oneOf: [ref("SessionWithUser"), { type: "null" }] },
  SessionOrNobody: { oneOf: [ref("SessionWithUser"), ref("Nobody")] },
  SessionList: { type: "array", items: ref("Session") },
  Verified: object({ valid: { const: true }, user, session: object(session) }),
  SignedUp: object({ token: nullableText, user }),
  SignedIn: object({ redirect: boolean, token: text, url: text, user }, ["url"]),
  SignedOut: object({ success: boolean }),
  Revoked: object({ status: boolean }),
  PasswordChanged: object({ token: nullableText, user }),
  UserDeleted: object({ success: { const: true }, message: text }),
  Done: object({ status: { const: true } }),
  EmailVerified: object({ status: { const: true }, user: { type: "null" } }),
  DoneWithMessage: object({ status: { const: true }, message: text }),
  Alive: object({ status: { const: "ok" }, version: text }),
  OpenApi: { type: "object", required: ["openapi"] },
  Health: object({ status, version: text, checks: object({ database, migrations, workers }, ["workers"]) }),
};

/** What bodies are made of. Lengths count code points. */
export function bodySchemas(passwordMinLength: number): Nodes {
  const name = string({ maxLength: nameMaxLength });
  const email = string({ format: "email", maxLength: emailMaxLength });
  const image = { type: ["string", "null"], pattern: "^(https?:.*)?$", maxLength: imageMaxLength };
  const newPassword = string({ minLength: passwordMinLength, maxLength: passwordMaxLength });
  // Every password that was ever accepted fits; BetterAuth refuses longer ones unread, in UTF-16 units.
  const password = string({ maxLength: 512 });
  const more = { callbackURL: string({ format: "uri-reference" }), rememberMe: boolean };
  const profile = { name, email, password: newPassword, image: { ...image, type: "string" } };
  return {
    SignUp: object({ ...profile, ...more, invitation: text }, ["image", "invitation", ...Object.keys(more)]),
    SignIn: object({ email, password, ...more }, Object.keys(more)),
    PasswordChange: object({ currentPassword: password, newPassword, revokeOtherSessions: boolean }, [
      "revokeOtherSessions",
    ]),
    PasswordResetRequest: object({ email, redirectTo: text, callbackUrl: text }, [
      "redirectTo",
      "callbackUrl",
    ]),
    VerificationRequest: object({ email, callbackURL: text }, ["callbackURL"]),
    VerificationCode: object({ email, code: text }),
    Confirmation: object({ token: text }),
    EmailChange: object({ newEmail: email, callbackURL: text }, ["callbackURL"]),
    PasswordReset: object({ token: text, newPassword }),
    UserUpdate: { ...object({ name, image }, ["name", "image"]), minProperties: 1 },
    UserDeletion: object({ password: { ...password, minLength: 1 } }),
    SessionRevocation: object({ token: text }),
  };
}
