import { columnProblems, type TypeRules } from "./columns.ts";
import { planIndexes } from "./indexes.ts";
import { type ForeignKey, readForeignKeys, readIndexes, readTables } from "./postgres-catalog.ts";
import { nullableWhereRequired, planEmails, rowProblems } from "./rows.ts";
import {
  type Change,
  type FoundTable,
  isForsakenColumn,
  missingColumns,
  ownedTables,
  type Plan,
  quote,
  type TableName,
  tableNames,
  tableShapes,
} from "./shape.ts";
import type { MigrationConnection } from "../apply-migrations.ts";

const rules: TypeRules = {
  text: { name: "text", accepts: (type) => type === "text" || type === "character varying" },
  boolean: { name: "boolean", accepts: (type) => type === "boolean" },
  instant: {
    name: "timestamp with time zone",
    accepts: (type) => /^timestamp with(out)? time zone$/.test(type),
  },
};

const typeNames = { text: "text", boolean: "boolean", instant: "timestamp with time zone" } as const;

/** Plans the way from the tables found to those of 0000_init. */
export async function planPostgres(connection: MigrationConnection): Promise<Plan> {
  await connection.query("SET LOCAL lock_timeout = '2s'");
  // Nobody writes between the checks and the changes; what the changes lock, they would lock anyway.
  await connection.query(`LOCK TABLE ${tableNames.map(quote).join(", ")} IN ACCESS EXCLUSIVE MODE`);
  const tables = await readTables(connection);
  const structure = columnProblems(tables, rules);
  if (structure.length > 0) return { problems: structure, changes: [] };

  const keys = planForeignKeys(await readForeignKeys(connection));
  const indexes = planIndexes("pg", await readIndexes(connection));
  const emails = await planEmails(connection);
  return {
    problems: [
      ...keys.problems,
      ...indexes.problems,
      ...(await rowProblems(connection, tables)),
      ...emails.problems,
    ],
    changes: [...tables.flatMap(alterTable), ...keys.changes, ...indexes.changes, ...emails.changes],
  };
}

/** One ALTER TABLE a table, so that PostgreSQL rewrites it once. */
function alterTable(table: FoundTable): Change[] {
  const actions = [
    ...missingColumns(table).map((shape) => `ADD COLUMN ${quote(shape.name)} ${typeNames[shape.kind]}`),
    ...table.columns.flatMap((column) => changeType(table.name, column)),
    ...nullableWhereRequired(table).map((name) => `ALTER COLUMN ${quote(name)} SET NOT NULL`),
    ...table.columns
      .filter((column) => isForsakenColumn(table.name, column))
      .map(({ name }) => `ALTER COLUMN ${quote(name)} DROP NOT NULL`),
    ...Object.entries(defaults)
      .filter(([name]) => tableShapes[table.name].some((shape) => shape.name === name))
      .map(([name, value]) => `ALTER COLUMN ${name} SET DEFAULT ${value}`),
  ];
  return [{ text: `ALTER TABLE ${quote(table.name)} ${actions.join(", ")}` }];
}

const defaults = { email_verified: "false", created_at: "now()", updated_at: "now()" } as const;

function changeType(table: TableName, { name, type }: FoundTable["columns"][number]): string[] {
  const column = quote(name);
  const shape = tableShapes[table].find((candidate) => candidate.name === name);
  if (shape === undefined || type === typeNames[shape.kind]) return [];
  if (shape.kind === "text") return [`ALTER COLUMN ${column} TYPE text`];
  // Drizzle and BetterAuth write UTC into naive columns, whatever the server's and the session's zone.
  return [`ALTER COLUMN ${column} TYPE timestamp with time zone USING ${column} AT TIME ZONE 'UTC'`];
}

function planForeignKeys(keys: readonly ForeignKey[]): Plan {
  const problems = keys
    .filter((key) => key.target !== null)
    .map((key) => `${key.table}.user_id refers to ${key.target}, not to user.id`);
  const changes = ownedTables.flatMap((table) => {
    const own = keys.filter((key) => key.table === table);
    const unfit = own.filter((key) => !key.fits);
    const name = quote(`${table}_user_id_user_id_fk`);
    return [
      ...unfit.map((key) => ({ text: `ALTER TABLE ${quote(table)} DROP CONSTRAINT ${quote(key.name)}` })),
      ...(own.length > unfit.length
        ? []
        : [
            {
              text:
                `ALTER TABLE ${quote(table)} ADD CONSTRAINT ${name} ` +
                `FOREIGN KEY ("user_id") REFERENCES "user"("id") ON DELETE cascade`,
            },
          ]),
    ];
  });
  return { problems, changes };
}
