import postgresInit from "../../drizzle/postgres/0000_init.sql" with { type: "text" };
import postgresIndexes from "../../drizzle/postgres/0001_indexes.sql" with { type: "text" };
import postgresSessionChanges from "../../drizzle/postgres/0002_session_changes.sql" with { type: "text" };
import postgresForeignHash from "../../drizzle/postgres/0003_foreign_hash.sql" with { type: "text" };
import postgresLimits from "../../drizzle/postgres/0004_limits.sql" with { type: "text" };
import postgresLocks from "../../drizzle/postgres/0005_locks.sql" with { type: "text" };
import postgresMail from "../../drizzle/postgres/0006_mail.sql" with { type: "text" };
import sqliteInit from "../../drizzle/sqlite/0000_init.sql" with { type: "text" };
import sqliteIndexes from "../../drizzle/sqlite/0001_indexes.sql" with { type: "text" };
import sqliteSessionChanges from "../../drizzle/sqlite/0002_session_changes.sql" with { type: "text" };
import sqliteForeignHash from "../../drizzle/sqlite/0003_foreign_hash.sql" with { type: "text" };
import sqliteLimits from "../../drizzle/sqlite/0004_limits.sql" with { type: "text" };
import sqliteLocks from "../../drizzle/sqlite/0005_locks.sql" with { type: "text" };
import sqliteMail from "../../drizzle/sqlite/0006_mail.sql" with { type: "text" };

/** One step of the schema, embedded in the executable as drizzle-kit wrote it. */
export interface Migration {
  readonly tag: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
  readonly statements: readonly string[];
  /** The lowest schema level (number of migrations known) of an executable that can still work on the result. */
  readonly minReader: number;
}

const migration = (tag: string, text: string, minReader: number): Migration => ({
  tag,
  hash: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
  // drizzle-kit writes `public` into references, whichever schema the tables are made in.
  statements: text
    .replaceAll('"public".', "")
    .split("--> statement-breakpoint")
    .map((statement) => statement.trim()),
  minReader,
});

/** Every migration in order, the same tags for both dialects. */
export const migrations: Readonly<Record<"sqlite" | "pg", readonly Migration[]>> = {
  sqlite: [
    migration("0000_init", sqliteInit, 1),
    migration("0001_indexes", sqliteIndexes, 1),
    migration("0002_session_changes", sqliteSessionChanges, 1),
    migration("0003_foreign_hash", sqliteForeignHash, 1),
    migration("0004_limits", sqliteLimits, 1),
    migration("0005_locks", sqliteLocks, 1),
    migration("0006_mail", sqliteMail, 1),
  ],
  pg: [
    migration("0000_init", postgresInit, 1),
    migration("0001_indexes", postgresIndexes, 1),
    migration("0002_session_changes", postgresSessionChanges, 1),
    migration("0003_foreign_hash", postgresForeignHash, 1),
    migration("0004_limits", postgresLimits, 1),
    migration("0005_locks", postgresLocks, 1),
    migration("0006_mail", postgresMail, 1),
  ],
};
