import { existsSync, readFileSync } from "node:fs";
import type { TestDatabase } from "../../support/databases.ts";

/** The bytes of a SQLite file. */
export function fileContent(path: string): unknown {
  const sha256 = (name: string) =>
    existsSync(name) ? new Bun.CryptoHasher("sha256").update(readFileSync(name)).digest("hex") : null;
  return { file: sha256(path), wal: sha256(`${path}-wal`) };
}

/** Structure, rows and where they are stored. */
export async function serverContent({ query }: TestDatabase): Promise<unknown> {
  const relations = await query(
    `SELECT n.nspname, c.relname, c.relkind, c.relfilenode::int8::text AS file FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
     ORDER BY 1, 2`,
  );
  const rows: Record<string, unknown> = {};
  for (const { nspname, relname, relkind } of relations) {
    if (relkind !== "r") continue;
    const name = `"${String(nspname)}"."${String(relname)}"`;
    rows[name] = await query(`SELECT t::text AS row FROM ${name} t ORDER BY 1`);
  }
  const constraints = await query(
    "SELECT conrelid::regclass::text AS owner, conname, pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conrelid <> 0 ORDER BY 1, 2",
  );
  return { relations, rows, constraints, columns: await serverColumns(query) };
}

const serverColumns = (query: TestDatabase["query"]) =>
  query(
    `SELECT c.relname AS owner, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       pg_get_expr(d.adbin, d.adrelid) AS default
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
     JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relname IN ('user', 'session', 'account', 'verification')
     ORDER BY 1, 2`,
  );

/** The four tables' columns, keys and indexes in no particular order of columns, to compare with a fresh database's. */
export async function structure({ dialect, query }: TestDatabase): Promise<unknown> {
  if (dialect === "sqlite") {
    const of = "FROM sqlite_master t JOIN";
    const ours =
      "WHERE t.type = 'table' AND t.name IN ('user', 'session', 'account', 'verification') ORDER BY 1, 2, 3";
    return {
      columns: await query(
        `SELECT t.name AS owner, c.name, lower(c.type) AS type, c."notnull" AS required, c.dflt_value, c.pk ${of} pragma_table_xinfo(t.name) c ${ours}`,
      ),
      keys: await query(
        `SELECT t.name AS owner, k."from", lower(k."table") AS target, k."to", k.on_delete, k.on_update ${of} pragma_foreign_key_list(t.name) k ${ours}`,
      ),
      indexes: await query(
        `SELECT t.name AS owner, l.name, c.seqno, c.name AS column, l."unique", l.partial ${of} pragma_index_list(t.name) l JOIN pragma_index_info(l.name) c ${ours}`,
      ),
    };
  }
  return {
    columns: await serverColumns(query),
    keys: await query(
      `SELECT c.relname AS owner, k.conname AS name, pg_get_constraintdef(k.oid) AS text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
       WHERE k.contype IN ('p', 'u', 'f') AND c.relname IN ('user', 'session', 'account', 'verification')
       AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2`,
    ),
    indexes: await query(
      "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename IN ('user', 'session', 'account', 'verification') ORDER BY 1, 2",
    ),
  };
}
