import { CommandError } from "../errors.ts";
import { adoptTables } from "./adopt/adopt.ts";
import type { Database, Transaction } from "./database.ts";
import { inspectRows, type RowInspection } from "./inspect-rows.ts";
import { explained } from "./server-failure.ts";
import { applyMigrations, type SchemaStatus, schemaStatus } from "./apply-migrations.ts";

/** The key of the advisory lock under which one process migrates at a time. */
const migrationLock = 7_263_451;
const lockWaitMs = 60_000;
/** A statement that rewrites a table of millions of rows takes minutes. */
const statementTimeoutMs = 15 * 60_000;

/** Applies what is missing, under a lock that other starting instances wait for. @returns the tags applied now. */
export async function migrateServer(database: Database): Promise<readonly string[]> {
  return await explained(async () => {
    const transaction = await database.begin(statementTimeoutMs);
    try {
      await takeMigrationLock(transaction);
      const applied = await applyMigrations({ provider: "pg", query: transaction.query }, adoptTables);
      await transaction.commit();
      return applied;
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
  });
}

/** Takes the transaction's own lock: one of the session would be lost behind a pooler. */
async function takeMigrationLock({ query }: Transaction): Promise<void> {
  const deadline = performance.now() + lockWaitMs;
  // Asked for again and again: a statement that waits for a lock runs into `lock_timeout`.
  for (;;) {
    const rows = await query(`SELECT pg_try_advisory_xact_lock(${migrationLock}) AS taken`);
    if (rows[0]?.["taken"] === true) return;
    if (performance.now() >= deadline) {
      throw new CommandError(
        "another instance has been migrating the database for a minute",
        "wait until it has finished, and start again",
      );
    }
    await Bun.sleep(20 + Math.random() * 80);
  }
}

/** Reads what rows and keys of a server's database look like, changing nothing. */
export async function inspectServerRows(database: Database): Promise<RowInspection> {
  const transaction = await database.begin();
  try {
    return await inspectRows({ provider: "pg", query: transaction.query });
  } finally {
    await transaction.rollback();
  }
}

/** Reads what a server's database has and lacks, changing nothing. */
export async function readSchemaStatus(database: Database): Promise<SchemaStatus> {
  return await explained(async () => {
    const transaction = await database.begin();
    try {
      return await schemaStatus({ provider: "pg", query: transaction.query });
    } finally {
      await transaction.rollback();
    }
  });
}
