import { type Change, type FoundTable, ownedTables, type Plan, quote, tableShapes } from "./shape.ts";
import type { MigrationConnection } from "../apply-migrations.ts";

const namedRows = 5;
const batchSize = 200;

/** What the rows themselves stand against: NULLs, duplicates, and rows of users that do not exist. */
export async function rowProblems(
  connection: MigrationConnection,
  tables: readonly FoundTable[],
): Promise<string[]> {
  const problems: (string | null)[] = [];
  for (const table of tables) {
    for (const column of nullableWhereRequired(table)) {
      const where = `${quote(column)} IS NULL`;
      problems.push(await describeRows(connection, table.name, where, `without ${column}`));
    }
  }
  for (const table of ownedTables) {
    const where = `user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = ${quote(table)}.user_id)`;
    problems.push(await describeRows(connection, table, where, "with a user_id that no user has"));
  }
  const unique = [
    ["user", "email"],
    ["session", "token"],
    ["account", "provider_id, account_id"],
  ] as const;
  for (const [table, columns] of unique) {
    const where = `(${columns}) IN (SELECT ${columns} FROM ${quote(table)} GROUP BY ${columns} HAVING count(*) > 1)`;
    problems.push(await describeRows(connection, table, where, `with the same (${columns}) as another`));
  }
  return problems.filter((problem) => problem !== null);
}

/** Columns that 0000_init declares NOT NULL and the found table does not. */
export function nullableWhereRequired(table: FoundTable): string[] {
  return tableShapes[table.name]
    .filter((shape) => shape.required)
    .map((shape) => shape.name)
    .filter((name) => table.columns.some((column) => column.name === name && !column.required));
}

/** Says how many rows `where` finds and the ids of the first, or null when there is none. */
export async function describeRows(
  { query }: MigrationConnection,
  table: string,
  where: string,
  fault: string,
): Promise<string | null> {
  const rows = await query(
    `SELECT id, count(*) OVER () AS total FROM ${quote(table)} WHERE ${where} ORDER BY id LIMIT ${namedRows}`,
  );
  if (rows.length === 0) return null;
  const total = Number(rows[0]?.["total"]);
  const ids = rows.map((row) => String(row["id"])).join(", ");
  const rest = total > rows.length ? ", …" : "";
  return `${total} ${total === 1 ? "row" : "rows"} of ${table} ${fault} (id ${ids}${rest})`;
}

/**
 * BetterAuth looks e-mail addresses up in lower case, so that one stored otherwise can never sign in: lowering it loses
 * nothing and lets its owner in. Where that makes two users one address, an operator has to choose.
 */
export async function planEmails(connection: MigrationConnection): Promise<Plan> {
  // The databases' own lower() knows ASCII only, or the server's locale: anything else is left to JavaScript's, which is BetterAuth's.
  const suspicious =
    connection.provider === "sqlite" ? "email GLOB '*[^ -@[-~]*'" : `email COLLATE "C" ~ '[^ -@\\[-~]'`;
  const rows = await connection.query(`SELECT id, email FROM "user" WHERE ${suspicious} ORDER BY id`);
  const lowered = rows
    .map((row) => ({
      id: String(row["id"]),
      from: String(row["email"]),
      to: String(row["email"]).toLowerCase(),
    }))
    .filter(({ from, to }) => from !== to);
  const taken = await addressesInUse(
    connection,
    lowered.map(({ to }) => to),
  );
  const seen = new Map<string, number>();
  for (const { to } of lowered) seen.set(to, (seen.get(to) ?? 0) + 1);
  const colliding = lowered.filter(({ to }) => taken.has(to) || (seen.get(to) ?? 0) > 1);
  if (colliding.length > 0) {
    const ids = colliding
      .slice(0, namedRows)
      .map(({ id }) => id)
      .join(", ");
    const count = `${colliding.length} ${colliding.length === 1 ? "row" : "rows"}`;
    const rest = colliding.length > namedRows ? ", …" : "";
    const problem = `${count} of user with an e-mail address that another has in other letter case (id ${ids}${rest})`;
    return { problems: [problem], changes: [] };
  }
  return { problems: [], changes: batches(lowered).map((batch) => lowerEmails(connection, batch)) };
}

async function addressesInUse(
  connection: MigrationConnection,
  addresses: readonly string[],
): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const batch of batches(addresses)) {
    const list = batch.map((_, at) => placeholder(connection, at + 1)).join(", ");
    const rows = await connection.query(`SELECT email FROM "user" WHERE email IN (${list})`, batch);
    for (const row of rows) taken.add(String(row["email"]));
  }
  return taken;
}

function lowerEmails(
  connection: MigrationConnection,
  batch: readonly { readonly id: string; readonly to: string }[],
): Change {
  const values = batch.map(
    (_, at) => `(${placeholder(connection, at * 2 + 1)}, ${placeholder(connection, at * 2 + 2)})`,
  );
  return {
    text:
      `UPDATE "user" SET email = lowered.column2 FROM (VALUES ${values.join(", ")}) AS lowered ` +
      `WHERE "user".id = lowered.column1`,
    parameters: batch.flatMap(({ id, to }) => [id, to]),
  };
}

const placeholder = ({ provider }: MigrationConnection, position: number): string =>
  provider === "sqlite" ? "?" : `$${position}`;

function batches<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / batchSize);
  return Array.from({ length: count }, (_, at) => items.slice(at * batchSize, (at + 1) * batchSize));
}
