import { type HashLine, tooBusy } from "../auth/hash-line.ts";
import type { InTurn } from "../auth/hash-slots.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** A worker's way to the line and the hashes that the supervisor keeps. */
export interface RemoteHashing {
  readonly line: HashLine;
  readonly inTurn: InTurn;
  /** Takes what concerns hashes; anything else is left alone. */
  receive(message: ToWorker): void;
}

/** @param send to the supervisor, in order. */
export function createRemoteHashing(send: (message: FromWorker) => void): RemoteHashing {
  const turns = new Map<number, PromiseWithResolvers<void>>();
  const slots = new Map<number, () => void>();
  let last = 0;

  const waitForTurn = async (id: number, client: string, gone: AbortSignal | undefined): Promise<void> => {
    const turn = Promise.withResolvers<void>();
    const leave = () => send({ kind: "gone", id });
    turns.set(id, turn);
    gone?.addEventListener("abort", leave);
    send({ kind: "enter", id, client });
    try {
      await turn.promise;
    } finally {
      turns.delete(id);
      gone?.removeEventListener("abort", leave);
    }
  };
  return {
    line: {
      async enter({ client, gone }, work) {
        if (gone?.aborted === true) throw tooBusy(0);
        const id = (last += 1);
        await waitForTurn(id, client, gone);
        let isMeasure = false;
        try {
          const result = await work();
          isMeasure = true;
          return result;
        } finally {
          send({ kind: "leave", id, isMeasure });
        }
      },
    },
    async inTurn(work) {
      const id = (last += 1);
      const slot = Promise.withResolvers<void>();
      slots.set(id, slot.resolve);
      send({ kind: "acquire", id });
      await slot.promise;
      slots.delete(id);
      try {
        return await work();
      } finally {
        send({ kind: "release", id });
      }
    },
    receive(message) {
      if (message.kind === "turn") turns.get(message.id)?.resolve();
      else if (message.kind === "refused")
        turns.get(message.id)?.reject(tooBusy(message.retryAfterSeconds * 1_000));
      else if (message.kind === "slot") slots.get(message.id)?.();
    },
  };
}
