import { columnProblems, type TypeRules } from "./columns.ts";
import { planIndexes } from "./indexes.ts";
import { describeRows, planEmails, rowProblems } from "./rows.ts";
import { type Change, type FoundIndex, missingColumns, type Plan, quote, tableShapes } from "./shape.ts";
import { affinityOf, readIndexes, readTables, type SqliteTable } from "./sqlite-catalog.ts";
import { asMilliseconds } from "./instants.ts";
import { rebuildObstacles, rebuildReason, rebuildTable } from "./rebuild.ts";
import type { MigrationConnection } from "../apply-migrations.ts";

const rules: TypeRules = {
  text: { name: "text", accepts: (type) => affinityOf(type) === "text" },
  boolean: { name: "integer", accepts: (type) => ["integer", "numeric"].includes(affinityOf(type)) },
  // Text and real columns are rebuilt.
  instant: { name: "integer", accepts: (type) => affinityOf(type) !== "blob" },
};

/** Plans the way from the tables found to those of 0000_init. */
export async function planSqlite(connection: MigrationConnection): Promise<Plan> {
  const tables = await readTables(connection);
  const structure = [...columnProblems(tables, rules), ...tables.flatMap(foreignKeyProblems)];
  if (structure.length > 0) return { problems: structure, changes: [] };

  const problems = [...(await rowProblems(connection, tables)), ...(await valueProblems(connection, tables))];
  let indexes: readonly FoundIndex[] = await readIndexes(connection);
  const changes: Change[] = [];
  for (const table of tables) {
    const reason = await rebuildReason(connection, table);
    if (reason === null) {
      changes.push(...addColumns(table));
      continue;
    }
    const obstacles = await rebuildObstacles(connection, table, indexes);
    problems.push(
      ...obstacles.map(
        (obstacle) =>
          `${table.name} has ${obstacle}, which its rebuilding would lose; it is needed since ${reason}`,
      ),
    );
    changes.push(...rebuildTable(table));
    // The indexes that belong to constraints go with the old table.
    indexes = indexes.filter((index) => index.table !== table.name || !index.constraint);
  }
  const indexPlan = planIndexes("sqlite", indexes);
  const emails = await planEmails(connection);
  return {
    problems: [...problems, ...indexPlan.problems, ...emails.problems],
    changes: [...changes, ...indexPlan.changes, ...emails.changes],
  };
}

function foreignKeyProblems(table: SqliteTable): string[] {
  return table.foreignKeys
    .filter((key) => key.columns.includes("user_id") && !key.refersToUserId)
    .map((key) => `${table.name}.user_id refers to ${key.target}, not to user.id`);
}

function addColumns(table: SqliteTable): Change[] {
  return missingColumns(table).map((shape) => ({
    text: `ALTER TABLE ${quote(table.name)} ADD COLUMN ${quote(shape.name)} ${rules[shape.kind].name}`,
  }));
}

/** SQLite stores any value in any column: what is stored must be what the columns are taken for. */
async function valueProblems(
  connection: MigrationConnection,
  tables: readonly SqliteTable[],
): Promise<string[]> {
  const problems: (string | null)[] = [];
  for (const table of tables) {
    for (const { name, kind } of tableShapes[table.name]) {
      if (!table.columns.some((column) => column.name === name)) continue;
      const column = quote(name);
      const [where, fault] = {
        text: [`typeof(${column}) NOT IN ('text', 'null')`, `whose ${name} is not text`],
        boolean: [`${column} NOT IN (0, 1)`, `whose ${name} is neither 0 nor 1`],
        instant: [
          `${column} IS NOT NULL AND ${asMilliseconds(column)} IS NULL`,
          `whose ${name} is neither milliseconds nor seconds since 1970 nor ISO 8601`,
        ],
      }[kind] as [string, string];
      problems.push(await describeRows(connection, table.name, where, fault));
    }
  }
  return problems.filter((problem) => problem !== null);
}
