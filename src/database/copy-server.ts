import { CommandError } from "../errors.ts";
import { tableNames } from "./adopt/shape.ts";
import { journal } from "./apply-migrations.ts";
import type { Database, Transaction } from "./database.ts";

/** Of each statement: rows of millions of sessions are counted. */
const statementTimeoutMs = 15 * 60_000;

/** Rows of the four tables, and of locked users. */
export interface ServerContent {
  readonly users: number;
  readonly accounts: number;
  readonly sessions: number;
  readonly verifications: number;
  readonly locks: number;
}

/** By which a session lives. */
export interface LifeRules {
  readonly maxAgeSeconds: number;
  /** In ms since the epoch. */
  readonly now: number;
}

/** A server's database as it is at one moment. */
export interface ServerMoment {
  /** For `pg_dump --snapshot`. */
  readonly snapshot: string;
  readonly content: ServerContent;
  /** Schemas, tables, types and the like, but for what extensions made, as `DROP` names them. */
  readonly objects: readonly string[];
  /** The token of a session that lives in it; null where none does. */
  readonly token: string | null;
}

/** Runs `work` on one moment of a database, which others go on to write to. @throws CommandError where it is not latchkey's. */
export async function atOneMoment<T>(
  database: Database,
  lifetime: LifeRules,
  work: (moment: ServerMoment) => Promise<T>,
): Promise<T> {
  const transaction = await database.begin(statementTimeoutMs);
  try {
    await transaction.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const own = await transaction.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    );
    const names = own.map((row) => String(row["tablename"]));
    const missing = [...tableNames, journal].find((name) => !names.includes(name));
    if (missing !== undefined)
      throw new CommandError(
        `this is no database of latchkey's: it has no table ${missing}`,
        "latchkey doctor",
      );
    const [exported] = await transaction.query("SELECT pg_export_snapshot() AS snapshot");
    return await work({
      snapshot: String(exported?.["snapshot"]),
      content: await countRows(transaction),
      objects: await objectsIn(transaction),
      token: await livingIn(transaction, lifetime),
    });
  } finally {
    await transaction.rollback();
  }
}

/** The server's major version, such as 18. */
export async function serverVersion(database: Database): Promise<number> {
  const [row] = await database.read("SELECT current_setting('server_version_num') AS version", []);
  return Math.floor(Number(row?.["version"]) / 10_000);
}

/** Whether a database has nothing that somebody made. */
export async function isEmptyServer(database: Database): Promise<boolean> {
  return (await reading(database, objectsIn)).length === 0;
}

/** Counts what is in a database. */
export async function contentOf(database: Database): Promise<ServerContent> {
  return await reading(database, countRows);
}

/** The token of a session that lives in a database; null where none does. */
export async function livingToken(database: Database, lifetime: LifeRules): Promise<string | null> {
  return await reading(database, (transaction) => livingIn(transaction, lifetime));
}

async function livingIn({ query }: Transaction, { maxAgeSeconds, now }: LifeRules): Promise<string | null> {
  const instant = (parameter: string) => `to_timestamp(${parameter}::float8 / 1000)`;
  const [row] = await query(
    'SELECT s.token FROM session s JOIN "user" u ON u.id = s.user_id ' +
      `WHERE s.expires_at > ${instant("$1")} AND s.expires_at < 'infinity' ` +
      `AND s.created_at > ${instant("$2")} AND s.created_at <= ${instant("$1")} ORDER BY s.expires_at DESC LIMIT 1`,
    [now, now - maxAgeSeconds * 1_000],
  );
  return row === undefined ? null : String(row["token"]);
}

/** Removes what a copy has from the database in which it was tried, and nobody else's. */
export async function removeObjects(database: Database, objects: readonly string[]): Promise<void> {
  const transaction = await database.begin(statementTimeoutMs);
  try {
    for (const object of objects) {
      const [, kind = "", name = ""] = /^([A-Z ]+?) (?=["a-z_])(.*)$/s.exec(object) ?? [];
      // It may have gone with another.
      await transaction.query(`DROP ${kind} IF EXISTS ${name} CASCADE`);
    }
    await transaction.commit();
  } finally {
    await transaction.rollback();
  }
}

async function reading<T>(database: Database, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const transaction = await database.begin(statementTimeoutMs);
  try {
    return await work(transaction);
  } finally {
    await transaction.rollback();
  }
}

async function objectsIn({ query }: Transaction): Promise<readonly string[]> {
  const rows = await query(
    `WITH own AS (SELECT oid, nspname FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'),
      found AS (
        SELECT oid, 'SCHEMA ' || quote_ident(nspname) AS name FROM own
          WHERE nspname <> 'public' AND nspname <> current_schema()
        UNION ALL SELECT c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' WHEN 'v' THEN 'VIEW '
            WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE ' WHEN 'c' THEN 'TYPE ' ELSE 'TABLE ' END
            || format('%I.%I', nspname, relname)
          FROM pg_class c JOIN own ON own.oid = relnamespace WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f', 'c')
        UNION ALL SELECT t.oid, CASE typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || format('%I.%I', nspname, typname)
          FROM pg_type t JOIN own ON own.oid = typnamespace WHERE typtype IN ('d', 'e', 'r')
        UNION ALL SELECT p.oid, 'ROUTINE ' || format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid))
          FROM pg_proc p JOIN own ON own.oid = pronamespace
          WHERE NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'i'))
      SELECT name FROM found WHERE NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = found.oid AND deptype = 'e')
      ORDER BY name LIKE 'TABLE %' DESC, name`,
  );
  return rows.map((row) => String(row["name"]));
}

async function countRows({ query }: Transaction): Promise<ServerContent> {
  const count = async (table: string) => {
    const [row] = await query(`SELECT count(*)::float8 AS rows FROM "${table}"`);
    return Number(row?.["rows"]);
  };
  const [lockTable] = await query("SELECT to_regclass('latchkey_lock')::text AS name");
  return {
    users: await count("user"),
    accounts: await count("account"),
    sessions: await count("session"),
    verifications: await count("verification"),
    // It came later than the four.
    locks: lockTable?.["name"] === null ? 0 : await count("latchkey_lock"),
  };
}
