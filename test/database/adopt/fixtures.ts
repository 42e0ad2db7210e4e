import { Database as SqliteDatabase } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseConfig } from "../../../src/config/config.ts";
import type { Database } from "../../../src/database/database.ts";
import { migrations } from "../../../src/database/migrations.ts";
import { openDatabase } from "../../../src/database/open.ts";
import { migrateServer } from "../../../src/database/migrate-server.ts";
import { migrateSqliteFile } from "../../../src/database/migrate-sqlite.ts";
import { databaseConfigOf } from "../../support/open-database.ts";
import { CommandError } from "../../../src/errors.ts";
import { type Dialect, openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { fileContent, serverContent } from "./structure.ts";

/** What a fresh database gets, and what one whose tables were adopted gets. */
export const everyTag: readonly string[] = migrations.sqlite.map(({ tag }) => tag);
export const tagsAfterAdoption: readonly string[] = everyTag.slice(1);

export const tables = ["user", "session", "account", "verification"] as const;
type Table = (typeof tables)[number];

/** How a service's tables differ from those that BetterAuth and Drizzle make as a rule. */
export interface Difference {
  /** `table.column` → its definition, null to leave it out. */
  readonly columns?: Readonly<Record<string, string | null>>;
  readonly without?: readonly Table[];
  /** What follows REFERENCES "user"("id"); null for no foreign key at all. */
  readonly onDelete?: string | null;
  /** False: neither e-mail addresses nor tokens are unique. */
  readonly unique?: boolean;
  readonly rows?: readonly LegacyRow[];
  /** Statements run at the end. */
  readonly then?: readonly string[];
}

export type LegacyRow = readonly [
  table: Table,
  row: Readonly<Record<string, string | number | boolean | null>>,
];

export const isSqlite = (dialect: Dialect): boolean => dialect === "sqlite";

/** What the columns hold an instant as: milliseconds on SQLite, UTC without a zone on PostgreSQL. */
const stored = (dialect: Dialect, iso: string): string | number =>
  isSqlite(dialect) ? Date.parse(iso) : iso.replace("T", " ").replace("Z", "");

export const made = "2026-01-02T03:04:05.678Z";
export const ends = "2126-07-09T10:11:12.345Z";

function columnsOf(dialect: Dialect, table: Table): Record<string, string> {
  const instant = isSqlite(dialect) ? "integer" : "timestamp";
  const flag = isSqlite(dialect) ? "integer" : "boolean";
  const id = { id: "text PRIMARY KEY NOT NULL" };
  const text = (...names: string[]) => Object.fromEntries(names.map((name) => [name, "text NOT NULL"]));
  const nullable = (...names: string[]) => Object.fromEntries(names.map((name) => [name, "text"]));
  const written = { created_at: `${instant} NOT NULL`, updated_at: `${instant} NOT NULL` };
  const all: Record<Table, Record<string, string>> = {
    user: {
      ...id,
      ...text("name", "email"),
      email_verified: `${flag} NOT NULL`,
      ...nullable("image"),
      ...written,
    },
    session: {
      ...id,
      expires_at: `${instant} NOT NULL`,
      ...text("token"),
      ...written,
      ...nullable("ip_address", "user_agent"),
      ...text("user_id"),
    },
    account: {
      ...id,
      ...text("account_id", "provider_id", "user_id"),
      ...nullable("access_token", "refresh_token", "id_token"),
      access_token_expires_at: instant,
      refresh_token_expires_at: instant,
      ...nullable("scope", "password"),
      ...written,
    },
    verification: { ...id, ...text("identifier", "value"), expires_at: `${instant} NOT NULL`, ...written },
  };
  return all[table];
}

/** The statements that make a service's tables. */
export function legacyTables(dialect: Dialect, difference: Difference = {}): string[] {
  const present = tables.filter((table) => !(difference.without ?? []).includes(table));
  const onDelete = difference.onDelete === undefined ? "ON DELETE cascade" : difference.onDelete;
  const creations = present.map((table) => {
    const columns = columnsOf(dialect, table) as Record<string, string | null>;
    for (const [name, definition] of Object.entries(difference.columns ?? {})) {
      const [owner, column = ""] = name.split(".");
      if (owner === table) columns[column] = definition;
    }
    const parts = Object.entries(columns)
      .filter(([, definition]) => definition !== null)
      .map(([name, definition]) => `"${name}" ${definition}`);
    const owned = "user_id" in columns && columns["user_id"] !== null && onDelete !== null;
    if (owned && present.includes("user")) {
      parts.push(`FOREIGN KEY ("user_id") REFERENCES "user"("id") ${onDelete}`);
    }
    return `CREATE TABLE "${table}" (${parts.join(", ")})`;
  });
  const unique = [
    ["user", "email"],
    ["session", "token"],
  ].filter(([table]) => difference.unique !== false && present.some((name) => name === table));
  return [
    ...creations,
    ...unique.map(
      ([table, column]) => `CREATE UNIQUE INDEX "${table}_${column}_unique" ON "${table}" ("${column}")`,
    ),
  ];
}

/** A user with a session and a password; `row` overrides columns. */
export function person(dialect: Dialect, id: string, row: LegacyRow[1] = {}): LegacyRow[] {
  const written = { created_at: stored(dialect, made), updated_at: stored(dialect, made) };
  const user = { id, name: "Ann", email: `${id}@example.com`, email_verified: isSqlite(dialect) ? 1 : true };
  return [
    ["user", { ...user, ...written, ...row }],
    ["session", { ...session(dialect, `session-${id}`, id) }],
    [
      "account",
      {
        id: `account-${id}`,
        account_id: id,
        provider_id: "credential",
        user_id: id,
        password: `hash-${id}`,
        ...written,
      },
    ],
  ];
}

export const session = (dialect: Dialect, id: string, userId: string): LegacyRow[1] => ({
  id,
  token: `token-${id}`,
  user_id: userId,
  expires_at: stored(dialect, ends),
  created_at: stored(dialect, made),
  updated_at: stored(dialect, made),
});

export const verification = (dialect: Dialect): LegacyRow => [
  "verification",
  {
    id: "verification-1",
    identifier: "reset-password:x",
    value: "ann",
    expires_at: stored(dialect, ends),
    created_at: stored(dialect, made),
    updated_at: stored(dialect, made),
  },
];

/** A database that another service made. */
export interface LegacyDatabase extends TestDatabase {
  readonly config: DatabaseConfig;
  /** Migrates as a start does. @returns the tags applied. */
  migrate(): Promise<readonly string[]>;
  /** Migrates, expecting a refusal. @returns its message. */
  refusal(): Promise<string>;
  /** Everything that is in it: the file's very bytes on SQLite, else structure, rows and where they are stored. */
  content(): Promise<unknown>;
  open(): Database;
}

export async function openLegacy(dialect: Dialect, difference: Difference = {}): Promise<LegacyDatabase> {
  const database = await openEmpty(dialect);
  const rows = difference.rows ?? [...person(dialect, "ann"), verification(dialect)];
  for (const statement of legacyTables(dialect, difference)) await database.query(statement);
  for (const [table, row] of rows) {
    if (difference.without?.includes(table)) continue;
    const names = Object.keys(row).map((name) => `"${name}"`);
    const values = Object.keys(row).map((_, at) => `$${at + 1}`);
    const text = `INSERT INTO "${table}" (${names.join(", ")}) VALUES (${values.join(", ")})`;
    await database.query(text, Object.values(row));
  }
  for (const statement of difference.then ?? []) await database.query(statement);
  return database;
}

/** A database without tables; on SQLite a file in the journal mode that SQLite gives it. */
export async function openEmpty(dialect: Dialect): Promise<LegacyDatabase> {
  const database = await openTestDatabase(dialect);
  const path = database.url.replace(/^file:/, "");
  if (dialect === "sqlite") {
    mkdirSync(dirname(path), { recursive: true });
    const file = new SqliteDatabase(path, { create: true });
    file.run("VACUUM");
    file.close();
  }
  const config = databaseConfigOf(database);
  const open = () => openDatabase(config);
  const migrate = () => (dialect === "sqlite" ? migrateSqliteFile(path) : migrateOpened(open()));
  return {
    ...database,
    config,
    open,
    migrate,
    refusal: () =>
      migrate().then(
        (applied) => Promise.reject(new Error(`not refused, but applied ${applied.join()}`)),
        (error: unknown) => {
          if (error instanceof CommandError && error.remedy !== "") return error.message;
          throw error;
        },
      ),
    content: () => (dialect === "sqlite" ? Promise.resolve(fileContent(path)) : serverContent(database)),
  };
}

async function migrateOpened(database: Database): Promise<readonly string[]> {
  try {
    return await migrateServer(database);
  } finally {
    await database.close();
  }
}
