import type { MigrationConnection } from "../apply-migrations.ts";
import { quote, tableNames, tableShapes } from "./shape.ts";

/**
 * Gives the columns of BetterAuth's own schema, which it makes by Kysely and calls `userId`, the names that its Drizzle
 * schema has, `user_id`. What refers to them, keys, indexes, triggers and views, follows. Inside the caller's transaction.
 */
export async function renameColumns(connection: MigrationConnection): Promise<void> {
  for (const table of tableNames) {
    const columns = await columnsOf(connection, table);
    for (const { name } of tableShapes[table]) {
      const theirs = camelCase(name);
      if (theirs === name || columns.includes(name) || !columns.includes(theirs)) continue;
      await connection.query(`ALTER TABLE ${quote(table)} RENAME COLUMN ${quote(theirs)} TO ${quote(name)}`);
    }
  }
}

async function columnsOf(
  { provider, query }: MigrationConnection,
  table: string,
): Promise<readonly string[]> {
  const rows = await query(
    provider === "sqlite"
      ? "SELECT name FROM pragma_table_info(?)"
      : "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1",
    [table],
  );
  return rows.map(({ name }) => String(name));
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
