import type { Database } from "./database.ts";

/** A PostgreSQL server as a new connection finds it. */
export interface ServerInspection {
  /** E.g. `18.1`. */
  readonly version: string;
  /** Whether it is a replica or otherwise refuses to write. */
  readonly readOnly: boolean;
  /** From the first packet to the first answer, connecting included, in ms. */
  readonly connectMs: number;
  /** One round trip on an open connection, in ms. */
  readonly roundTripMs: number;
  /** The server's clock minus ours, in ms; exact to half a round trip. */
  readonly clockSkewMs: number;
}

/** Connects and asks; changes nothing. `now` is the clock to compare with. */
export async function inspectServer(database: Database, now: () => number): Promise<ServerInspection> {
  const started = performance.now();
  const transaction = await database.begin();
  const connectMs = performance.now() - started;
  try {
    const [settings] = await transaction.query(
      "SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') AS read_only",
    );
    const sent = performance.now();
    const sentAt = now();
    const [clock] = await transaction.query(
      "SELECT extract(epoch from clock_timestamp())::float8 * 1000 AS now",
    );
    const roundTripMs = performance.now() - sent;
    return {
      version: String(settings?.["version"]).split(" ")[0] ?? "",
      readOnly: settings?.["read_only"] === "on",
      connectMs,
      roundTripMs,
      clockSkewMs: Number(clock?.["now"]) - (sentAt + roundTripMs / 2),
    };
  } finally {
    await transaction.rollback();
  }
}
