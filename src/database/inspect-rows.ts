import type { MigrationConnection } from "./apply-migrations.ts";

/** Rows and keys that latchkey itself would not have left so. */
export interface RowInspection {
  /** Sessions and accounts of users who are not there. */
  readonly orphans: number;
  /** Tables whose `user_id` refers to nothing, so that a deleted user's rows stay. */
  readonly unbound: readonly string[];
}

const owned = ["session", "account"] as const;

/** Reads the four tables whole; changes nothing. */
export async function inspectRows({ provider, query }: MigrationConnection): Promise<RowInspection> {
  let orphans = 0;
  const unbound: string[] = [];
  for (const table of owned) {
    const [row] = await query(
      `SELECT count(*) AS n FROM ${table} t LEFT JOIN "user" u ON u.id = t.user_id WHERE u.id IS NULL`,
    );
    orphans += Number(row?.["n"] ?? 0);
    const keys = await query(
      provider === "sqlite"
        ? `SELECT 1 AS one FROM pragma_foreign_key_list('${table}') WHERE "from" = 'user_id'`
        : `SELECT 1 AS one FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass('${table}')`,
    );
    if (keys.length === 0) unbound.push(table);
  }
  return { orphans, unbound };
}
