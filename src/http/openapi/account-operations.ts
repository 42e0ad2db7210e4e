import { refusal } from "./answers.ts";
import { body, done, invalidBody, post, required, status, user } from "./auth-operation.ts";
import { object, type Operations, text } from "./model.ts";

/** Where an account begins, changes and ends. */
export function describeAccount(signUp: "open" | "closed"): Operations {
  return { "POST /api/auth/sign-up/email": signUp === "open" ? openSignUp : closedSignUp, ...actions };
}

const signUpAction = {
  operationId: "signUp",
  tags: ["account"],
  security: [],
  body: body("SignUp"),
  hashes: true,
};
const signUpRefusals = ["PASSWORD_TOO_SHORT", "PASSWORD_TOO_LONG"];

const openSignUp = post({
  ...signUpAction,
  summary: "Make an account and sign in",
  answers: {
    "200": done("The account is there and a session has begun.", object({ token: text, user })),
    "400": invalidBody(signUpRefusals),
    "422": refusal("The e-mail address has an account.", ["USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"]),
  },
});

const closedSignUp = post({
  ...signUpAction,
  summary: "Sign-up is closed: always refused",
  answers: { "400": invalidBody([...signUpRefusals, "EMAIL_PASSWORD_SIGN_UP_DISABLED"]) },
});

const account = { tags: ["account"], security: required };

const actions: Operations = {
  "POST /api/auth/change-password": post({
    ...account,
    operationId: "changePassword",
    summary: "Replace the password",
    body: body("PasswordChange"),
    hashes: true,
    answers: {
      "200": done(
        "The new password counts. `token` is the new session's, or null.",
        object({ token: { type: ["string", "null"] }, user }),
      ),
      "400": invalidBody([
        "PASSWORD_TOO_SHORT",
        "PASSWORD_TOO_LONG",
        "INVALID_PASSWORD",
        "CREDENTIAL_ACCOUNT_NOT_FOUND",
      ]),
    },
  }),
  "POST /api/auth/update-user": post({
    ...account,
    operationId: "updateUser",
    summary: "Change the name or the image",
    body: body("UserUpdate"),
    answers: {
      "200": done("It is changed.", status),
      "400": invalidBody(["EMAIL_CAN_NOT_BE_UPDATED"]),
    },
  }),
  "POST /api/auth/delete-user": post({
    ...account,
    operationId: "deleteUser",
    summary: "Delete the account and its sessions",
    body: body("UserDeletion"),
    hashes: true,
    answers: {
      "200": done("They are gone.", object({ success: { const: true }, message: text })),
      "400": invalidBody(["PASSWORD_TOO_LONG", "INVALID_PASSWORD", "CREDENTIAL_ACCOUNT_NOT_FOUND"]),
      "404": refusal("The body had a `token` too, which nobody has given out.", ["INVALID_TOKEN"]),
    },
  }),
};
