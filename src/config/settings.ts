interface SettingDeclaration {
  /** What it is and what may be written, in Markdown: a row of the contract's table. */
  readonly meaning: string;
  /** May come from a file instead, which NAME_FILE names. */
  readonly secret?: true;
  /** Another name of a setting. */
  readonly aliasOf?: string;
}

/** Every name that is read from the environment, but for STATE_DIRECTORY, which systemd sets. */
const settings = {
  PORT: { meaning: "0 to 65535; 0 picks a free port, on loopback only" },
  HOST: { meaning: "an IP address or host name to listen on" },
  LATCHKEY_TLS: {
    meaning:
      "`off`, `files`, the default where the two files are set, or `acme`, which [gets a certificate by itself](https.md) and listens on 443 of every address, of IPv6 (`::`) and IPv4, unless `PORT` and `HOST` say otherwise",
  },
  LATCHKEY_TLS_CERT_FILE: {
    meaning: "the certificate in PEM, those that lead to its root behind it; read again when it changes",
  },
  LATCHKEY_TLS_KEY_FILE: { meaning: "the key of that one in PEM, without a password" },
  LATCHKEY_HTTP_PORT: {
    meaning:
      "where plain http leads to https, and a certificate authority's challenges are answered; 80 with `LATCHKEY_TLS=acme`, otherwise none",
  },
  LATCHKEY_ACME_DIRECTORY: {
    meaning: "who certifies: `letsencrypt`, `letsencrypt-staging` or an https address of an ACME directory",
  },
  LATCHKEY_ACME_CA_FILE: {
    meaning: "the root in PEM that a private directory's own certificate is checked by",
  },
  LATCHKEY_ACME_EMAIL: { meaning: "whom the certificate authority may write to" },
  LATCHKEY_LISTEN: {
    meaning:
      "a Unix socket beside the port, `unix:/run/latchkey/latchkey.sock`, whose callers are [trusted as a proxy](proxies.md#a-unix-socket); of several workers each has its own, `….sock.1` and so on",
  },
  LATCHKEY_LISTEN_MODE: { meaning: "who may connect to it, by the system's modes" },
  LATCHKEY_LISTEN_GROUP: {
    meaning: "the group it belongs to, by name or number; this process's own by default",
  },
  LATCHKEY_WORKERS: {
    meaning:
      "processes that share the port, 1 to 64, or `auto`: one a core; more than 1 on Linux alone. [What that changes](workers.md)",
  },
  DATABASE_URL: {
    secret: true,
    meaning: "`file:…` is embedded SQLite, `postgresql://…` PostgreSQL, a host under `neon.tech` Neon",
  },
  LATCHKEY_DATABASE_DRIVER: { meaning: "by the URL; `sqlite`, `postgres` or `neon` to override" },
  LATCHKEY_DATABASE_CONNECTIONS: {
    meaning: "connections to a server at the most, 2 to 100, of all workers together",
  },
  LATCHKEY_NEON_PROXY: {
    meaning: "a WebSocket proxy for the neon driver, `wss://…`, or `ws://…` on this machine",
  },
  LATCHKEY_DATA_DIR: {
    meaning:
      "SQLite file and generated secret; `STATE_DIRECTORY`, which systemd sets, is the default where it is set",
  },
  LATCHKEY_BACKUP_DIR: {
    meaning:
      "a folder into which `serve` copies its embedded database by itself, [as `latchkey backup` does](#backups)",
  },
  LATCHKEY_BACKUP_EVERY: { meaning: "how old the newest copy gets, from 1 minute to 30 days" },
  LATCHKEY_BACKUP_KEEP: { meaning: "how many of them stay, 1 to 1,000" },
  BETTER_AUTH_SECRET: {
    secret: true,
    meaning:
      "signs the cookies; at least 32 bytes that nobody can guess. Generated once with embedded SQLite, required with a server database",
  },
  BETTER_AUTH_SECRETS: {
    secret: true,
    meaning:
      "`2:new,1:old`: the first signs, all verify. With `BETTER_AUTH_SECRET` too, that must equal the first",
  },
  BETTER_AUTH_URL: { meaning: "the public origin; plain http only on loopback" },
  BETTER_AUTH_TRUSTED_ORIGINS: {
    meaning:
      "exact origins; none by default when the public URL is not loopback. Alias: `CORS_ALLOWED_ORIGINS`",
  },
  CORS_ALLOWED_ORIGINS: { aliasOf: "BETTER_AUTH_TRUSTED_ORIGINS", meaning: "the founding plan's name of it" },
  LATCHKEY_DEFAULT_REDIRECT_URL: {
    meaning:
      "the first trusted origin; an absolute URL on a trusted one. While neither is set, pages lead to `/account` instead",
  },
  LATCHKEY_COOKIE_DOMAIN: {
    meaning: "the base URL's host or a parent of it; not an address, a single label or a public suffix",
  },
  LATCHKEY_COOKIE_SAMESITE: { meaning: "`lax` or `none`" },
  LATCHKEY_TRUSTED_PROXIES: {
    meaning:
      "CIDRs or `none`. Loopback by default when the public URL is https and `HOST` is loopback; required when it is https and `HOST` is not. Where latchkey [speaks https itself](https.md), `none` by default",
  },
  LATCHKEY_SIGN_UP: {
    meaning:
      "`open`, `invited`, for who has a link of `latchkey invite`, or `closed`, for nobody. [Invitations](#invitations)",
  },
  LATCHKEY_SIGN_UP_DOMAINS: {
    meaning:
      "domains whose e-mail addresses alone may sign up, `example.com,example.org`; everybody's by default, and who was invited by name. Nobody is asked to prove an address",
  },
  LATCHKEY_PASSWORD_MIN_LENGTH: { meaning: "8 to 128 code points" },
  LATCHKEY_PASSWORD_COMMON: { meaning: "`refuse` or `allow`: whether a new password may be a common one" },
  LATCHKEY_PASSWORD_BREACHED: {
    meaning:
      "`off`, `api` or `file`: where a new password is looked up among those of [data breaches](breached-passwords.md)",
  },
  LATCHKEY_PASSWORD_BREACHED_URL: {
    meaning:
      "the range API that `api` asks, to whose address `/` and five digits of SHA-1 are added; plain http only on loopback",
  },
  LATCHKEY_PASSWORD_BREACHED_FILE: { meaning: "what `latchkey passwords build` made, for `file`" },
  LATCHKEY_SESSION_EXPIRES_IN: {
    meaning: "from 1 minute to 400 days; not longer than `LATCHKEY_SESSION_MAX_AGE`",
  },
  LATCHKEY_SESSION_UPDATE_AGE: { meaning: "up to `LATCHKEY_SESSION_EXPIRES_IN`" },
  LATCHKEY_SESSION_MAX_AGE: { meaning: "from 1 minute to 400 days" },
  LATCHKEY_SESSIONS_MAX: {
    meaning: "live sessions of one user, 1 to 10,000; a sign-in that makes one more ends the oldest",
  },
  LATCHKEY_BEARER: { meaning: "`off` or `signed`" },
  LOG_LEVEL: { meaning: "`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`" },
  LATCHKEY_LOG_FORMAT: { meaning: "`json`, or `pretty`, the default on a terminal" },
  LATCHKEY_LOG_EMAILS: { meaning: "`off` or `on`: whether the log has the e-mail addresses that were tried" },
  LATCHKEY_LIMITS: {
    meaning: "`on`, or, where the public URL is this machine, `off`: whether guessing is limited",
  },
  LATCHKEY_LIMIT_SIGN_IN: {
    meaning: "failed sign-ins of one address, 5 to 100,000 within 1 minute to 1 day; of IPv6, of one /64",
  },
  LATCHKEY_LIMIT_SIGN_UP: { meaning: "sign-ups of one address, likewise" },
  LATCHKEY_LIMIT_CONNECTIONS: {
    meaning:
      "connections of one address, 10 to 1,000,000, and no more than a quarter of the process's descriptors; on Linux, and not of this machine or a trusted proxy",
  },
  LATCHKEY_METRICS_LISTEN: {
    meaning:
      "where Prometheus asks for [figures](monitoring.md), at `/metrics`: `127.0.0.1:9464` or `unix:/run/latchkey/metrics.sock`. An address that others reach wants `LATCHKEY_METRICS_TOKEN`",
  },
  LATCHKEY_METRICS_TOKEN: {
    secret: true,
    meaning:
      "the bearer token of whoever asks for them, at least 32 bytes that nobody can guess. Without `LATCHKEY_METRICS_LISTEN` they are at `/metrics` of the server itself; without either, nothing is counted",
  },
  SMTP_URL: {
    secret: true,
    meaning:
      "the server that [mail](mail.md) is handed to, `smtps://user:password@mail.example.com`, or `smtp://…`, which takes STARTTLS and, but on this machine, nothing without it",
  },
  LATCHKEY_MAIL_FROM: {
    meaning:
      "the sender, `accounts@example.com` or `Example <accounts@example.com>`; set together with `SMTP_URL`",
  },
  LATCHKEY_EMAIL_VERIFICATION: {
    meaning:
      "`off`, `optional`, which asks who signs up to confirm the address, or `required`, which lets nobody in before; [what that changes](#confirmed-addresses). Wants mail",
  },
  LATCHKEY_MAIL_NEW_DEVICE: {
    meaning: "`on` or `off`: whether people hear of a sign-in from a browser that they never used here",
  },
  LATCHKEY_MAIL_TEMPLATES: {
    meaning:
      "a folder of [templates](mail.md#templates-of-your-own) that mails are made by, in the place of latchkey's",
  },
  LATCHKEY_LIMIT_MAIL: { meaning: "mails of all instances together, 5 to 100,000 within 1 minute to 1 day" },
  LATCHKEY_HASH_CONCURRENCY: {
    meaning:
      "password hashes at once, of all workers together; from 1 to that number. Where it is not set, one process has one more while fewer than 200 requests come a second",
  },
  LATCHKEY_HASH_QUEUE: { meaning: "password hashes that may wait, 1 to 10,000; then 503 `TOO_BUSY`" },
  LATCHKEY_BRAND_NAME: { meaning: "the name on the pages, at most 40 characters" },
  LATCHKEY_BRAND_LOGO_URL: { meaning: "a path, or an address on a trusted origin" },
  LATCHKEY_BRAND_ACCENT: { meaning: "a colour, `#rrggbb`" },
  LATCHKEY_BRAND_ACCENT_DARK: { meaning: "the colour in the dark; the same by default" },
  LATCHKEY_CONTACT: {
    meaning: "whom people can ask: an e-mail address or an https address, for the pages that cannot help",
  },
} as const satisfies Record<string, SettingDeclaration>;

export type SettingName = keyof typeof settings;

export const settingList: readonly (SettingDeclaration & { readonly name: SettingName })[] = Object.entries(
  settings,
).map(([name, declaration]) => ({ name: name as SettingName, ...declaration }));
