/** Printed after the program's own help. */
export const programHelp = `
Configuration comes from the environment, and from no file but those that *_FILE names. Most used:
  PORT, HOST                    where it listens (3001, 127.0.0.1)
  DATABASE_URL                  postgresql://… or file:…; unset: SQLite in LATCHKEY_DATA_DIR
  BETTER_AUTH_URL               the public URL, such as https://auth.example.com
  BETTER_AUTH_SECRET            signs the cookies; required with a server database
  BETTER_AUTH_TRUSTED_ORIGINS   the sites that may call it, comma-separated
Every name, its value and its source: latchkey config

Data goes to stdout, talk to stderr. Exit status: 0 done, 1 failed, 2 used or configured wrongly.
Documentation: README.md, SECURITY.md and docs/ in latchkey's sources.`;

const details: Readonly<Record<string, string>> = {
  serve: `
It listens on HOST and PORT (PORT=0: any free port of a loopback HOST), applies missing migrations first, and runs
until SIGTERM, SIGINT or SIGHUP; then it answers the requests under way for 10 seconds at most, or until a second signal.
The log goes to stderr. With --json the log is JSON, and once it listens one line on stdout says where:
  {"event":"listening","url":…,"baseUrl":…,"port":…}
With LATCHKEY_WORKERS=2 or more, on Linux, it starts so many processes that share the port; SIGHUP then replaces them one
after the other.
All settings come from the environment: latchkey config`,
  migrate: `
Uses the database that DATABASE_URL names, or the SQLite file in LATCHKEY_DATA_DIR, which is made with its secret
when there is none. It is safe beside a running server, which applies missing migrations itself when it starts.
With --status: exit status 0 when the schema is up to date, 1 when migrations are pending.
With --json: {"driver":…,"applied":[…]}, and with --status {"driver":…,"applied":[…],"pending":[…],"unknown":[…]}`,
  doctor: `
It changes nothing and runs every check even when others fail: configuration, secret, database reach, latency and
clock, schema, rows, file modes, free disk, the session cookie's reach to each trusted origin, proxies. It looks at the
environment of the shell that it is started in, or with one of its options at that of the server itself:
  latchkey doctor --unit latchkey    latchkey doctor --env-file /etc/latchkey.env    latchkey doctor --pid 1234
Exit status: 0 without a failure (warnings count as none), 1 with one.
With --json: {"status":…,"checks":[{"name":…,"status":"ok"|"warning"|"failure","detail":…,"remedy":…}]}`,
  config: `
It reads the environment and the files that *_FILE names, and no database. Warnings go to stderr. When something
cannot be used it prints every problem, and the exit status is 2.
With --json: [{"name":…,"value":…,"source":"default"|"environment"|"file","variable":…}]`,
  events: `
Lines stay as they are: one JSON object each, for people and for jq. What is no line with an event is left out.
  journalctl -u latchkey -o cat | latchkey events --user ann@example.com --since 7d
  latchkey events --address 203.0.113.0/24 --event sign_in --outcome failure latchkey.log
--user asks the database for the user's id and needs the secret that the log's hashes of addresses are made with: run it
with the server's settings, or name them by --unit, --env-file or --pid. Lines from under a dropped secret have other hashes.
Exit status: 0 also where there are none, 2 when the log cannot be read or an option is wrong.
With --json: the same lines, which are JSON in any case`,
  healthcheck: `
It asks GET /health of the configured HOST and PORT, or of --url (http://…, or unix:/… for a Unix socket), and is made for a container's HEALTHCHECK:
exit status 0 when the answer is 200, 1 on any other answer or none. HOST and PORT come from the environment.
With --json: {"status":"ok","url":…}`,
  secret: `
256 random bits in base64, alone on stdout:  BETTER_AUTH_SECRET="$(latchkey secret)"
With --json: {"secret":…}`,
  testserver: `
For tests alone: passwords are known and hashed cheaply, nothing is limited, and the end removes everything. Otherwise it is
serve. It ends by a signal, with the process that started it, or when that one closes a pipe that it gave it as stdin.
It listens on 127.0.0.1, and a free port unless PORT says which. Of the environment it reads PORT, HOST (of this machine
alone), LOG_LEVEL and LATCHKEY_LOG_FORMAT, and no other setting. Once it listens, stdout has one line:
  {"url":…,"baseUrl":…,"port":…,"pid":…,"directory":…,"users":[{"id":…,"email":…,"name":…,"password":…,"cookie":…}]}
A cookie is a session of that user, as it stands in a Cookie header. The log goes to stderr.
With --json: the same, and a log of JSON`,
  version: `
With --json: {"version":…,"bun":…}`,
  backup: `
It works beside a running server, under load too: what was acknowledged before it began is in the copy. The copy is
tried (its pages, its tables, its migrations) before it gets its name, flushed to the disk, and for its owner alone. Nothing
that is there is overwritten.
With --with-secret the generated secret is copied to <file>.secret. Whoever has both files can sign in as anyone: keep
them apart. Without the secret accounts come back and sessions do not: everybody signs in again.
With --keep 7 it writes <file>/latchkey-TIME.db, and removes the oldest of these, and their secrets, beyond seven.
PostgreSQL has pg_dump: the command for this database is then what is printed, and the exit status is 2.
With --json: {"path":…,"users":…,"accounts":…,"sessions":…,"verifications":…,"bytes":…,"secret":…,"removed":[…]}`,
  restore: `
End the server first; beside one it is refused. The backup is tried before anything is changed. What was there is kept as
latchkey.db.before-restore, or with a number behind it; without one, folder and secret are made. A stop at any moment
leaves the old database or the new one: run it again then.
What was ended or changed since the backup counts as it did: sessions that were revoked live again, and old passwords sign in.
With --secret a secret that latchkey backup --with-secret saved is put back, and sessions go on; the one that was there is
kept as secret.before-restore.
With --json: {"path":…,"users":…,"accounts":…,"sessions":…,"verifications":…,"bytes":…,"kept":…,"keptSecret":…}`,
  users: `
They work beside running servers, on every database, and count at once. A user is named by e-mail address or id.
Settings come from the environment of the shell, or of the server that --unit, --env-file or --pid names; of an embedded
database, run them as the user that owns the file, or as root.
What changes something writes one line to the log on stderr. Exit status: 0 done, 1 failed, 2 when what was asked for
is at fault, such as a user who is not there; nothing was done then.
With --json: "users", "user" (id, email, name, emailVerified, image, createdAt, updatedAt) and the like, by the command:
  latchkey users list --help`,
  "users list": `
Who is added meanwhile moves nobody to another page. Where there is one more, stderr says with which --after.
With --json: {"users":[{"id":…,"email":…,"name":…,"emailVerified":…,"image":…,"createdAt":…,"updatedAt":…,"lastSessionAt":…}],"next":…}`,
  "users show": `
With --json: {"user":{…},"hasPassword":…,"sessions":…}`,
  "users create": `
The password comes from stdin, without its last line break; a terminal is asked for it. Rules are those of a sign-up, but
LATCHKEY_SIGN_UP=closed does not stop it. The address counts as unverified.
With --json: {"user":{…}}`,
  "users rename": `
With --json: {"user":{…}}`,
  "users set-email": `
The new address counts as unverified. Sessions go on.
With --json: {"user":{…}}`,
  "users set-password": `
The password comes from stdin, without its last line break; a terminal is asked for it. All sessions of the user end,
unless --keep-sessions is given, and the old password no longer signs in.
With --json: {"userId":…,"ended":…}`,
  "users sessions": `
SESSION is what the log shows as a session.
With --json: {"userId":…,"sessions":[{"session":…,"id":…,"createdAt":…,"updatedAt":…,"expiresAt":…,"ipAddress":…,"userAgent":…}]}`,
  "users revoke": `
With --json: {"userId":…,"ended":…}`,
  "users delete": `
A terminal is asked whether it is meant; without one, --yes is needed.
With --json: {"userId":…,"ended":…}`,
};

/** What is printed after a command's own help. */
export function commandHelp(name: string): string {
  return details[name] ?? "";
}
