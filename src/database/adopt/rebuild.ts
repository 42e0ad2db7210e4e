import { nullableWhereRequired } from "./rows.ts";
import {
  type Change,
  extraColumns,
  type FoundIndex,
  indexShapes,
  isForsakenColumn,
  ownedTables,
  quote,
  tableShapes,
} from "./shape.ts";
import { affinityOf, type SqliteColumn, type SqliteTable } from "./sqlite-catalog.ts";
import { asMilliseconds } from "./instants.ts";
import type { MigrationConnection } from "../apply-migrations.ts";
import { migrations } from "../migrations.ts";

/** The new table's name until it takes the old one's place. */
const interim = "latchkey_adopted";

/** Says why a table has to be made anew, which is how SQLite changes types, constraints and keys; null when it need not. */
export async function rebuildReason(
  connection: MigrationConnection,
  table: SqliteTable,
): Promise<string | null> {
  const nullable = nullableWhereRequired(table)[0];
  if (nullable !== undefined) return `${nullable} must be NOT NULL`;
  const forsaken = table.columns.find((column) => isForsakenColumn(table.name, column));
  if (forsaken !== undefined) return `${forsaken.name} must not be NOT NULL`;
  const keys = table.foreignKeys.filter((key) => key.columns.includes("user_id"));
  if (ownedTables.includes(table.name) && !(keys.length > 0 && keys.every((key) => key.cascades))) {
    return "user_id must refer to user.id with ON DELETE CASCADE";
  }
  for (const { name, kind } of tableShapes[table.name]) {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (kind !== "instant" || column === undefined) continue;
    if (!(await holdsMilliseconds(connection, table, column))) return `${name} must hold milliseconds`;
  }
  return null;
}

async function holdsMilliseconds(
  { query }: MigrationConnection,
  table: SqliteTable,
  { name, type, defaultValue }: SqliteColumn,
): Promise<boolean> {
  // A text column would turn integers back into text.
  if (!["integer", "numeric"].includes(affinityOf(type))) return false;
  const isOther = (value: string) => `${value} IS NOT NULL AND ${value} IS NOT ${asMilliseconds(value)}`;
  const column = quote(name);
  const others = await query(
    `SELECT 1 FROM ${quote(table.name)} WHERE (typeof(${column}) <> 'integer' AND ${column} IS NOT NULL) OR (${isOther(column)}) LIMIT 1`,
  );
  if (others.length > 0 || defaultValue === null) return others.length === 0;
  const unfit = `typeof(value) <> 'integer' OR (${isOther("value")})`;
  return (await query(`SELECT 1 FROM (SELECT (${defaultValue}) AS value) WHERE ${unfit}`)).length === 0;
}

const constraintWords = /\b(CHECK|COLLATE|DEFERRABLE|STRICT|WITHOUT\s+ROWID|ON\s+CONFLICT)\b/i;
const quotedOrComment = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** What a table has that its rebuilding would not carry over: then the operator has to decide. */
export async function rebuildObstacles(
  { query }: MigrationConnection,
  table: SqliteTable,
  indexes: readonly FoundIndex[],
): Promise<string[]> {
  const word = constraintWords.exec(table.definition.replaceAll(quotedOrComment, "''"))?.[1]?.toUpperCase();
  const generated = extraColumns(table).filter((column) => column.generated);
  const composite = table.foreignKeys.filter((key) => key.columns.length > 1);
  const own = indexShapes.map((shape) => `${shape.table}(${shape.columns.join()})`);
  const unique = indexes
    .filter((index) => index.constraint && index.table === table.name)
    .map((index) => `${index.table}(${index.columns.join()})`)
    .filter((name) => name !== `${table.name}(id)` && !own.includes(name));
  const dependents = await query(
    "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') AND instr(lower(sql), ?) > 0 ORDER BY name",
    [table.name],
  );
  return [
    ...(word === undefined ? [] : [`a ${word} clause`]),
    ...generated.map(({ name }) => `the generated column ${name}`),
    ...composite.map(({ target }) => `a foreign key of several columns to ${target}`),
    ...unique.map((name) => `a UNIQUE constraint ${name}`),
    ...dependents.map((row) => `the ${String(row["type"])} ${String(row["name"])}`),
  ];
}

/**
 * Makes a table anew as 0000_init does, with its further columns, rows and indexes, in the order that SQLite prescribes
 * (https://sqlite.org/lang_altertable.html#otheralter). Foreign keys must not be enforced, or dropping the old table
 * would delete what refers to it.
 */
export function rebuildTable(table: SqliteTable): Change[] {
  const extra = extraColumns(table);
  const known = tableShapes[table.name].filter(({ name }) =>
    table.columns.some((column) => column.name === name),
  );
  const names = [...known, ...extra].map(({ name }) => quote(name)).join(", ");
  const values = [
    ...known.map(({ name, kind }) => (kind === "instant" ? asMilliseconds(quote(name)) : quote(name))),
    ...extra.map(({ name }) => quote(name)),
  ].join(", ");
  const texts = [
    createStatement(table).replace(`CREATE TABLE \`${table.name}\``, `CREATE TABLE \`${interim}\``),
    ...extra.map((column) => `ALTER TABLE ${interim} ADD COLUMN ${columnDefinition(table, column)}`),
    `INSERT INTO ${interim} (${names}) SELECT ${values} FROM ${quote(table.name)} ORDER BY rowid`,
    `DROP TABLE ${quote(table.name)}`,
    `ALTER TABLE ${interim} RENAME TO ${quote(table.name)}`,
    ...table.indexDefinitions,
  ];
  return texts.map((text) => ({ text }));
}

function createStatement({ name }: SqliteTable): string {
  const start = `CREATE TABLE \`${name}\` (`;
  const statement = migrations.sqlite[0]?.statements.find((candidate) => candidate.startsWith(start));
  if (statement === undefined) throw new Error(`0000_init does not create ${name}`);
  return statement;
}

function columnDefinition(table: SqliteTable, column: SqliteColumn): string {
  const key = table.foreignKeys.find(({ columns }) => columns.length === 1 && columns[0] === column.name);
  return [
    quote(column.name),
    column.type,
    ...(column.required && !isForsakenColumn(table.name, column) ? ["NOT NULL"] : []),
    ...(column.defaultValue === null ? [] : [`DEFAULT (${column.defaultValue})`]),
    ...(key === undefined ? [] : [key.clause]),
  ].join(" ");
}
