import type { Route } from "./route.ts";

const posted = { methods: "POST", kind: "account", betterAuth: true } as const;

/** What needs mail. Where there is none, each says so. */
export const mailRoutes = {
  requestPasswordReset: {
    methods: "POST",
    kind: "account",
    caller: "anyone",
    betterAuth: true,
    mails: true,
    path: "/api/auth/request-password-reset",
    summary: "Have a link for a new password sent",
    answer:
      '`{email}`; 200 `{"status":true,"message":…}`, the same for an address that nobody has; [see below](#mail). With `redirectTo`, on a listed origin, the link leads there, with a `token`; without, to the hosted page, and on to `callbackUrl`',
    event: "password_recovery_request",
    body: "PasswordResetRequest",
    ok: "DoneWithMessage",
    refuses: ["RESET_PASSWORD_DISABLED"],
  },
  recoveryLink: {
    path: "/api/auth/reset-password/{token}",
    methods: "GET",
    kind: "account",
    caller: "anyone",
    summary: "What a mailed link leads to where `redirectTo` was given",
    answer:
      "302 to `callbackURL` with `token`, or with `error=INVALID_TOKEN` where the link no longer works. It changes nothing: programs that look at mail open every link",
    refuses: ["INVALID_CALLBACK_URL"],
  },
  sendVerificationEmail: {
    ...posted,
    caller: "anyone",
    mails: true,
    path: "/api/auth/send-verification-email",
    summary: "Have a link and a code sent that confirm an address",
    answer:
      '`{email,callbackURL}`; 200 `{"status":true}`, the same for an address that nobody has, or that is confirmed; [see below](#confirmed-addresses)',
    event: "email_verification_request",
    body: "VerificationRequest",
    ok: "Done",
    refuses: ["VERIFICATION_EMAIL_NOT_ENABLED"],
  },
  verifyEmail: {
    path: "/api/auth/verify-email",
    methods: "GET",
    changes: true,
    kind: "account",
    caller: "anyone",
    betterAuth: true,
    summary: "Use a mailed link, for programs",
    answer:
      '200 `{"status":true,"user":null}`; with `callbackURL` 302 to that, with `error=INVALID_TOKEN` where the link no longer works. Mails lead people to `/confirm` instead, which asks first',
    ok: "EmailVerified",
    refuses: ["INVALID_LINK", "INVALID_CALLBACK_URL", "EMAIL_TAKEN"],
  },
  confirm: {
    ...posted,
    caller: "anyone",
    path: "/api/auth/confirm",
    summary: "Use a mailed link: confirm an address, change it, or undo that",
    answer: '`{token}`; 200 `{"status":true}`. Nobody is signed in',
    event: "email_confirmation",
    body: "Confirmation",
    ok: "Done",
    refuses: ["INVALID_LINK", "EMAIL_TAKEN"],
  },
  verifyEmailCode: {
    ...posted,
    caller: "anyone",
    limited: true,
    path: "/api/auth/verify-email-code",
    summary: "Confirm an address by the code of a mail",
    answer: '`{email,code}`; 200 `{"status":true}`. Five tries an hour at one address',
    event: "email_confirmation",
    body: "VerificationCode",
    ok: "Done",
    refuses: ["INVALID_CODE"],
  },
  changeEmail: {
    ...posted,
    caller: "with a session",
    mails: true,
    path: "/api/auth/change-email",
    summary: "Have a link sent to another address, which then replaces this one",
    answer:
      '`{newEmail,callbackURL}`; 200 `{"status":true}`, also where somebody has it; [see below](#another-address)',
    event: "email_change_request",
    body: "EmailChange",
    ok: "Done",
    refuses: ["CHANGE_EMAIL_DISABLED"],
  },
} as const satisfies Record<string, Route>;
