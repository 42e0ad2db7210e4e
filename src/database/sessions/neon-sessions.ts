import type { Pool, PoolClient } from "@neondatabase/serverless";
import { errorCode, isConnectionLoss, isUnprepared } from "../store-error.ts";
import type { LateStatements } from "../server-statements.ts";
import { batchLookup, type SessionColumns } from "./lookup.ts";
import type { SessionStore } from "./store.ts";
import { openBatchedSessions } from "./batched.ts";

/** After a further connection was not to be had: the server may have no more to give. */
const failedPauseMs = 1_000;

/**
 * Looks sessions up through Neon's driver: on connections that are there, while another is made behind them where they
 * are too few. One that takes long to make, or hangs, is waited for where there is none.
 * @param pool their own, which `close` ends; each of its `connections` takes one batch at a time.
 * @param late what is asked for lookups that were given up.
 */
export function openNeonSessions(pool: Pool, connections: number, late: LateStatements): SessionStore {
  const text = late.mark(batchLookup);
  // Another text has another name: behind a pooler, sessions keep what other processes, and other versions, prepared.
  const statementName = `latchkey ${Bun.hash(text).toString(36)}`;
  let isPrepared = true;
  /** Connections that were made, and not seen to end. */
  const made = new Set<PoolClient>();
  /** Of these, those that nothing says may be lost. */
  const live = new Set<PoolClient>();
  pool.on("connect", (client: PoolClient) => {
    made.add(client);
    live.add(client);
    // The pool's `remove` comes when it has taken its leave, which one that was cut never does.
    const forget = () => {
      made.delete(client);
      live.delete(client);
    };
    client.on("error", forget).on("end", forget);
  });
  const ask = async (client: PoolClient, tokens: string[]): Promise<SessionColumns[]> => {
    const query = { text, values: [tokens], rowMode: "array" as const };
    const askBy = async (name: { name?: string }) =>
      (await client.query<SessionColumns>({ ...query, ...name })).rows;
    let lost: Error | undefined;
    try {
      return await askBy(isPrepared ? { name: statementName } : {});
    } catch (error) {
      // A column got another type: other connections may have the old plan too.
      if (errorCode(error) === "0A000") return await askBy({});
      lost = error as Error;
      made.delete(client);
      live.delete(client);
      if (isUnprepared(error)) isPrepared = false;
      // Where one was lost, the others may have been, and not have noticed.
      if (isConnectionLoss(error)) live.clear();
      throw error;
    } finally {
      client.release(lost);
    }
  };
  /** The pool keeps it for the next query. */
  const connectOne = async () => {
    const client = await pool.connect();
    live.add(client);
    client.release();
  };
  /** One that does not answer in time is dropped. */
  const tryOne = async () => {
    const client = await pool.connect();
    let lost: Error | undefined;
    try {
      await client.query("SELECT 1");
    } catch (error) {
      lost = error as Error;
    } finally {
      client.release(lost);
    }
  };
  let isWidening = false;
  /** In `performance.now()` ms. */
  let widensFrom = 0;
  return openBatchedSessions({
    batchSize: 48,
    batchesInFlight: () => Math.min(connections, Math.max(1, made.size)),
    widen() {
      // An idle one, of which nobody knows whether it lives, is tried by the next batch.
      if (isWidening || pool.idleCount > 0 || pool.totalCount >= connections) return null;
      if (performance.now() < widensFrom) return null;
      isWidening = true;
      return connectOne()
        .catch((error: unknown) => {
          widensFrom = performance.now() + failedPauseMs;
          throw error;
        })
        .finally(() => (isWidening = false));
    },
    connect: () => (live.size > 0 ? null : connectOne()),
    run(tokens) {
      const connecting = pool.connect();
      return {
        connected: connecting,
        rows: connecting.then((client) => ask(client, tokens)),
      };
    },
    reset() {
      late.cancel();
      // The pool drops a connection whose query was late. The others may hang with it: not one after the other is to be
      // found out by somebody's lookup.
      for (let idle = pool.idleCount; idle > 0; idle -= 1) tryOne().catch(() => {});
    },
    close: () => pool.end(),
  });
}
