import { CommandError } from "../../errors.ts";
import { planPostgres } from "./plan-postgres.ts";
import { type Change, tableNames } from "./shape.ts";
import { renameColumns } from "./rename.ts";
import { planSqlite } from "./plan-sqlite.ts";
import { errorCode } from "../store-error.ts";
import type { MigrationConnection } from "../apply-migrations.ts";
import { migrations } from "../migrations.ts";

const remedy =
  "make a backup, stop the other service, correct what is named and start again; or use an empty database";

/**
 * Takes over the four tables of a BetterAuth service, with Drizzle or Kysely, inside the caller's transaction: afterwards they are
 * what 0000_init makes, with every row and every further column of theirs kept.
 * @returns false when there are none.
 * @throws CommandError with every reason why not; the caller rolls back.
 */
export async function adoptTables(connection: MigrationConnection): Promise<boolean> {
  const present = await presentTables(connection);
  if (present.length === 0) return false;
  await completeTables(connection, present);
  try {
    await renameColumns(connection);
    const plan = await (connection.provider === "sqlite" ? planSqlite : planPostgres)(connection);
    if (plan.problems.length > 0) throw refusal(plan.problems);
    for (const change of plan.changes) await run(connection, change);
  } catch (cause) {
    throw explain(cause);
  }
  return true;
}

function refusal(problems: readonly string[]): CommandError {
  const lines = problems.map((problem) => `\n  - ${problem}`).join("");
  return new CommandError(`the database's tables cannot be taken over:${lines}`, remedy);
}

async function run({ query }: MigrationConnection, { text, parameters }: Change): Promise<void> {
  await query(text, parameters);
}

/** Translates what the database itself refuses: a view in the way, a table of another owner, a table in use. */
function explain(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof CommandError) return cause;
  const code = errorCode(cause) ?? "";
  if (code === "55P03") {
    return new CommandError("the database's tables are in use by another service", remedy, { cause });
  }
  // Classes of SQLSTATE whose primary message names tables and columns, never a row's content; and SQLite's plain error.
  const nameable = code === "SQLITE_ERROR" || /^(0A|2B|42)/.test(code);
  return nameable ? refusal([`the database says: ${cause.message}`]) : cause;
}

/** The relations that have one of the four names. */
async function presentTables({ provider, query }: MigrationConnection): Promise<string[]> {
  const names = tableNames.map((name) => `'${name}'`).join(", ");
  const rows = await query(
    provider === "sqlite"
      ? `SELECT lower(name) AS name, type = 'table' AS ordinary FROM sqlite_master
         WHERE type IN ('table', 'view') AND lower(name) IN (${names})`
      : `SELECT c.relname AS name, c.relkind = 'r' AS ordinary
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN (${names})`,
  );
  const others = rows.filter((row) => !row["ordinary"]).map((row) => `${String(row["name"])} is not a table`);
  if (others.length > 0) throw refusal(others);
  return rows.map((row) => String(row["name"]));
}

/** Creates `verification` when it alone is missing: its rows live for minutes, a service may have had no use for it. */
async function completeTables(connection: MigrationConnection, present: readonly string[]): Promise<void> {
  const missing = tableNames.filter((name) => !present.includes(name));
  if (missing.some((name) => name !== "verification")) {
    throw refusal([`there is ${present.join(", ")}, but not ${missing.join(", ")}`]);
  }
  if (missing.length === 0) return;
  const statements = migrations[connection.provider][0]?.statements ?? [];
  const own = statements.filter((statement) => /^CREATE TABLE .verification. /.test(statement));
  for (const statement of own) await connection.query(statement);
}
