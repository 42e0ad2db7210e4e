import {
  type FoundColumn,
  type FoundIndex,
  type FoundTable,
  indexShapes,
  ownedTables,
  tableNames,
} from "./shape.ts";
import type { MigrationConnection } from "../apply-migrations.ts";

/** A foreign key on `user_id` alone. */
export interface ForeignKey {
  readonly table: string;
  readonly name: string;
  /** Cascades on delete and is checked. */
  readonly fits: boolean;
  /** The table and column referred to, where that is not `user.id`; else null. */
  readonly target: string | null;
}

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(", ");

/** Reads the columns of the four tables of `current_schema()`. */
export async function readTables({ query }: MigrationConnection): Promise<FoundTable[]> {
  const rows = await query(`
    SELECT c.relname AS table_name, a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS required,
      a.atthasdef OR a.attidentity <> '' AS has_default, a.attgenerated <> '' AS generated,
      EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS key
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relname IN (${list(tableNames)}) ORDER BY a.attnum`);
  return tableNames.map((name) => ({
    name,
    columns: rows
      .filter((row) => row["table_name"] === name)
      .map(
        (row): FoundColumn => ({
          name: String(row["name"]),
          type: String(row["type"]),
          required: row["required"] === true,
          hasDefault: row["has_default"] === true,
          generated: row["generated"] === true,
          inPrimaryKey: row["key"] === true,
        }),
      ),
  }));
}

/** Reads the indexes of the four tables, and any that bears a name latchkey needs: names are unique in a schema. */
export async function readIndexes({ query }: MigrationConnection): Promise<FoundIndex[]> {
  const rows = await query(`
    SELECT c.relname AS name, t.relname AS table_name, i.indisunique AS is_unique,
      i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid AND i.indimmediate AND m.amname = 'btree' AS plain,
      EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = t.oid) AS is_constraint,
      (SELECT string_agg(a.attname, ',' ORDER BY key.position)
        FROM unnest(i.indkey) WITH ORDINALITY AS key (number, position)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = key.number
        WHERE key.position <= i.indnkeyatts) AS columns
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    JOIN pg_am m ON m.oid = c.relam
    JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relname IN (${list(tableNames)}) OR c.relname IN (${list(indexShapes.map(({ name }) => name))})
    ORDER BY c.relname`);
  return rows.map((row) => ({
    name: String(row["name"]),
    table: String(row["table_name"]),
    columns: String(row["columns"] ?? "").split(","),
    unique: row["is_unique"] === true,
    plain: row["plain"] === true,
    constraint: row["is_constraint"] === true,
  }));
}

/** Reads the foreign keys of the tables that users own. */
export async function readForeignKeys({ query }: MigrationConnection): Promise<ForeignKey[]> {
  const rows = await query(`
    SELECT t.relname AS table_name, k.conname AS name, k.confdeltype = 'c' AND k.convalidated AS fits,
      CASE WHEN r.relname <> 'user' OR r.relnamespace <> n.oid OR ra.attname <> 'id'
        THEN k.confrelid::regclass || '.' || ra.attname END AS target
    FROM pg_constraint k
    JOIN pg_class t ON t.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[1]
    JOIN pg_class r ON r.oid = k.confrelid
    JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND a.attname = 'user_id'
      AND t.relname IN (${list(ownedTables)}) ORDER BY k.conname`);
  return rows.map((row) => ({
    table: String(row["table_name"]),
    name: String(row["name"]),
    fits: row["fits"] === true,
    target: row["target"] === null ? null : String(row["target"]),
  }));
}
