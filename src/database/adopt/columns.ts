import {
  type ColumnShape,
  extraColumns,
  type FoundColumn,
  type FoundTable,
  isForsakenColumn,
  missingColumns,
  tableShapes,
} from "./shape.ts";

/** How a dialect judges a column's type; `name` is what to call the right one. */
interface TypeRule {
  readonly name: string;
  readonly accepts: (type: string) => boolean;
}
export type TypeRules = Readonly<Record<ColumnShape["kind"], TypeRule>>;

/** What makes the tables' columns impossible to take over, all of it. */
export function columnProblems(tables: readonly FoundTable[], rules: TypeRules): string[] {
  return tables.flatMap((table) => [
    ...missingColumns(table)
      .filter((shape) => shape.required)
      .map((shape) => `${table.name}.${shape.name} is missing`),
    ...knownColumnProblems(table, rules),
    ...extraColumnProblems(table),
    ...primaryKeyProblems(table),
  ]);
}

function knownColumnProblems(table: FoundTable, rules: TypeRules): string[] {
  return tableShapes[table.name].flatMap((shape) => {
    const column = table.columns.find(({ name }) => name === shape.name);
    if (column === undefined) return [];
    const rule = rules[shape.kind];
    const name = `${table.name}.${shape.name}`;
    if (column.generated) return [`${name} is a generated column, which latchkey cannot write`];
    if (rule.accepts(column.type)) return [];
    return [`${name} is of type ${column.type.toLowerCase() || "none"}, where latchkey needs ${rule.name}`];
  });
}

function extraColumnProblems(table: FoundTable): string[] {
  const blocksInserts = (column: FoundColumn) =>
    column.required && !column.hasDefault && !column.generated && !isForsakenColumn(table.name, column);
  return extraColumns(table)
    .filter(blocksInserts)
    .map(({ name }) => `${table.name}.${name} is NOT NULL without a default, and latchkey never writes it`);
}

function primaryKeyProblems(table: FoundTable): string[] {
  const key = table.columns.filter((column) => column.inPrimaryKey).map(({ name }) => name);
  const missesId = !table.columns.some(({ name }) => name === "id");
  if (missesId || (key.length === 1 && key[0] === "id")) return [];
  return [`the primary key of ${table.name} is ${key.length === 0 ? "missing" : key.join(", ")}, not id`];
}
