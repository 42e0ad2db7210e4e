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

/** A request has 5 s: what holds its place for longer is of a worker that is stuck, and all others would wait for it. */
const heldDefaultMs = 10_000;

/**
 * The line of requests that hash and the hashes at once, kept by the supervisor for all workers: clients take turns, and
 * there are as many at once and in the line as in one process.
 * @param heldMaxMs after which a place is taken back.
 */
export function createSharedHashing(line: HashLine, inTurn: InTurn, heldMaxMs = heldDefaultMs) {
  return (send: (message: ToWorker) => void): HashingMember => {
    const gone = new Map<number, AbortController>();
    const running = new Map<number, (isMeasure: boolean) => void>();
    const slots = new Map<number, () => void>();
    let hasEnded = false;
    /** Until it says something again. */
    let isStuck = false;

    /** Waits until a place is given back, or taken back; then nothing waits for the worker's other requests either. */
    const held = async <T>(done: PromiseWithResolvers<T>, late: T): Promise<T> => {
      const timer = setTimeout(() => {
        isStuck = true;
        for (const left of gone.values()) left.abort();
        done.resolve(late);
      }, heldMaxMs);
      return await done.promise.finally(() => clearTimeout(timer));
    };
    const enter = async (id: number, client: string): Promise<void> => {
      const left = new AbortController();
      gone.set(id, left);
      const work = async () => {
        const done = Promise.withResolvers<boolean>();
        running.set(id, done.resolve);
        send({ kind: "turn", id });
        if (!(await held(done, false))) throw new NoMeasure();
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
        if (!isStuck) await held(done, undefined);
        slots.delete(id);
      });
    };
    return {
      receive(message) {
        isStuck = false;
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
