import { Database as SqliteDatabase } from "bun:sqlite";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { drizzle as drizzleServer } from "drizzle-orm/bun-sql";
import { drizzle as drizzleFile } from "drizzle-orm/bun-sqlite";
import * as pg from "drizzle-orm/pg-core";
import * as sqlite from "drizzle-orm/sqlite-core";
import * as ownServer from "../../../src/database/schema.postgres.ts";
import * as ownFile from "../../../src/database/schema.sqlite.ts";
import { type Difference, type LegacyDatabase, openLegacy, tagsAfterAdoption } from "./fixtures.ts";

// The first test starts PostgreSQL.
setDefaultTimeout(30_000);

// Services as BetterAuth's documentation had them written: naive timestamps on PostgreSQL, seconds on SQLite.
const naive = (name: string) => pg.timestamp(name).notNull();
const serverSchema = {
  user: pg.pgTable("user", {
    id: pg.text("id").primaryKey(),
    name: pg.text("name").notNull(),
    email: pg.varchar("email", { length: 255 }).notNull().unique(),
    emailVerified: pg.boolean("email_verified").notNull(),
    image: pg.text("image"),
    createdAt: naive("created_at"),
    updatedAt: naive("updated_at"),
  }),
  session: pg.pgTable("session", {
    id: pg.text("id").primaryKey(),
    expiresAt: naive("expires_at"),
    token: pg.text("token").notNull().unique(),
    createdAt: naive("created_at"),
    updatedAt: naive("updated_at"),
    ipAddress: pg.text("ip_address"),
    userAgent: pg.text("user_agent"),
    userId: pg.text("user_id").notNull(),
  }),
  account: pg.pgTable("account", {
    id: pg.text("id").primaryKey(),
    accountId: pg.text("account_id").notNull(),
    providerId: pg.text("provider_id").notNull(),
    userId: pg.text("user_id").notNull(),
    accessToken: pg.text("access_token"),
    refreshToken: pg.text("refresh_token"),
    idToken: pg.text("id_token"),
    accessTokenExpiresAt: pg.timestamp("access_token_expires_at"),
    refreshTokenExpiresAt: pg.timestamp("refresh_token_expires_at"),
    scope: pg.text("scope"),
    password: pg.text("password"),
    createdAt: naive("created_at"),
    updatedAt: naive("updated_at"),
  }),
  verification: pg.pgTable("verification", {
    id: pg.text("id").primaryKey(),
    identifier: pg.text("identifier").notNull(),
    value: pg.text("value").notNull(),
    expiresAt: naive("expires_at"),
    createdAt: naive("created_at"),
    updatedAt: naive("updated_at"),
  }),
};

const seconds = (name: string) => sqlite.integer(name, { mode: "timestamp" }).notNull();
const fileSchema = {
  user: sqlite.sqliteTable("user", {
    id: sqlite.text("id").primaryKey(),
    name: sqlite.text("name").notNull(),
    email: sqlite.text("email").notNull().unique(),
    emailVerified: sqlite.integer("email_verified", { mode: "boolean" }).notNull(),
    image: sqlite.text("image"),
    createdAt: seconds("created_at"),
    updatedAt: seconds("updated_at"),
  }),
  session: sqlite.sqliteTable("session", {
    id: sqlite.text("id").primaryKey(),
    expiresAt: seconds("expires_at"),
    token: sqlite.text("token").notNull().unique(),
    createdAt: seconds("created_at"),
    updatedAt: seconds("updated_at"),
    ipAddress: sqlite.text("ip_address"),
    userAgent: sqlite.text("user_agent"),
    userId: sqlite.text("user_id").notNull(),
  }),
  account: sqlite.sqliteTable("account", {
    id: sqlite.text("id").primaryKey(),
    accountId: sqlite.text("account_id").notNull(),
    providerId: sqlite.text("provider_id").notNull(),
    userId: sqlite.text("user_id").notNull(),
    accessToken: sqlite.text("access_token"),
    refreshToken: sqlite.text("refresh_token"),
    idToken: sqlite.text("id_token"),
    accessTokenExpiresAt: sqlite.integer("access_token_expires_at", { mode: "timestamp" }),
    refreshTokenExpiresAt: sqlite.integer("refresh_token_expires_at", { mode: "timestamp" }),
    scope: sqlite.text("scope"),
    password: sqlite.text("password"),
    createdAt: seconds("created_at"),
    updatedAt: seconds("updated_at"),
  }),
  verification: sqlite.sqliteTable("verification", {
    id: sqlite.text("id").primaryKey(),
    identifier: sqlite.text("identifier").notNull(),
    value: sqlite.text("value").notNull(),
    expiresAt: seconds("expires_at"),
    createdAt: seconds("created_at"),
    updatedAt: seconds("updated_at"),
  }),
};

