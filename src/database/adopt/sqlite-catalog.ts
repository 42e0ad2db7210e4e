import { type FoundColumn, type FoundIndex, type FoundTable, quote, tableNames } from "./shape.ts";
import type { Row } from "../database.ts";
import type { MigrationConnection } from "../apply-migrations.ts";

export interface SqliteColumn extends FoundColumn {
  /** The default as an SQL expression, or null. */
  readonly defaultValue: string | null;
}

interface SqliteForeignKey {
  /** The columns that refer, as a rule one. */
  readonly columns: readonly string[];
  readonly refersToUserId: boolean;
  /** `table.column`, or `table` where it is that table's primary key. */
  readonly target: string;
  readonly cascades: boolean;
  /** `REFERENCES …` as SQL. */
  readonly clause: string;
}

export interface SqliteTable extends FoundTable {
  readonly columns: readonly SqliteColumn[];
  readonly foreignKeys: readonly SqliteForeignKey[];
  /** The CREATE TABLE statement as it was given. */
  readonly definition: string;
  /** The CREATE INDEX statements, without the indexes that constraints make. */
  readonly indexDefinitions: readonly string[];
}

export type Affinity = "integer" | "text" | "blob" | "real" | "numeric";

/** The affinity of a column declared as `type`. https://sqlite.org/datatype3.html#determination_of_column_affinity */
export function affinityOf(type: string): Affinity {
  if (/INT/i.test(type)) return "integer";
  if (/CHAR|CLOB|TEXT/i.test(type)) return "text";
  if (/BLOB/i.test(type) || type === "") return "blob";
  return /REAL|FLOA|DOUB/i.test(type) ? "real" : "numeric";
}

export async function readTables({ query }: MigrationConnection): Promise<SqliteTable[]> {
  const tables: SqliteTable[] = [];
  for (const name of tableNames) {
    const objects = await query(
      "SELECT type, sql FROM sqlite_master WHERE lower(tbl_name) = ? ORDER BY name",
      [name],
    );
    const sqlOf = (type: string) => objects.filter((row) => row["type"] === type && row["sql"] !== null);
    tables.push({
      name,
      columns: (await query("SELECT * FROM pragma_table_xinfo(?) ORDER BY cid", [name])).map(columnOf),
      foreignKeys: foreignKeysOf(
        await query("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq", [name]),
      ),
      definition: String(sqlOf("table")[0]?.["sql"]),
      indexDefinitions: sqlOf("index").map((row) => String(row["sql"])),
    });
  }
  return tables;
}

function columnOf(row: Row): SqliteColumn {
  return {
    name: String(row["name"]),
    type: String(row["type"]),
    required: row["notnull"] === 1,
    hasDefault: row["dflt_value"] !== null,
    defaultValue: row["dflt_value"] === null ? null : String(row["dflt_value"]),
    // 2 and 3: virtual and stored.
    generated: Number(row["hidden"]) > 1,
    inPrimaryKey: Number(row["pk"]) > 0,
  };
}

function foreignKeysOf(rows: readonly Row[]): SqliteForeignKey[] {
  return [...Map.groupBy(rows, (row) => row["id"]).values()].map((parts) => {
    const [row = {}] = parts;
    const [table, column] = [String(row["table"]), row["to"] === null ? null : String(row["to"])];
    return {
      columns: parts.map((part) => String(part["from"])),
      refersToUserId: table.toLowerCase() === "user" && (column === null || column.toLowerCase() === "id"),
      target: column === null ? table : `${table}.${column}`,
      cascades: row["on_delete"] === "CASCADE",
      clause:
        `REFERENCES ${quote(table)}${column === null ? "" : ` (${quote(column)})`} ` +
        `ON UPDATE ${String(row["on_update"])} ON DELETE ${String(row["on_delete"])}`,
    };
  });
}

/** Reads every index of the database: names are unique in it. */
export async function readIndexes({ query }: MigrationConnection): Promise<FoundIndex[]> {
  const rows = await query(`
    SELECT l.name, lower(t.name) AS table_name, l."unique" AS is_unique, l.partial, l.origin, c.name AS column
    FROM sqlite_master t JOIN pragma_index_list(t.name) l JOIN pragma_index_info(l.name) c
    WHERE t.type = 'table' ORDER BY l.name, c.seqno`);
  return [...Map.groupBy(rows, (row) => row["name"]).values()].map((parts) => {
    const [row = {}] = parts;
    return {
      name: String(row["name"]),
      table: String(row["table_name"]),
      columns: parts.map((part) => String(part["column"] ?? "")),
      unique: row["is_unique"] === 1,
      plain: row["partial"] === 0 && parts.every((part) => part["column"] !== null),
      constraint: row["origin"] !== "c",
    };
  });
}
