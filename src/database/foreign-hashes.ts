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

async function find(database: Database): Promise<boolean> {
  const transaction = await database.begin();
  try {
    const text = "SELECT id FROM account WHERE substr(password, 1, 1) <> '$' LIMIT 1";
    return (await transaction.query(text)).length > 0;
  } finally {
    await transaction.rollback();
  }
}
