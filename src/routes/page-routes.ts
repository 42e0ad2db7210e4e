import type { Route } from "./route.ts";

const page = { kind: "pages", caller: "with or without a session" } as const;
const shown = (path: string, summary: string) =>
  ({ ...page, methods: "GET", path, summary, ok: "Page", callback: true }) as const;
const form = (path: string, summary: string, ...fields: string[]) =>
  ({ ...page, methods: "GET POST", path, summary, form: [...fields, "callbackUrl?"] }) as const;

/** The hosted pages, and what they are made of. */
export const pageRoutes = {
  root: { ...page, path: "/", methods: "GET", summary: "303 to `/account` or `/signin`", callback: true },
  signInPage: {
    ...page,
    path: "/signin",
    methods: "GET POST",
    summary: "The sign-in page and its form",
    ok: "Page",
    form: ["email", "password", "rememberMe?", "draft?", "callbackUrl?"],
    callback: true,
  },
  signUpPage: {
    ...page,
    path: "/signup",
    methods: "GET POST",
    summary:
      "The sign-up page and its form; 403 when sign-up is closed, or for who is invited and there is no `invitation` that counts",
    ok: "Page",
    form: ["name", "email", "password", "invitation?", "callbackUrl?"],
    callback: true,
  },
  signOutPage: {
    ...page,
    path: "/signout",
    methods: "GET POST",
    summary: "Asks, and signs out",
    ok: "Page",
    form: ["next?", "callbackUrl?"],
    callback: true,
  },
  forgottenPage: {
    ...page,
    path: "/forgot-password",
    methods: "GET POST",
    summary: "Whom to ask for a new password, or a form for the address that a link is sent to",
    ok: "Page",
    form: ["email", "callbackUrl?"],
    callback: true,
  },
  recoveryPage: {
    ...page,
    path: "/recover",
    methods: "GET POST",
    summary:
      "A form for a new password, to whom a link with a `token` was given; 400 when it no longer works",
    ok: "Page",
    form: ["token", "newPassword", "email?", "callbackUrl?"],
    callback: true,
  },
  confirmPage: {
    ...page,
    path: "/confirm",
    methods: "GET POST",
    summary:
      "Asks whether to do what a mailed link is for: to confirm an address, to change it, or to undo that; 400 when it no longer works",
    ok: "Page",
    form: ["token", "callbackUrl?"],
    callback: true,
  },
  verifyPage: {
    ...page,
    path: "/verify",
    methods: "GET POST",
    summary: "A form for the code of a mail, and, with `again`, for another mail",
    ok: "Page",
    form: ["email", "code?", "again?", "callbackUrl?"],
    callback: true,
  },
  accountPage: shown("/account", "Name, password, devices, deletion; 303 to `/signin` for a stranger"),
  profileForm: form(
    "/account/profile",
    "Form: the name. `GET` of any of these six leads to `/account`",
    "name",
  ),
  passwordForm: form(
    "/account/password",
    "Form: the password",
    "currentPassword",
    "newPassword",
    "revokeOtherSessions?",
  ),
  emailForm: form("/account/email", "Form: another e-mail address", "email"),
  revocationForm: form("/account/sessions/revoke", "Form: sign one device out", "id"),
  revocationsForm: form("/account/sessions/revoke-others", "Form: sign all other devices out"),
  deletionForm: form("/account/delete", "Form: delete the account", "password"),
  deletedPage: shown("/account/deleted", "What follows that"),
  asset: {
    path: "/assets/{file}",
    methods: "GET",
    kind: "pages",
    caller: "anyone",
    summary: "A page's stylesheet, script, icon or font",
    answer:
      "the pages' stylesheet, script, icon and font, `latchkey-….css`; their names change with every build",
    ok: "Asset",
  },
} as const satisfies Record<string, Route>;
