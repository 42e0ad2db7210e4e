import type { Database } from "./database.ts";

/** Whether accounts that were taken over still have BetterAuth's own kind of hash. */
export interface ForeignHashes {
  /** As last asked; true where it could not be. */
  areThere(): boolean;
  /** Asks the database, which has an index of its own for it. Never rejects. */
  ask(): Promise<void>;
}

export function watchForeignHashes(database: Database): ForeignHashes {
  let areThere = true;
  return {
    areThere: () => areThere,
    async ask() {
      areThere = await find(database).catch(() => true);
    },
  };
}

/**
 * Finds an account with another kind of hash. PostgreSQL takes nearly all rows for ones: without an order it reads the
 * whole table for the first (100 ms of 500,000 accounts), while the index, which is empty, has them in this one.
 */
export const foreignHashText =
  "SELECT id FROM account WHERE substr(password, 1, 1) <> '$' ORDER BY id LIMIT 1";

async function find(database: Database): Promise<boolean> {
  const transaction = await database.begin();
  try {
    return (await transaction.query(foreignHashText)).length > 0;
  } finally {
    await transaction.rollback();
  }
}