const differences: Readonly<Record<"sqlite" | "postgres", Difference>> = {
  sqlite: {
    rows: [],
    then: [
      "CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric)",
      "INSERT INTO __drizzle_migrations VALUES (1, 'abc', 1700000000000)",
    ],
  },
  postgres: {
    rows: [],
    columns: { "user.email": "varchar(255) NOT NULL" },
    then: [
      "CREATE TABLE __drizzle_migrations (id int PRIMARY KEY, hash text NOT NULL, created_at numeric)",
      "INSERT INTO __drizzle_migrations VALUES (1, 'abc', 1700000000000)",
    ],
  },
};

const credentials = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };

let database: LegacyDatabase | undefined;
afterEach(async () => {
  await database?.close();
  database = undefined;
});

/** Runs stock BetterAuth over a schema, on a connection of its own. */
async function withService<Result>(
  { dialect, url }: LegacyDatabase,
  schema: "theirs" | "ours",
  use: (service: ReturnType<typeof serviceOver>) => Promise<Result>,
): Promise<Result> {
  if (dialect === "sqlite") {
    const client = new SqliteDatabase(url.replace(/^file:/, ""));
    const tables = schema === "theirs" ? fileSchema : ownFile;
    try {
      return await use(
        serviceOver(drizzleAdapter(drizzleFile({ client }), { provider: "sqlite", schema: tables })),
      );
    } finally {
      client.close();
    }
  }
  const client = new SQL(url, { max: 2 });
  const tables = schema === "theirs" ? serverSchema : ownServer;
  try {
    return await use(
      serviceOver(drizzleAdapter(drizzleServer({ client }), { provider: "pg", schema: tables })),
    );
  } finally {
    await client.close();
  }
}

const serviceOver = (adapter: ReturnType<typeof drizzleAdapter>) =>
  betterAuth({
    database: adapter,
    baseURL: "http://localhost:3001",
    secret: "a-secret-of-this-test-alone-0123456789",
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
  });

describe.each(["sqlite", "postgres"] as const)(
  "a BetterAuth + Drizzle service's database on %s",
  (dialect) => {
    test("is taken over with its people, its passwords and their live sessions", async () => {
      const taken = await openLegacy(dialect, differences[dialect]);
      database = taken;
      if (dialect === "postgres") {
        const name = new URL(taken.url).pathname.slice(1);
        await taken.query(`ALTER DATABASE ${name} SET timezone = 'America/New_York'`);
      }
      const before = await withService(taken, "theirs", async ({ api, $context }) => {
        const { token } = await api.signUpEmail({ body: credentials });
        return await (await $context).internalAdapter.findSession(token ?? "");
      });
      if (before === null) throw new Error("no session");

      expect(await taken.migrate()).toEqual(tagsAfterAdoption);

      const store = taken.open();
      const found = await store.sessions.find(before.session.token);
      await store.close();
      expect(found).toMatchObject({
        id: before.session.id,
        userId: before.user.id,
        expiresAt: before.session.expiresAt.getTime(),
        createdAt: before.session.createdAt.getTime(),
        user: { email: credentials.email, createdAt: before.user.createdAt.getTime() },
      });
      // Seven days from now, whatever the zone and the unit.
      expect(Math.abs((found?.expiresAt ?? 0) - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);
      const after = await withService(taken, "ours", async ({ api, $context }) => {
        const { user } = await api.signInEmail({ body: credentials });
        expect(user.id).toBe(before.user.id);
        return await (await $context).internalAdapter.findSession(before.session.token);
      });
      expect(after?.session.expiresAt).toEqual(before.session.expiresAt);
      const journal = await taken.query("SELECT id, hash FROM __drizzle_migrations");
      expect(journal).toEqual([{ id: 1, hash: "abc" }]);
    });
  },
);
