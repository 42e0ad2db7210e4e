import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { inspectServer } from "../database/inspect-server.ts";
import { inspectSqlite, inspectSqliteRows, inspectSqliteSchema } from "../database/inspect-sqlite.ts";
import type { SchemaStatus } from "../database/apply-migrations.ts";
import type { RowInspection } from "../database/inspect-rows.ts";
import { openDatabase } from "../database/open.ts";
import { inspectServerRows, readSchemaStatus } from "../database/migrate-server.ts";
import { withDeadline } from "../deadline.ts";
import { type Check, failed, passed, warned } from "./check.ts";
import { explainServerFailure } from "../database/server-failure.ts";
import { CommandError, reasonOf } from "../errors.ts";

const mebibyte = 1024 * 1024;
const largeWalBytes = 256 * mebibyte;
const slowMs = 100;
/** A connection is given up after 4.8 s, a query after 4 s. */
const serverDeadlineMs = 10_000;

/** Checks that the configured database answers, how fast, what time it has, and its schema; changes nothing. */
export async function databaseChecks(config: Config, now: () => number): Promise<readonly Check[]> {
  return config.database.driver === "sqlite"
    ? await sqliteChecks(config.database.path, now)
    : await serverChecks(config, now);
}

async function sqliteChecks(path: string, now: () => number): Promise<readonly Check[]> {
  if (!existsSync(path)) return [absentFileCheck(path), schemaCheck(await inspectSqliteSchema(path))];
  try {
    const started = performance.now();
    const { version, journalMode, damage, now: databaseNow } = await inspectSqlite(path);
    const detail = `SQLite ${version} at ${path}, read whole in ${Math.ceil(performance.now() - started)} ms`;
    return [
      passed("database", detail),
      integrityCheck(path, damage),
      journalCheck(path, journalMode),
      clockCheck(databaseNow - now(), 0),
      ...(await schemaAndRows(
        () => inspectSqliteSchema(path),
        () => inspectSqliteRows(path),
      )),
    ];
  } catch (error) {
    const remedy = `restore ${path} from a backup, or run latchkey as the user that owns it`;
    return [failed("database", `${path} cannot be used: ${reasonOf(error)}`, remedy)];
  }
}

function absentFileCheck(path: string): Check {
  const remedy =
    "start the server, which makes it; of one that runs elsewhere name the environment by --unit, --env-file or --pid";
  return warned("database", `there is none yet at ${path}`, remedy);
}

function integrityCheck(path: string, damage: readonly string[]): Check {
  if (damage.length === 0) return passed("integrity", "quick_check finds nothing wrong");
  return failed("integrity", `${path} is damaged: ${damage.join("; ")}`, `restore ${path} from a backup`);
}

function journalCheck(path: string, mode: "wal" | "rollback"): Check {
  if (mode !== "wal") {
    const remedy = "start the server, which sets it";
    return warned("journal", "it is a rollback journal, not a write-ahead log", remedy);
  }
  const walBytes = existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0;
  const size = `${(walBytes / mebibyte).toFixed(1)} MiB`;
  if (walBytes <= largeWalBytes) return passed("journal", `write-ahead log of ${size}`);
  const remedy = "end what keeps a read transaction open on the file, such as a shell or a backup tool";
  return warned("journal", `the write-ahead log has grown to ${size}`, remedy);
}

async function serverChecks(config: Config, now: () => number): Promise<readonly Check[]> {
  const { driver } = config.database;
  const database = openDatabase(config.database);
  const inspect = async (): Promise<readonly Check[]> => {
    const { version, readOnly, connectMs, roundTripMs, clockSkewMs } = await inspectServer(database, now);
    const detail = `PostgreSQL ${version} by ${driver}, connected in ${Math.ceil(connectMs)} ms, ${roundTripMs.toFixed(1)} ms a round trip`;
    return [
      readOnly
        ? failed("database", `${detail}, but it is read-only`, "point DATABASE_URL at the primary server")
        : passed("database", detail),
      ...latencyChecks(roundTripMs),
      clockCheck(clockSkewMs, roundTripMs / 2),
      ...(await schemaAndRows(
        () => readSchemaStatus(database),
        () => inspectServerRows(database),
      )),
    ];
  };
  try {
    const late = () => new Error(`no answer within ${serverDeadlineMs} ms`);
    return await withDeadline(inspect(), serverDeadlineMs, late);
  } catch (error) {
    const { message, remedy } = explainServerFailure(error);
    return [failed("database", `the ${driver} server cannot be used: ${message}`, remedy)];
  } finally {
    await withDeadline(database.close(), 1_000, () => new Error("late")).catch(() => {});
  }
}

