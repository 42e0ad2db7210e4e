import type { DatabaseConfig } from "../config/config.ts";
import type { Database, Parameter, Row } from "./database.ts";
import { readSqlite } from "./inspect-sqlite.ts";
import { type User, userColumns, userOf } from "./users.ts";

/** A user with the hash of the password; null where there is none. */
export interface ExportedUser extends User {
  readonly password: string | null;
}

const pageSize = 1_000;

/**
 * Reads everybody as they are at one moment, a page at a time, in the order of ids. No writer waits for it.
 * @param take gets each page, and is waited for.
 */
export async function readUsers(
  config: DatabaseConfig,
  database: Database,
  take: (users: readonly ExportedUser[]) => Promise<void>,
): Promise<void> {
  if (config.driver === "sqlite")
    await readSqlite(config.path, async (db) => {
      // Its first statement takes the snapshot.
      db.run("BEGIN");
      const statement = db.query<Row, Parameter[]>(pageText("sqlite"));
      await pages(async (after) => statement.all(after, pageSize), take);
      db.run("ROLLBACK");
    });
  else {
    const transaction = await database.begin();
    try {
      await transaction.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      await pages((after) => transaction.query(pageText("pg"), [after, pageSize]), take);
    } finally {
      await transaction.rollback();
    }
  }
}

async function pages(
  read: (after: string) => Promise<Row[]>,
  take: (users: readonly ExportedUser[]) => Promise<void>,
): Promise<void> {
  let after = "";
  for (;;) {
    const rows = await read(after);
    if (rows.length > 0) await take(rows.map(exportedOf));
    if (rows.length < pageSize) return;
    after = String(rows.at(-1)?.["id"]);
  }
}

function pageText(provider: Database["provider"]): string {
  const [first, second] = provider === "pg" ? ["$1", "$2::int"] : ["?1", "?2"];
  return (
    `SELECT ${userColumns(provider)}, (SELECT a.password FROM account a WHERE a.user_id = u.id AND ` +
    `a.provider_id = 'credential' LIMIT 1) AS password FROM "user" u WHERE u.id > ${first} ORDER BY u.id LIMIT ${second}`
  );
}

function exportedOf(row: Row): ExportedUser {
  const { password } = row;
  return { ...userOf(row), password: typeof password === "string" ? password : null };
}
