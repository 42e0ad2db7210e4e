/** Printed after the program's own help. */
export const programHelp = `
Configuration comes from the environment, and from no file but those that *_FILE names. Most used:
  PORT, HOST                    where it listens (3001, 127.0.0.1)
  DATABASE_URL                  postgresql://… or file:…; unset: SQLite in LATCHKEY_DATA_DIR
  BETTER_AUTH_URL               the public URL, such as https://auth.example.com
  LATCHKEY_TLS                  acme: get a certificate for it, and speak https
  BETTER_AUTH_SECRET            signs the cookies; required with a server database
  BETTER_AUTH_TRUSTED_ORIGINS   the sites that may call it, comma-separated
Every name, its value and its source: latchkey config

Data goes to stdout, talk to stderr. Exit status: 0 done, 1 failed, 2 used or configured wrongly.
Documentation: README.md, SECURITY.md and docs/ in latchkey's sources.`;

const details: Readonly<Record<string, string>> = {
  serve: `
It listens on HOST and PORT (PORT=0: any free port of a loopback HOST), applies missing migrations first, and runs
until SIGTERM, SIGINT or SIGHUP; then it answers the requests under way for 10 seconds at most, or until a second signal.
SIGHUP ends it neither where it speaks https itself, and looks for a new certificate then, nor under systemd.
The log goes to stderr. With --json the log is JSON, and once it listens one line on stdout says where:
  {"event":"listening","url":…,"baseUrl":…,"port":…}
With LATCHKEY_WORKERS=2 or more, on Linux, it starts so many processes that share the port; SIGHUP then replaces them one
after the other.
All settings come from the environment: latchkey config`,
  migrate: `
Uses the database that DATABASE_URL names, or the SQLite file in LATCHKEY_DATA_DIR, which is made with its secret
when there is none: of the shell's environment, or of the server that --unit, --env-file or --pid names. It is safe beside a
running server, which applies missing migrations itself when it starts.
An embedded database with accounts is copied first, to latchkey.db.before-MIGRATION; the last of these copies is kept.
With --status: exit status 0 when the schema is up to date, 1 when migrations are pending.
With --json: {"driver":…,"applied":[…]}, also "snapshot", the copy, where one was made, and with --status {"driver":…,"applied":[…],"pending":[…],"unknown":[…],"minReader":…}`,
  doctor: `
It changes nothing and runs every check even when others fail: configuration, secret, database reach, latency and
clock, schema, rows, file modes, free disk, scheduled backups, the session cookie's reach to each trusted origin, proxies, the
mail server and the DNS records of the sender's domain; it sends nothing without --send-test, and knows a DKIM record by --dkim-selector alone. It looks at the
environment of the shell that it is started in, or with one of its options at that of the server itself:
  latchkey doctor --unit latchkey    latchkey doctor --env-file /etc/latchkey/latchkey.env    latchkey doctor --pid 1234
With --url it asks an installation from outside instead: certificate, redirect from http, HSTS, clock, cookie, pages, verify,
caches, proxy and CORS, of the sites that --origin or the settings name. It signs nobody in without --sign-in, which shows for whom latchkey takes
the visitor, and leaves a mail about a new browser where such are sent.
  latchkey doctor --url https://auth.example.com --origin https://docs.example.com --sign-in ann@example.com
Exit status: 0 without a failure (warnings count as none), 1 with one.
With --json: {"status":…,"checks":[{"name":…,"status":"ok"|"warning"|"failure","detail":…,"remedy":…}]}`,
  config: `
It reads the shell's environment, or with one of its options that of a server, and the files that *_FILE names, and no
database. Warnings go to stderr. When something cannot be used it prints every problem, and the exit status is 2.
  latchkey config --unit latchkey
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
It asks GET /health of the configured HOST and PORT, or of --url (http://… or https://…, or unix:/… for a Unix socket), and
is made for a container's HEALTHCHECK: exit status 0 when the answer is 200, 1 on any other answer or none. The settings come
from the environment, or from that of the server that --unit, --env-file or --pid names. Where it speaks https itself, it is
asked so, whatever its certificate is like: of that latchkey doctor tells.
  latchkey healthcheck --unit latchkey
With --json: {"status":"ok","url":…}`,
  install: `
It copies this executable to /usr/local/bin, makes the user latchkey, /etc/latchkey/latchkey.env (where there is none: all of
it comments), /var/lib/latchkey and latchkey.service, which may listen on ports 80 and 443 and may do little else, and starts it.
Run again it changes what is missing or other than this version has it, and then restarts the service. Where somebody has
changed the unit, it refuses, says what to do and changes nothing. Settings by --set are tried before anything is changed; run
again, they take the place of those of their names.
  latchkey install --print
  latchkey install --set BETTER_AUTH_URL=https://auth.example.com
It is run by root, on Linux with systemd. Exit status: 0 done, 1 failed, 2 where a setting cannot be used.
With --json: {"root":…,"steps":[{"action":"write"|"copy"|"directory"|"link"|"remove"|"run","path":…,"mode":…,"owner":…,
"text":…,"command":…,"changed":…}]}; with --print without "changed"`,
  uninstall: `
It ends the service and removes the unit and the executable. /etc/latchkey, /var/lib/latchkey and their user stay, so that an
installation later goes on where this one ended, unless --purge says otherwise: then every account is gone.
With --json: {"root":…,"steps":[…]}, as of latchkey install`,
  secret: `
256 random bits in base64, alone on stdout:  BETTER_AUTH_SECRET="$(latchkey secret)"
With --json: {"secret":…}`,
  "secret rotate": `
It works beside running servers, which need no signal: for two seconds all know the new secret, then all sign with it. What
the old ones signed still counts, and is signed anew at its next refresh. Nothing of it is printed.
With --drop-old the old ones go once LATCHKEY_SESSION_MAX_AGE has passed since a newer one took over; before, it is refused
with the date. Where the secrets are settings, it prints what to set, in two steps.
With --json: {"path":…,"secrets":…,"dropFrom":…}, with --drop-old {"path":…,"secrets":…,"dropped":…}, and where they are
settings {"secret":…,"steps":[…]}`,
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
tried (its pages, its tables, its migrations, and a session of it by the code that verifies a request's) before it gets its
name, flushed to the disk, and for its owner alone. Nothing that is there is overwritten.
With --with-secret the generated secret is copied to <file>.secret. Whoever has both files can sign in as anyone: keep
them apart. Without the secret accounts come back and sessions do not: everybody signs in again.
With --keep 7 it writes <file>/latchkey-TIME.db, and removes the oldest of these, and their secrets, beyond seven.
Of PostgreSQL it runs pg_dump, which must not be older than the server; where it is not in PATH its command is printed, and the
exit status is 2. With --verify-into postgresql://user@host/scratch the dump is restored into that database, which is empty and
so again afterwards, its rows are counted, and a session is verified. The password is that of DATABASE_URL, or PGPASSWORD.
With LATCHKEY_BACKUP_DIR latchkey serve makes them by itself.
With --json: {"path":…,"users":…,"accounts":…,"sessions":…,"verifications":…,"locks":…,"bytes":…,
"session":"verified"|"none"|"untried","secret":…,"removed":[…]}, of PostgreSQL also "verified"; none: no session lives;
untried: a start has to migrate it first, or no --verify-into says where`,
  upgrade: `
Everything is checked first: that a key that is trusted has signed SHA256SUMS, that the file stands in it, runs here, is
newer, and can work with the server's settings and database. Then the database is copied, the executable is exchanged, the
server restarted (systemctl restart latchkey.service, or --unit), and asked until it is ready and of the new version. Where it
is not, the one before is put back and started. A stop at any moment leaves a whole executable: run it again then.
A database that the new one has migrated stays as it is where the one before can work on it. Where it cannot, an embedded one
is put back, but only if nothing was written since; else the new executable stays, and it says how to go back.
The one before stays as <executable>.previous. Exit status: 1 where the new one did not come up, 2 where the file is at fault.
With --json: {"from":…,"to":…,"executable":…,"previous":…,"snapshot":…,"pending":[…],"outcome":"upgraded"|"unchanged"|"dry run"}`,
  restore: `
End the server first; beside one it is refused. The backup is tried before anything is changed. What was there is kept as
latchkey.db.before-restore, or with a number behind it; without one, folder and secret are made. A stop at any moment
leaves the old database or the new one: run it again then.
What was ended or changed since the backup counts as it did: sessions that were revoked live again, and old passwords sign in.
With --secret a secret that latchkey backup --with-secret saved is put back, and sessions go on; the one that was there is
kept as secret.before-restore.
Of PostgreSQL it runs pg_restore, into a database that has no tables, all or nothing.
With --json: {"path":…,"users":…,"accounts":…,"sessions":…,"verifications":…,"locks":…,"bytes":…,"session":…,
"kept":…,"keptSecret":…}`,
  users: `
Without a command, on a terminal, it lists users, searches, shows one, ends sessions and locks, by questions.
The others work beside running servers, on every database, and count at once. A user is named by e-mail address or id.
Settings come from the environment of the shell, or of the server that --unit, --env-file or --pid names; of an embedded
database, run them as the user that owns the file, or as root.
What changes something writes one line to the log on stderr. Exit status: 0 done, 1 failed, 2 when what was asked for
is at fault, such as a user who is not there; nothing was done then.
With --json: "users", "user" (id, email, name, emailVerified, image, createdAt, updatedAt, lockedAt) and the like, by the command:
  latchkey users list --help`,
  invite: `
The link alone goes to stdout; it leads to the sign-up page of BETTER_AUTH_URL. One account is made by it. With --email it is for
that address alone, whatever LATCHKEY_SIGN_UP_DOMAINS says. LATCHKEY_SIGN_UP=invited lets nobody else sign up; with
LATCHKEY_SIGN_UP=closed nobody does, and no link is made.
With --json: {"id":…,"url":…,"email":…,"expiresAt":…}`,
  "invite list": `
Those that nobody has used, and whose time is not over, the first to end first. The links themselves are not kept, and are
shown once. --unit, --env-file and --pid name a server as those of latchkey invite do.
With --json: {"invitations":[{"id":…,"email":…,"createdAt":…,"expiresAt":…}]}; email is null of one for whoever has it`,
  "invite withdraw": `
Its link counts no more, at once and beside running servers. The exit status is 2 where no invitation that is open has the id.
With --json: {"id":…}`,
  passwords: `
With --json, by the command: latchkey passwords build --help`,
  "passwords build": `
A line of the list is a SHA-1 hash, a colon and how often it was seen, as Pwned Passwords has them; sorted or not. The list in one
file comes from haveibeenpwned-downloader. Of each hash the file keeps 64 bits: 8 GB for a billion, and as much again on the
same disk while it is made. It is there whole or not at all, and nothing that is there is overwritten.
LATCHKEY_PASSWORD_BREACHED=file and LATCHKEY_PASSWORD_BREACHED_FILE have the server look new passwords up in it. To renew it,
make another one, set that, and start the server again.
Exit status: 2 where the list cannot be used; a line that is no hash is named by its number.
With --json: {"path":…,"lines":…,"hashes":…,"minCount":…,"bytes":…}`,
  mail: `
All but test work on the outbox in the database, beside running servers. Settings come from the environment of the shell, or of the
server that --unit, --env-file or --pid names; of an embedded database, run them as the user that owns the file, or as root.
What changes something writes one line to the log on stderr. Exit status: 0 done, 1 failed, 2 when what was asked for is at
fault, such as a mail that is not there.
With --json: what the command says:  latchkey mail queue --help`,
  "mail queue": `
NEXT is when it is tried again, or why it was given up; that stays for seven days. What a mail says is not shown.
With --json: {"mails":[{"id":…,"kind":…,"recipient":…,"attempts":…,"failure":…,"createdAt":…,"ageSeconds":…,"nextAt":…,"failedAt":…}],
"waiting":…,"failed":…}`,
  "mail retry": `
Servers look each minute; on Neon, which is let sleep, when the next mail is written or a server starts. What is due within half a
minute stays as it is: somebody may be sending it. One that was given up has 24 hours again.
With --json: {"retried":…}`,
  "mail drop": `
With --json: {"dropped":…}`,
  "mail preview": `
KIND is recovery, verification, sign_up_taken, email_change, email_changed, password_changed, new_device or account_deleted.
Nothing is sent, and no database is needed. To look at it:  latchkey mail preview recovery > mail.html
With --json: {"kind":…,"language":…,"subject":…,"text":…,"html":…}`,
  "mail test": `
It needs no database, and leaves the outbox alone: SMTP_URL and LATCHKEY_MAIL_FROM are all that it tries. Exit status 1 where the mail
server did not take it, with what it said.
With --json: {"to":…,"server":…,"said":…}`,
  "users list": `
Who is added meanwhile moves nobody to another page. Where there is one more, stderr says with which --after.
With --json: {"users":[{"id":…,"email":…,"name":…,"emailVerified":…,"image":…,"createdAt":…,"updatedAt":…,"lockedAt":…,"lastSessionAt":…}],"next":…}`,
  "users show": `
With --json: {"user":{…},"hasPassword":…,"sessions":…}`,
  "users create": `
The password comes from stdin, without its last line break; a terminal is asked for it. Rules are those of a sign-up, but
LATCHKEY_SIGN_UP=closed does not stop it. The address counts as unverified: with LATCHKEY_EMAIL_VERIFICATION=required it is to be
confirmed by a mail, or by latchkey users verify-email.
With --json: {"user":{…}}`,
  "users rename": `
With --json: {"user":{…}}`,
  "users verify-email": `
As a mail would, for somebody whom none reaches. LATCHKEY_EMAIL_VERIFICATION=required lets them sign in from then on.
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
  "users lock": `
All sessions of the user end. A sign-in is answered as one with a wrong password is, and nothing else that needs a session works.
Who is locked already stays so. The password stays, and goes on when the user is unlocked.
With --json: {"userId":…,"ended":…}`,
  "users unlock": `
The password is what it was. Sessions that the lock ended do not come back.
With --json: {"user":{…}}`,
  "users recovery-link": `
The link alone goes to stdout; it leads to BETTER_AUTH_URL. It works once, within 30 minutes, and no longer than password and
e-mail address are what they are now. The password that is set by it ends all sessions and all other such links of the user.
Whoever has the link can do that: give it to the user alone. A locked user gets none.
With --json: {"userId":…,"url":…,"expiresAt":…}`,
  "users import": `
A line is a user: id, email, name, emailVerified, image, createdAt, updatedAt, lockedAt, passwordHash; all but email may be
missing. Hashes of argon2, bcrypt, PBKDF2, Firebase's scrypt and BetterAuth's are kept, and made anew at the first
sign-in. Where they come from, and how: docs/moving.md. Users who are there already are left as they are, and an import
that was cut short goes on when it is started again. Lines that cannot be used are named on stderr, and the exit status
is 2.
With --json: {"imported":…,"there":…,"refused":…,"refusals":[{"line":…,"field":…,"reason":…,"remedy":…}],"dryRun":…},
or, where it fails, {"error":…,"imported":…,"there":…,"refused":…}`,
  "users export": `
Lines are what latchkey users import takes. Without --with-hashes nobody can sign in where they are imported. In CSV an
apostrophe stands before what a spreadsheet would take for a formula; the import takes it away again.
With --json and --output: {"path":…,"users":…,"withHashes":…}; without --output the lines are JSON as they are`,
  "users delete": `
A terminal is asked whether it is meant; without one, --yes is needed.
With --json: {"userId":…,"ended":…}`,
};

/** What is printed after a command's own help. */
export function commandHelp(name: string): string {
  return details[name] ?? "";
}
