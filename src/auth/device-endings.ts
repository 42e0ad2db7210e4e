import type { Database, Transaction } from "../database/database.ts";
import { findDeviceEnding, insertDeviceEnding } from "../database/device-endings.ts";
import { deviceMaxAgeSeconds } from "./device-cookie.ts";

/** Who has an account back does not share it with browsers that somebody else signed in with: their cookies end. */
export interface DeviceEndings {
  /** In the transaction that ends the account's sessions. @param account in canonical form. */
  end(transaction: Transaction, account: string): Promise<void>;
  /** When that was, in ms since the epoch; 0 for never. @throws AppError 503. */
  endedAt(account: string): Promise<number>;
}

/** @param secrets key the hashes: whoever has the table alone learns no address. */
export function createDeviceEndings(
  database: Database,
  secrets: () => readonly string[],
  now: () => number,
): DeviceEndings {
  const lifetimeMs = deviceMaxAgeSeconds * 1_000;
  const keyOf = (secret: string, account: string) =>
    `ended:${new Bun.CryptoHasher("sha256", secret).update(`limit:ended:${account}`).digest("base64url").slice(0, 22)}`;
  return {
    async end(transaction, account) {
      const [newest = ""] = secrets();
      await insertDeviceEnding(transaction, database.provider, keyOf(newest, account), now() + lifetimeMs);
    },
    async endedAt(account) {
      const until = await findDeviceEnding(
        database,
        secrets().map((secret) => keyOf(secret, account)),
      );
      return until === null ? 0 : until - lifetimeMs;
    },
  };
}
