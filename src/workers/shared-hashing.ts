import type { HashLine } from "../auth/hash-line.ts";
import type { InTurn } from "../auth/hash-slots.ts";
import { AppError } from "../errors.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** A worker's place in what all workers share. */
export interface HashingMember {
  /** Takes what concerns hashes; anything else is left alone. */
  receive(message: FromWorker): void;
  /** Gives back all that the worker had: its process has ended. */
  end(): void;
}

/**
 * The line of requests that hash and the hashes at once, kept by the supervisor for all workers: clients take turns, and
 * there are as many at once and in the line as in one process.
 */
export function createSharedHashing(line: HashLine, inTurn: InTurn) {
  return (send: (message: ToWorker) => void): HashingMember => {
    const gone = new Map<number, AbortController>();
    const running = new Map<number, (isMeasure: boolean) => void>();
    const slots = new Map<number, () => void>();
    let hasEnded = false;

    const enter = async (id: number, client: string): Promise<void> => {
      const left = new AbortController();
      gone.set(id, left);
      const work = async () => {
        const done = Promise.withResolvers<boolean>();
        running.set(id, done.resolve);
        send({ kind: "turn", id });
        if (!(await done.promise)) throw new NoMeasure();
      };
      try {
        await line.enter({ client, gone: left.signal }, work);
      } catch (error) {
        if (error instanceof NoMeasure) return;
        const seconds = error instanceof AppError ? Number(error.headers["Retry-After"] ?? 1) : 1;
        if (!hasEnded) send({ kind: "refused", id, retryAfterSeconds: seconds });
      } finally {
        gone.delete(id);
        running.delete(id);
      }
    };
    const acquire = (id: number): void => {
      void inTurn(async () => {
        if (hasEnded) return;
        const done = Promise.withResolvers<void>();
        slots.set(id, done.resolve);
        send({ kind: "slot", id });
        await done.promise;
        slots.delete(id);
      });
    };
    return {
      receive(message) {
        if (message.kind === "enter") void enter(message.id, message.client);
        else if (message.kind === "gone") gone.get(message.id)?.abort();
        else if (message.kind === "leave") running.get(message.id)?.(message.isMeasure);
        else if (message.kind === "acquire") acquire(message.id);
        else if (message.kind === "release") slots.get(message.id)?.();
      },
      end() {
        hasEnded = true;
        for (const left of gone.values()) left.abort();
        for (const leave of running.values()) leave(false);
        for (const release of slots.values()) release();
      },
    };
  };
}

/** A request that failed: the time it took counts for nothing. */
class NoMeasure extends Error {
  override readonly name = "NoMeasure";
}
