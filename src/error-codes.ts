interface Code {
  /** The HTTP status that it is sent with. */
  readonly status: number;
  /** When, in Markdown: a row of the contract's table. */
  readonly when: string;
  /** Whether it is an answer to any POST of the API. */
  readonly posts?: true;
}

/** The codes of latchkey's own answers. */
export const ownCodes = {
  INVALID_HOST: { status: 400, when: "the `Host` header is missing, repeated or unreadable" },
  INVALID_BODY: { status: 400, posts: true, when: "not UTF-8, not JSON, or not an object" },
  REPEATED_PARAMETER: { status: 400, when: "a query parameter or form field stands twice" },
  VALIDATION_ERROR: { status: 400, posts: true, when: "a field that cannot be used; the message names it" },
  INVALID_EMAIL: { status: 400, posts: true, when: "not an address, or longer than 254 characters" },
  EMAIL_PASSWORD_SIGN_UP_DISABLED: {
    status: 400,
    when: "sign-up is closed, or for who is invited, and there is no invitation that counts",
  },
  EMAIL_DOMAIN_NOT_ALLOWED: {
    status: 400,
    when: "sign-up with an address of a domain that `LATCHKEY_SIGN_UP_DOMAINS` does not list",
  },
  INVALID_RECOVERY_TOKEN: {
    status: 400,
    when: "the link for a new password was used, has ended, or never was one",
  },
  INVALID_LINK: { status: 400, when: "a mailed link was used, has ended, or never was one" },
  INVALID_CODE: { status: 400, when: "the code of a mail is wrong, or has ended" },
  EMAIL_TAKEN: { status: 400, when: "somebody else has the address by the time that it is confirmed" },
  VERIFICATION_EMAIL_NOT_ENABLED: { status: 400, when: "`LATCHKEY_EMAIL_VERIFICATION` is off" },
  CHANGE_EMAIL_DISABLED: { status: 400, when: "`change-email` where there is no mail" },
  RESET_PASSWORD_DISABLED: {
    status: 400,
    when: "`request-password-reset` where there is no mail",
  },
  PASSWORD_TOO_SHORT: { status: 400, when: "fewer characters than `LATCHKEY_PASSWORD_MIN_LENGTH`" },
  PASSWORD_TOO_LONG: { status: 400, when: "more than 128 characters" },
  PASSWORD_TOO_COMMON: {
    status: 400,
    when: "on the list of common ones, in whichever case or width; `LATCHKEY_PASSWORD_COMMON`",
  },
  PASSWORD_IS_SITE_NAME: { status: 400, when: "latchkey's name or `LATCHKEY_BRAND_NAME`, or a part of that" },
  PASSWORD_IS_PERSONAL: { status: 400, when: "the account's name or e-mail, or a part of one" },
  PASSWORD_BREACHED: { status: 400, when: "in a known data breach; `LATCHKEY_PASSWORD_BREACHED`" },
  UNAUTHORIZED: { status: 401, when: "nobody is signed in" },
  NO_CREDENTIALS: { status: 401, when: "verify: no session was presented" },
  INVALID_SESSION: { status: 401, when: "verify: the signature is wrong" },
  SESSION_EXPIRED: {
    status: 401,
    when: "verify: the signature is right, but the session has ended or was revoked",
  },
  INVALID_ORIGIN: { status: 403, posts: true, when: "the request comes from a site that is not listed" },
  MISSING_OR_NULL_ORIGIN: {
    status: 403,
    posts: true,
    when: "a cookie without `Origin` and `Referer`, or `Origin: null`",
  },
  CROSS_SITE_NAVIGATION_LOGIN_BLOCKED: { status: 403, posts: true, when: "a form on another site" },
  INVALID_CALLBACK_URL: {
    status: 403,
    posts: true,
    when: "`callbackURL` leads to a site that is not listed",
  },
  INVALID_REDIRECT_URL: { status: 403, posts: true, when: "`redirectTo` leads to a site that is not listed" },
  HTTPS_REQUIRED: { status: 403, when: "anything but GET and HEAD at `LATCHKEY_HTTP_PORT`" },
  NOT_FOUND: { status: 404, when: "nothing answers at this path" },
  METHOD_NOT_ALLOWED: { status: 405, when: "`Allow` names the methods" },
  REQUEST_TIMEOUT: { status: 408, posts: true, when: "the body did not arrive in time" },
  PAYLOAD_TOO_LARGE: { status: 413, posts: true, when: "a body of more than 32 KiB" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, posts: true, when: "neither JSON nor a urlencoded form" },
  TOO_MANY_REQUESTS: {
    status: 429,
    when: "too many failed tries, or sign-ups; `Retry-After` says for how long",
  },
  INTERNAL_SERVER_ERROR: {
    status: 500,
    when: "a fault of ours; the log has the cause under the request id",
  },
  STARTING: { status: 503, when: "the server is starting" },
  STORE_UNAVAILABLE: { status: 503, when: "the database does not answer in time" },
  SESSION_STORE_UNAVAILABLE: { status: 503, when: "the same, on verify" },
  MAIL_QUEUE_FULL: { status: 503, when: "10,000 mails wait to be sent" },
  TOO_BUSY: { status: 503, when: "too many passwords wait to be hashed" },
} as const satisfies Record<string, Code>;

/** What may be wrong with a new password. */
export const passwordCodes = [
  "PASSWORD_TOO_SHORT",
  "PASSWORD_TOO_LONG",
  "PASSWORD_TOO_COMMON",
  "PASSWORD_IS_SITE_NAME",
  "PASSWORD_IS_PERSONAL",
  "PASSWORD_BREACHED",
] as const satisfies readonly (keyof typeof ownCodes)[];

/** A code of latchkey's own answers; each is stable, and has one status. */
export type ErrorCode = keyof typeof ownCodes;

/** BetterAuth's codes that come through on the routes here; its messages come with them. */
export const betterAuthCodes = {
  INVALID_PASSWORD: { status: 400, when: "the current password is wrong" },
  CREDENTIAL_ACCOUNT_NOT_FOUND: { status: 400, when: "the account has no password" },
  EMAIL_CAN_NOT_BE_UPDATED: { status: 400, when: "`update-user` with an e-mail" },
  EMAIL_NOT_VERIFIED: {
    status: 403,
    when: "sign-in: the password is right, and the address is to be [confirmed](#confirmed-addresses) first",
  },
  INVALID_EMAIL_OR_PASSWORD: { status: 401, when: "sign-in: one of the two is wrong" },
  INVALID_ERROR_CALLBACK_URL: { status: 403, posts: true, when: "the same, of `errorCallbackURL`" },
  INVALID_NEW_USER_CALLBACK_URL: { status: 403, posts: true, when: "the same, of `newUserCallbackURL`" },
  INVALID_TOKEN: { status: 404, when: "`delete-user` with a `token`, which nobody has given out" },
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: { status: 422, when: "sign-up: the e-mail has an account" },
} as const satisfies Record<string, Code>;

/** Any code that an answer here may carry. */
export type AnyCode = ErrorCode | keyof typeof betterAuthCodes;

export const codes: Readonly<Record<AnyCode, Code>> = { ...ownCodes, ...betterAuthCodes };

export const postCodes = (Object.keys(codes) as AnyCode[]).filter((code) => codes[code].posts === true);