function latencyChecks(roundTripMs: number): readonly Check[] {
  if (roundTripMs <= slowMs) return [];
  const detail = `${Math.ceil(roundTripMs)} ms a round trip: each request that needs a session waits that long`;
  return [warned("latency", detail, "run latchkey in the database's region")];
}

/** Rows are looked at where the schema is one that can be read. */
async function schemaAndRows(
  readStatus: () => Promise<SchemaStatus>,
  readRows: () => Promise<RowInspection>,
): Promise<readonly Check[]> {
  const schema = await guardedSchemaCheck(readStatus);
  return schema.status === "ok" ? [schema, rowsCheck(await readRows())] : [schema];
}

function rowsCheck({ orphans, unbound }: RowInspection): Check {
  const name = "rows";
  const orphaned = `${orphans} sessions and accounts of users who are not there`;
  if (unbound.length > 0) {
    const without = `${unbound.join(" and ")} without a foreign key to user`;
    return failed(
      name,
      `${without}${orphans === 0 ? "" : `, and ${orphaned}`}: a deleted user's rows stay, and his sessions with them`,
      "restore a backup made by latchkey, or add FOREIGN KEY (user_id) REFERENCES user (id) ON DELETE CASCADE",
    );
  }
  if (orphans === 0) return passed(name, "every session and account has its user");
  return warned(
    name,
    `${orphaned}, as a deletion by hand without PRAGMA foreign_keys = ON leaves them`,
    'DELETE FROM session WHERE user_id NOT IN (SELECT id FROM "user"), and the same FROM account',
  );
}

async function guardedSchemaCheck(read: () => Promise<SchemaStatus>): Promise<Check> {
  try {
    return schemaCheck(await read());
  } catch (error) {
    const remedy = error instanceof CommandError ? error.remedy : undefined;
    return failed(
      "schema",
      reasonOf(error),
      remedy ?? "run the latchkey that made the schema, or restore a backup",
    );
  }
}

function schemaCheck({ applied, pending, unknown }: SchemaStatus): Check {
  if (pending.length > 0) {
    const detail = `pending: ${pending.join(", ")} (applied: ${applied.join(", ") || "none"})`;
    return warned("schema", detail, "latchkey migrate for the same server, or start it, which applies them");
  }
  if (unknown.length === 0) return passed("schema", `up to date: ${applied.join(", ")}`);
  const detail = `a newer latchkey applied ${unknown.join(", ")}, which this one can work with`;
  return warned("schema", detail, "run the newer latchkey");
}

/** Names the directory of a database file that is missing, which no start makes. */
export function databaseDirectoryCheck({ database, dataDir }: Config): readonly Check[] {
  if (database.driver !== "sqlite") return [];
  const directory = dirname(database.path);
  if (directory === dataDir || existsSync(directory)) return [];
  return [failed("database directory", `${directory} is missing`, `mkdir -m 700 -p ${directory}`)];
}

const noticeableMs = 1_000;
const harmfulMs = 30_000;

/**
 * Judges the database's clock against ours, which times sessions: where they differ, one is wrong.
 * @param skewMs the database's minus ours. @param uncertaintyMs by how much the measurement may be wrong.
 */
export function clockCheck(skewMs: number, uncertaintyMs: number): Check {
  const name = "clock";
  if (!Number.isFinite(skewMs)) {
    return failed(name, "the database does not say what time it has", "latchkey doctor, once it answers");
  }
  const leastMs = Math.max(0, Math.abs(skewMs) - uncertaintyMs);
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
  if (leastMs <= noticeableMs) return passed(name, `within ${noticeableMs / 1000} s of the database's`);
  const detail = `the database's is ${seconds} s ${skewMs > 0 ? "ahead" : "behind"}, so one of the two is wrong: sessions are timed by this machine's, and instances that disagree end them at different times`;
  const remedy = "synchronise both machines by NTP, e.g. timedatectl set-ntp true";
  return leastMs > harmfulMs ? failed(name, detail, remedy) : warned(name, detail, remedy);
}
