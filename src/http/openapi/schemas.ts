import { emailMaxLength, imageMaxLength, nameMaxLength, passwordMaxLength } from "../../auth/input.ts";
import { instant, object, ref, type Schema, text } from "./model.ts";

/** Every password that was ever accepted fits; BetterAuth refuses longer ones unread, in UTF-16 units. */
const presentedPassword = { type: "string", maxLength: 512 };
const callbackUrl = {
  type: "string",
  format: "uri-reference",
  description: "Relative, or on a trusted origin.",
};
const rememberMe = {
  type: "boolean",
  default: true,
  description: "false: the cookie ends with the browser, and the session after a day.",
};
const image = {
  pattern: "^(https?:.*)?$",
  maxLength: imageMaxLength,
  description: "An http or https address, or nothing.",
};
const nullableText = { type: ["string", "null"] };

/** The objects that bodies are made of. Lengths count code points. */
export function describeSchemas(passwordMinLength: number): Readonly<Record<string, Schema>> {
  const newPassword = { type: "string", minLength: passwordMinLength, maxLength: passwordMaxLength };
  const name = { type: "string", maxLength: nameMaxLength };
  const email = { type: "string", format: "email", maxLength: emailMaxLength };
  return {
    ...answerSchemas,
    SignUp: object(
      {
        name,
        email,
        password: newPassword,
        image: { type: "string", ...image },
        callbackURL: callbackUrl,
        rememberMe,
      },
      ["image", "callbackURL", "rememberMe"],
    ),
    SignIn: object({ email, password: presentedPassword, callbackURL: callbackUrl, rememberMe }, [
      "callbackURL",
      "rememberMe",
    ]),
    PasswordChange: object(
      {
        currentPassword: presentedPassword,
        newPassword,
        revokeOtherSessions: {
          type: "boolean",
          description: "true: ends every session and begins a new one.",
        },
      },
      ["revokeOtherSessions"],
    ),
    UserUpdate: {
      ...object({ name, image: { type: ["string", "null"], ...image } }, ["name", "image"]),
      minProperties: 1,
    },
    UserDeletion: object({ password: { ...presentedPassword, minLength: 1 } }),
    SessionRevocation: object({
      token: {
        type: "string",
        description: "As list-sessions shows it, or a real one. Unknown ones are 200 too.",
      },
    }),
  };
}

const session = { id: text, userId: text, expiresAt: instant, createdAt: instant, updatedAt: instant };

const answerSchemas: Readonly<Record<string, Schema>> = {
  Error: object({
    code: { type: "string", pattern: "^[A-Z][A-Z0-9_]*$", description: "Stable." },
    message: { type: "string", description: "For people; may change." },
  }),
  User: object({
    id: text,
    name: text,
    email: { type: "string", format: "email" },
    emailVerified: { type: "boolean" },
    image: nullableText,
    createdAt: instant,
    updatedAt: instant,
  }),
  Session: object({
    ...session,
    token: { type: "string", description: "The session's secret. In list-sessions its id instead." },
    ipAddress: nullableText,
    userAgent: nullableText,
  }),
  SessionWithUser: object({ session: ref("schemas", "Session"), user: ref("schemas", "User") }),
  VerifiedSession: object({
    valid: { const: true },
    user: ref("schemas", "User"),
    session: { ...object(session), description: "Without its token." },
  }),
  Alive: object({ status: { const: "ok" }, version: text }),
  Status: object({ status: { const: true } }),
  Health: object({
    status: { enum: ["ok", "unavailable"] },
    version: text,
    checks: object({
      database: object(
        { status: { enum: ["ok", "unavailable"] }, latencyMs: { type: "number", minimum: 0 } },
        ["latencyMs"],
      ),
      migrations: object({
        status: { enum: ["ok", "pending"] },
        pending: { type: "integer", minimum: 0 },
      }),
    }),
  }),
};

/** Verify's refusals, which say `valid` besides what every error says. */
export function notVerified(codes: readonly string[]): Schema {
  return object({ valid: { const: false }, code: { enum: codes }, message: text });
}
