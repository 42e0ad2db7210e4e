import { AsyncLocalStorage } from "node:async_hooks";
import type { Database, Transaction } from "../database/database.ts";

/** What one request does to the store: at most one transaction, begun by its first write. */
export interface Unit {
  transaction: Promise<Transaction> | undefined;
  /** The first failure of the store; BetterAuth turns these into 401, 422, 500 and even 200. */
  failure: unknown;
  /** Set when nobody waits for the answer any more: what was written must not be kept. */
  abandoned: boolean;
  /** What was seen on the way, for the event that the log gets. */
  readonly seen: { userId?: string; sessionId?: string; reason?: string; internalError?: unknown };
  /** A password that verified against an outdated hash, to be hashed anew once the answer is certain. */
  rehash: { readonly stored: string; readonly password: string } | undefined;
}

export interface Units {
  current(): Unit | undefined;
  /** The connection of the current unit, begun now if it was not; undefined outside a unit. */
  write(): Promise<Transaction> | undefined;
  /**
   * Runs `work` as one unit: commits when `keep` says so, else rolls back.
   * @throws what the work or the commit throws, with everything rolled back.
   */
  run<T>(unit: Unit, work: () => Promise<T>, keep: (result: T) => boolean): Promise<T>;
}

export function newUnit(): Unit {
  return { transaction: undefined, failure: undefined, abandoned: false, seen: {}, rehash: undefined };
}

/**
 * Transactions that begin at the first write, on every database. Sign-up finds, hashes and then writes, so no hash is
 * made while the lock or a connection is held; reads before the first write see what is committed.
 * @param onCommit hears of every commit.
 */
export function createUnits(database: Database, onCommit: () => void): Units {
  const storage = new AsyncLocalStorage<Unit>();
  return {
    current: () => storage.getStore(),
    write() {
      const unit = storage.getStore();
      if (unit === undefined) return undefined;
      unit.transaction ??= database.begin();
      return unit.transaction;
    },
    run: (unit, work, keep) =>
      storage.run(unit, async () => {
        let kept = false;
        try {
          const result = await work();
          const transaction = await unit.transaction;
          if (transaction !== undefined && keep(result) && !unit.abandoned) {
            kept = true;
            await transaction.commit();
            onCommit();
          }
          return result;
        } finally {
          if (!kept) await rollBack(unit);
        }
      }),
  };
}

async function rollBack(unit: Unit): Promise<void> {
  const transaction = await unit.transaction?.catch(() => undefined);
  await transaction?.rollback();
}
