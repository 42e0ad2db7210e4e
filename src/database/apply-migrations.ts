import { CommandError } from "../errors.ts";
import type { Parameter, Row } from "./database.ts";
import { type Migration, migrations } from "./migrations.ts";

/** A connection inside one transaction that holds the migration lock. */
export interface MigrationConnection {
  readonly provider: "sqlite" | "pg";
  /** Placeholders are the dialect's. */
  query(text: string, parameters?: readonly Parameter[]): Promise<Row[]>;
}

/** What a schema lacks or has beyond this executable. */
export interface SchemaStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Tags that a newer executable applied. */
  readonly unknown: readonly string[];
}

/** The table that says which migrations are applied. */
export const journal = "latchkey_migration";
const createJournal =
  `CREATE TABLE IF NOT EXISTS ${journal} (tag text PRIMARY KEY NOT NULL, hash text NOT NULL, ` +
  "min_reader integer NOT NULL, applied_at bigint NOT NULL)";

/**
 * Brings the schema up to date inside the caller's transaction; `adopt` takes over the tables of another service, or
 * throws the reason why not, and says whether it found any.
 * @returns the tags applied now.
 * @throws CommandError when the schema belongs to a newer executable or differs from what it was.
 */
export async function applyMigrations(
  connection: MigrationConnection,
  adopt: (connection: MigrationConnection) => Promise<boolean>,
): Promise<readonly string[]> {
  const known = migrations[connection.provider];
  if (!(await hasTable(connection, journal))) {
    const adopted = await adopt(connection);
    await connection.query(createJournal);
    if (adopted) await record(connection, known[0]);
  }
  const status = compare(connection.provider, await readJournal(connection));
  const applied: string[] = [];
  for (const migration of known) {
    if (!status.pending.includes(migration.tag)) continue;
    for (const statement of migration.statements) await connection.query(statement);
    await record(connection, migration);
    applied.push(migration.tag);
  }
  return applied;
}

/** Reads the status without changing anything. @throws as `applyMigrations`. */
export async function schemaStatus(connection: MigrationConnection): Promise<SchemaStatus> {
  const isThere = await hasTable(connection, journal);
  return compare(connection.provider, isThere ? await readJournal(connection) : []);
}

/** Reads the journal. */
export const journalText = `SELECT tag, hash, min_reader FROM ${journal} ORDER BY tag`;

/** What `journalText` found: @returns the tags of migrations that are missing. */
export function missingMigrations(
  provider: MigrationConnection["provider"],
  rows: readonly Row[],
): readonly string[] {
  return compare(provider, rows).pending;
}

async function hasTable({ provider, query }: MigrationConnection, name: string): Promise<boolean> {
  const text =
    provider === "sqlite"
      ? "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ?"
      : "SELECT 1 AS found FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1";
  return (await query(text, [name])).length > 0;
}

async function readJournal({ query }: MigrationConnection): Promise<Row[]> {
  return await query(journalText);
}

async function record(
  { provider, query }: MigrationConnection,
  migration: Migration | undefined,
): Promise<void> {
  if (migration === undefined) return;
  const values = provider === "sqlite" ? "?, ?, ?, ?" : "$1, $2, $3, $4";
  await query(`INSERT INTO ${journal} (tag, hash, min_reader, applied_at) VALUES (${values})`, [
    migration.tag,
    migration.hash,
    migration.minReader,
    Date.now(),
  ]);
}

function compare(provider: MigrationConnection["provider"], rows: readonly Row[]): SchemaStatus {
  const known = migrations[provider];
  const unknown: string[] = [];
  const applied: string[] = [];
  for (const row of rows) {
    const tag = String(row["tag"]);
    const migration = known.find((candidate) => candidate.tag === tag);
    if (migration === undefined) {
      unknown.push(tag);
      if (Number(row["min_reader"]) > known.length) {
        throw new CommandError(
          `the database was migrated by a newer latchkey (${tag}), which says that this one cannot work on it`,
          wayBack(provider, unknown[0] ?? tag),
        );
      }
    } else if (migration.hash !== row["hash"]) {
      throw new CommandError(
        `migration ${tag} was applied in another form than this latchkey knows`,
        "use the executable that made this database, or restore a backup",
      );
    } else applied.push(tag);
  }
  const pending = known.map((migration) => migration.tag).filter((tag) => !applied.includes(tag));
  return { applied, pending, unknown };
}

/** @param tag of the first migration that a newer executable applied. */
function wayBack(provider: MigrationConnection["provider"], tag: string): string {
  const copy =
    provider === "sqlite"
      ? `latchkey restore the copy that it made, latchkey.db.before-${tag}, or a backup from before the upgrade`
      : "latchkey restore a backup from before the upgrade into an empty database";
  return `run the newer latchkey again; or, losing what came since, ${copy}`;
}
