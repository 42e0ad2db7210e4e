import { PremiseLost } from "../database/premises.ts";
import type { Database } from "../database/database.ts";
import type { SessionStore } from "../database/sessions/store.ts";
import { isUniqueViolation } from "../database/store-error.ts";
import type { Counts } from "./counts.ts";
import type { databaseOperations } from "./metrics.ts";

type Operation = (typeof databaseOperations)[number];

/** Counts how long a database is waited for, and what it fails to do. */
export function countDatabase(database: Database, counts: Counts): Database {
  const timed = async <T>(operation: Operation, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    try {
      return await work();
    } catch (error) {
      if (isFailure(error)) counts.add("latchkey_database_failures_total", operation);
      throw error;
    } finally {
      const seconds = (performance.now() - started) / 1_000;
      counts.observe("latchkey_database_duration_seconds", operation, seconds);
    }
  };
  const counted: Partial<Database> = {
    sessions: countLookups(database, counts),
    timed: (work) => timed("query", work),
    async begin(statementTimeoutMs) {
      const transaction = await timed("begin", () => database.begin(statementTimeoutMs));
      return {
        get db() {
          return transaction.db;
        },
        query: (text, parameters) => timed("query", () => transaction.query(text, parameters)),
        commit: () => timed("commit", () => transaction.commit()),
        rollback: () => transaction.rollback(),
      };
    },
    change: (text, parameters) => timed("change", () => database.change(text, parameters)),
    read: (text, parameters) => timed("read", () => database.read(text, parameters)),
  };
  // Everything else is the database's own, its schema for one, which is loaded when it is asked for.
  return Object.assign(Object.create(database) as Database, counted);
}

/** Whether the database failed: a second row with the same address, or a premise that does not hold, is an answer. */
function isFailure(error: unknown): boolean {
  return !isUniqueViolation(error) && !(error instanceof PremiseLost);
}

/** On SQLite a look-up takes less time than asking for the time. */
function countLookups({ driver, sessions }: Database, counts: Counts): SessionStore {
  const failed = counts.counter("latchkey_database_failures_total", "lookup");
  const time = counts.timer("latchkey_database_duration_seconds", "lookup");
  const close = () => sessions.close();
  if (driver === "sqlite")
    return {
      close,
      find(token) {
        try {
          return sessions.find(token);
        } catch (error) {
          failed();
          throw error;
        }
      },
    };
  return {
    close,
    async find(token) {
      const started = performance.now();
      try {
        return await sessions.find(token);
      } catch (error) {
        failed();
        throw error;
      } finally {
        time((performance.now() - started) / 1_000);
      }
    },
  };
}
