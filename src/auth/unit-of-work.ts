import { AsyncLocalStorage } from "node:async_hooks";
import type { Database, Transaction } from "../database/database.ts";
import { letOthersRun } from "../let-others-run.ts";
import type { AuthRouteName } from "../routes.ts";
import { type Premises, requirePremises } from "../database/premises.ts";

/** What one request does to the store: at most one transaction, begun by its first write. */
export interface Unit {
  /** Which route it is of; undefined for work of latchkey's own. */
  route: AuthRouteName | undefined;
  transaction: Promise<Transaction> | undefined;
  /** The first failure of the store; BetterAuth turns these into 401, 422, 500 and even 200. */
  failure: unknown;
  /** Set when nobody waits for the answer any more: what was written must not be kept. */
  abandoned: boolean;
  /** When it entered the line of those that hash a password, in `performance.now()` ms; 0 for one that hashes none. */
  enteredAt: number;
  /** How long it stood there, in ms; undefined while it does. */
  waitedMs: number | undefined;
  /** What was seen on the way, for the event that the log gets. */
  seen: { userId?: string; sessionId?: string; reason?: string; internalError?: unknown };
  /** A password that verified against an outdated hash, to be hashed anew once the answer is certain. */
  rehash: { readonly stored: string; readonly password: string } | undefined;
  /** What has to hold still when its transaction begins. */
  premises: Premises;
  /** Sessions that it ended. */
  ended: number;
  /** Live sessions of the user that it ended because there were too many. */
  capped: number;
  /** How many live sessions there are beside those that it listed, those included. */
  total: number | undefined;
  /** Whether the session that asks was made for one day. */
  isForOneDay: boolean;
  /** Whether a sign-in comes from a browser that its user never used here, and is to be told of. */
  isNewDevice: boolean;
  /** Whether nobody is to be mailed of what it does: there were many mails of late. */
  isQuiet: boolean;
  /** Mails that it put into the outbox. */
  mails: number;
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
  return { abandoned: false, enteredAt: 0, waitedMs: undefined, ...emptyUnit() };
}

/** Forgets what a unit did, to do it again; whoever waits for it is the same. */
export function renewUnit(unit: Unit): void {
  Object.assign(unit, emptyUnit());
}

function emptyUnit() {
  return {
    route: undefined,
    transaction: undefined,
    failure: undefined,
    seen: {},
    rehash: undefined,
    premises: {},
    ended: 0,
    capped: 0,
    total: undefined,
    isForOneDay: false,
    isNewDevice: false,
    isQuiet: false,
    mails: 0,
  };
}

/**
 * Transactions that begin at the first write, on every database. Sign-up finds, hashes and then writes, so no hash is
 * made while the lock or a connection is held; reads before the first write see what is committed.
 * @param onCommit hears of every commit, with what it kept.
 */
export function createUnits(database: Database, onCommit: (unit: Unit) => void): Units {
  const storage = new AsyncLocalStorage<Unit>();
  return {
    current: () => storage.getStore(),
    write() {
      const unit = storage.getStore();
      if (unit === undefined) return undefined;
      unit.transaction ??= beginUnit(database, unit);
      return unit.transaction;
    },
    run: (unit, work, keep) =>
      storage.run(unit, async () => {
        let kept = false;
        try {
          const result = await work();
          const transaction = await unit.transaction;
          if (transaction !== undefined) await letOthersRun();
          if (transaction !== undefined && keep(result) && !unit.abandoned) {
            kept = true;
            await transaction.commit();
            onCommit(unit);
            await letOthersRun();
          }
          return result;
        } finally {
          if (!kept) await rollBack(unit);
        }
      }),
  };
}

async function beginUnit(database: Database, { premises }: Unit): Promise<Transaction> {
  const transaction = await database.begin();
  try {
    await requirePremises(transaction, database.provider, premises);
    return transaction;
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

async function rollBack(unit: Unit): Promise<void> {
  const transaction = await unit.transaction?.catch(() => undefined);
  await transaction?.rollback();
}
