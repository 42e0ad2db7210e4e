import { Database as SqliteDatabase } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { createClient } from "../../support/client.ts";
import { runLatchkey, spawnLatchkey } from "../../support/executable.ts";
import { everyTag, type LegacyDatabase, openEmpty, tagsAfterAdoption } from "./fixtures.ts";

setDefaultTimeout(60_000);

const credentials = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };
const secret = "Zq3vJ8sLw0XcT5yRb7NfKd2HgM9pUeAo4iV6";

/** What `getMigrations().compileMigrations()` of BetterAuth 1.2.12 prints. */
const tablesOf1212 = {
  sqlite: `create table "user" ("id" text not null primary key, "name" text not null, "email" text not null unique, "emailVerified" integer not null, "image" text, "createdAt" date not null, "updatedAt" date not null);
create table "session" ("id" text not null primary key, "expiresAt" date not null, "token" text not null unique, "createdAt" date not null, "updatedAt" date not null, "ipAddress" text, "userAgent" text, "userId" text not null references "user" ("id"));
create table "account" ("id" text not null primary key, "accountId" text not null, "providerId" text not null, "userId" text not null references "user" ("id"), "accessToken" text, "refreshToken" text, "idToken" text, "accessTokenExpiresAt" date, "refreshTokenExpiresAt" date, "scope" text, "password" text, "createdAt" date not null, "updatedAt" date not null);
create table "verification" ("id" text not null primary key, "identifier" text not null, "value" text not null, "expiresAt" date not null, "createdAt" date, "updatedAt" date);`,
  postgres: `create table "user" ("id" text not null primary key, "name" text not null, "email" text not null unique, "emailVerified" boolean not null, "image" text, "createdAt" timestamp not null, "updatedAt" timestamp not null);
create table "session" ("id" text not null primary key, "expiresAt" timestamp not null, "token" text not null unique, "createdAt" timestamp not null, "updatedAt" timestamp not null, "ipAddress" text, "userAgent" text, "userId" text not null references "user" ("id"));
create table "account" ("id" text not null primary key, "accountId" text not null, "providerId" text not null, "userId" text not null references "user" ("id"), "accessToken" text, "refreshToken" text, "idToken" text, "accessTokenExpiresAt" timestamp, "refreshTokenExpiresAt" timestamp, "scope" text, "password" text, "createdAt" timestamp not null, "updatedAt" timestamp not null);
create table "verification" ("id" text not null primary key, "identifier" text not null, "value" text not null, "expiresAt" timestamp not null, "createdAt" timestamp, "updatedAt" timestamp);`,
};

/** A service of BetterAuth's own, on Node for PostgreSQL; it makes the tables, unless they are there, and an account. */
const nodeService = `
  import pg from "pg";
  import { betterAuth } from "better-auth";
  import { getMigrations } from "better-auth/db/migration";
  const [url, secret, credentials] = JSON.parse(process.argv[1]);
  const database = new pg.Pool({ connectionString: url, max: 2 });
  const options = { database, secret, baseURL: "http://localhost:3001", emailAndPassword: { enabled: true }, telemetry: { enabled: false } };
  await (await getMigrations(options)).runMigrations();
  const answer = await betterAuth(options).api.signUpEmail({ body: credentials, asResponse: true });
  console.log(JSON.stringify(answer.headers.getSetCookie().map((cookie) => cookie.split(";")[0])));
  await database.end();`;

async function makeService({ dialect, url }: LegacyDatabase): Promise<string> {
  if (dialect === "sqlite") {
    const database = new SqliteDatabase(url.slice("file:".length));
    const options = {
      database,
      secret,
      baseURL: "http://localhost:3001",
      emailAndPassword: { enabled: true },
      telemetry: { enabled: false },
    };
    await (await getMigrations(options)).runMigrations();
    const answer = await betterAuth(options).api.signUpEmail({ body: credentials, asResponse: true });
    database.close();
    return answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  }
  const argument = JSON.stringify([url, secret, credentials]);
  const node = Bun.spawn(["node", "--input-type=module", "-e", nodeService, argument], {
    cwd: join(import.meta.dir, "../../.."),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(node.stdout).text(),
    new Response(node.stderr).text(),
    node.exited,
  ]);
  if (stdout === "") throw new Error(`the service on Node failed:\n${stderr}`);
  return (JSON.parse(stdout) as string[])[0] ?? "";
}

let taken: LegacyDatabase | undefined;
afterEach(async () => {
  await taken?.close();
  taken = undefined;
});

describe.each(["sqlite", "postgres"] as const)("A4: BetterAuth's own schema on %s", (dialect) => {
  test.each([["1.2.12"], ["1.7.25"]])(
    "of %s is taken over: people, passwords, live sessions",
    async (version) => {
      taken = await openEmpty(dialect);
      if (version === "1.2.12")
        for (const statement of tablesOf1212[dialect].split(";\n")) await taken.query(statement);
      const cookie = await makeService(taken);
      const env = { ...taken.env, BETTER_AUTH_SECRET: secret };
      const migrated = await runLatchkey(["migrate", "--json"], { env });
      expect(JSON.parse(migrated.stdout)).toMatchObject({ applied: [...tagsAfterAdoption] });
      const server = await spawnLatchkey({ env });
      const verified = await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } });
      expect([verified.status, await verified.json()]).toMatchObject([
        200,
        { user: { email: credentials.email, name: "Ann" } },
      ]);
      const client = createClient(server.origin);
      expect((await client.auth.signIn.email(credentials)).error).toBeNull();
      expect((await client.auth.listSessions()).data).toHaveLength(2);
      const change = { currentPassword: credentials.password, newPassword: "another good one" };
      expect((await client.auth.changePassword({ ...change, revokeOtherSessions: true })).error).toBeNull();
      expect((await client.auth.deleteUser({ password: change.newPassword })).error).toBeNull();
      expect(await server.stop()).toBe(0);
      expect(await taken.query("SELECT id FROM account")).toEqual([]);
    },
  );
});

test("A4: what is taken over on SQLite is copied first, and only then", async () => {
  taken = await openEmpty("sqlite");
  const path = taken.url.slice("file:".length);
  await makeService(taken);
  expect(await taken.migrate()).toEqual([...tagsAfterAdoption]);
  const copy = new SqliteDatabase(`${path}.before-adoption`, { readonly: true });
  expect(copy.query('SELECT email, "emailVerified" FROM "user"').all()).toEqual([
    { email: credentials.email, emailVerified: 0 },
  ]);
  copy.close();
  const other = await openEmpty("sqlite");
  expect(await other.migrate()).toEqual([...everyTag]);
  expect(existsSync(`${other.url.slice("file:".length)}.before-adoption`)).toBe(false);
  await other.close();
});

test("A4: a refusal leaves names and files as they were", async () => {
  taken = await openEmpty("sqlite");
  const path = taken.url.slice("file:".length);
  await makeService(taken);
  await taken.query('UPDATE "session" SET "expiresAt" = $1', ["tomorrow"]);
  const before = await taken.content();
  expect(await taken.refusal()).toContain("expires_at");
  expect(await taken.content()).toEqual(before);
  expect(existsSync(`${path}.before-adoption`)).toBe(false);
});
