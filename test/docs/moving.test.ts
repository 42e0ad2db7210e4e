import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hashPassword } from "better-auth/crypto";
import { createClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { blockOf, runCode } from "../support/documented.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { projectDirectory } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery staple";

describe("the recipes of docs/moving.md", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  /** Runs a recipe as a shell does. @returns what was printed. */
  const run = async (
    recipe: string,
    cwd: string,
    env: Readonly<Record<string, string>> = {},
    adapt = (code: string) => code,
  ) => {
    const code = adapt(blockOf("docs/moving.md", `run: ${recipe}`));
    const { exitCode, stdout, stderr } = await runCode(code, { cwd, env: { ...database.env, ...env } });
    expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    return stdout;
  };
  const canSignIn = async (email: string, tried: string) =>
    (await createClient(server.origin).auth.signIn.email({ email, password: tried })).error === null;
  const shown = async (email: string) =>
    JSON.parse((await runLatchkey(["users", "show", email, "--json"], { env: database.env })).stdout);

  test("take people out of PocketBase, as it wrote them", async () => {
    const cwd = temporaryDirectory("pocketbase");
    const dump = readFileSync(join(projectDirectory, "test/corpora/pocketbase-users.sql"), "utf8");
    const made = Bun.spawnSync(["sh", "-c", "mkdir pb_data && sqlite3 pb_data/data.db"], {
      cwd,
      stdin: Buffer.from(dump),
    });
    expect(made.exitCode).toBe(0);
    expect(await run("pocketbase", cwd)).toBe("3 imported, 0 there already, 0 refused\n");
    expect(await canSignIn("ann@example.com", password)).toBe(true);
    expect(await canSignIn("ann@example.com", `${password}s`)).toBe(false);
    expect(await canSignIn("ben@example.com", "a second good password")).toBe(true);
    expect(await canSignIn("cat@example.com", "pässwörd with ümläuts ✓")).toBe(true);
    expect((await shown("ben@example.com")).user).toEqual({
      id: "o60hylx3n4y7iqt",
      email: "ben@example.com",
      name: "ben",
      emailVerified: false,
      image: null,
      lockedAt: null,
      createdAt: "2026-11-22T10:24:01.658Z",
      updatedAt: "2026-11-22T10:24:01.658Z",
    });
  });

  /** Another service's database on PostgreSQL, made by `statements`. */
  const otherDatabase = async (...statements: readonly string[]) => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const sql = new SQL(url, { max: 1 });
    for (const statement of statements) await sql.unsafe(statement);
    await sql.close();
    return { url, drop: () => postgres.dropDatabase(new URL(url).pathname.slice(1)) };
  };

  test("take people out of Supabase, of the columns that GoTrue documents", async () => {
    const bcrypt = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
    const { url, drop } = await otherDatabase(
      "CREATE SCHEMA auth",
      "CREATE TABLE auth.users (id uuid, email varchar(255), encrypted_password varchar(255), email_confirmed_at timestamptz, raw_user_meta_data jsonb, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)",
      `INSERT INTO auth.users VALUES ('00000000-0000-4000-8000-000000000001', 'Sue@example.com', '${bcrypt}', now(), '{"full_name": "Sue \\\\ \\"S\\" Example"}', '2024-01-02 03:04:05.678901+02', now(), NULL)`,
      "INSERT INTO auth.users VALUES ('00000000-0000-4000-8000-000000000002', 'sso@example.com', '', NULL, '{}', now(), now(), NULL)",
      "INSERT INTO auth.users VALUES ('00000000-0000-4000-8000-000000000003', 'gone@example.com', '', NULL, '{}', now(), now(), now())",
    );
    const printed = await run("supabase", temporaryDirectory("supabase"), { SUPABASE_URL: url });
    expect(printed).toBe("2 imported, 0 there already, 0 refused\n");
    expect(await canSignIn("sue@example.com", password)).toBe(true);
    expect(await shown("sue@example.com")).toMatchObject({
      user: {
        id: "00000000-0000-4000-8000-000000000001",
        name: 'Sue \\ "S" Example',
        emailVerified: true,
        createdAt: "2024-01-02T01:04:05.678Z",
      },
    });
    expect(await shown("sso@example.com")).toMatchObject({
      hasPassword: false,
      user: { emailVerified: false },
    });
    await drop();
  });

  test("take people out of Kratos, as its admin API documents them", async () => {
    const cwd = temporaryDirectory("kratos");
    const identity = (id: number, traits: object, hash: string | undefined) => ({
      id: `9f425a8d-7efc-4768-8f23-7647a74fdf1${id}`,
      credentials:
        hash === undefined ? {} : { password: { type: "password", config: { hashed_password: hash } } },
      schema_id: "default",
      traits,
      verifiable_addresses: id === 1 ? [{ value: "kay@example.com", verified: true, via: "email" }] : null,
      created_at: "2023-10-12T14:18:07.123456Z",
      updated_at: "2023-10-12T14:18:07.123456Z",
    });
    // By libargon2 20171227; Kratos has as many lanes as the machine has cores, twice.
    const argon2id =
      "$argon2id$v=19$m=4096,t=2,p=16$c29tZXNhbHRzb21lc2FsdA$/EglcwNUwNOU3ryEAaC/XdbwAAv+mXikD9bigP1ineI";
    const bcrypt = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
    const identities = [
      identity(1, { email: "kay@example.com", name: { first: "Kay", last: "Example" } }, argon2id),
      identity(2, { email: "kim@example.com", name: "Kim" }, bcrypt),
      identity(3, { email: "oidc@example.com" }, undefined),
    ];
    const asked: string[] = [];
    using kratos = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => {
        asked.push(new URL(url).pathname + new URL(url).search);
        return Response.json(identities);
      },
    });
    await run("kratos page", cwd, {}, (code) => code.replace("127.0.0.1:4434", kratos.url.host));
    expect(asked).toEqual(["/admin/identities?include_credential=password&page_size=250"]);
    expect(await run("kratos", cwd)).toBe("3 imported, 0 there already, 0 refused\n");
    for (const email of ["kay@example.com", "kim@example.com"])
      expect(await canSignIn(email, password)).toBe(true);
    expect((await shown("kay@example.com")).user).toMatchObject({ name: "Kay Example", emailVerified: true });
    expect(await shown("oidc@example.com")).toMatchObject({ hasPassword: false, user: { name: "oidc" } });
  });

  test("take people out of Firebase, as its export documents them", async () => {
    const cwd = temporaryDirectory("firebase");
    // The example of https://github.com/firebase/scrypt.
    writeFileSync(
      join(cwd, "signer-key.txt"),
      "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==\n",
    );
    const hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    const users = [
      {
        localId: "fire1",
        email: "fire@example.com",
        emailVerified: true,
        passwordHash: hash.replaceAll("+", "-").replaceAll("/", "_"),
        salt: "42xEC-ixf3L2lw==",
        createdAt: "1479425064000",
      },
      { localId: "phone1", phoneNumber: "+15555550100", createdAt: "1479425064000" },
      { localId: "google1", email: "google@example.com", displayName: "G", createdAt: "1479425064000" },
    ];
    writeFileSync(join(cwd, "users.json"), JSON.stringify({ users }));
    expect(await run("firebase", cwd)).toBe("2 imported, 0 there already, 0 refused\n");
    expect(await canSignIn("fire@example.com", "user1password")).toBe(true);
    expect(await shown("fire@example.com")).toMatchObject({
      user: { id: "fire1", emailVerified: true, createdAt: "2016-11-17T23:24:24.000Z" },
    });
  });

  test("take people out of a server with BetterAuth, of its own schema", async () => {
    const { url, drop } = await otherDatabase(
      'CREATE TABLE "user" (id text, name text, email text, "emailVerified" boolean, image text, "createdAt" timestamp, "updatedAt" timestamp)',
      'CREATE TABLE account (id text, "accountId" text, "providerId" text, "userId" text, password text)',
      `INSERT INTO "user" VALUES ('b1', 'Bea', 'bea@example.com', true, NULL, '2025-01-02 03:04:05', now()), ('b2', 'Git', 'git@example.com', true, NULL, now(), now())`,
      `INSERT INTO account VALUES ('a1', 'b1', 'credential', 'b1', '${await hashPassword(password)}'), ('a2', '77', 'github', 'b2', NULL)`,
    );
    const printed = await run("better-auth", temporaryDirectory("better-auth"), { OTHER_DATABASE_URL: url });
    expect(printed).toBe("2 imported, 0 there already, 0 refused\n");
    expect(await canSignIn("bea@example.com", password)).toBe(true);
    expect((await shown("bea@example.com")).user).toMatchObject({
      id: "b1",
      createdAt: "2025-01-02T03:04:05.000Z",
    });
    await drop();
  });

  test("bring people in, and from one latchkey to another", async () => {
    const cwd = temporaryDirectory("between");
    const bcrypt = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
    writeFileSync(
      join(cwd, "users.jsonl"),
      `${JSON.stringify({ email: "moved@example.com", passwordHash: bcrypt })}\n`,
    );
    expect(await run("import", cwd)).toEndWith("1 imported, 0 there already, 0 refused\n");
    expect(await canSignIn("moved@example.com", password)).toBe(true);

    rmSync(join(cwd, "users.jsonl"));
    await run("export", cwd);
    expect(readFileSync(join(cwd, "users.csv"), "utf8")).toContain("moved@example.com");
    expect(readFileSync(join(cwd, "users.jsonl"), "utf8")).toContain("passwordHash");

    const other = await openTestDatabase("sqlite");
    await (await spawnLatchkey({ env: other.env })).stop();
    const env = Object.entries(other.env).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(cwd, "other.env"), env.join(""));
    const printed = await run("between two", cwd, {}, (code) =>
      code.replace("ssh auth.example.com ", "").replace("--unit latchkey", "--env-file other.env"),
    );
    expect(printed).toMatch(/^\d+ imported, 0 there already, 0 refused\n$/);
    const listed = await runLatchkey(["users", "show", "moved@example.com"], { env: other.env });
    expect(listed.exitCode).toBe(0);
    await other.close();
  });
});
