import { withDeadline } from "../deadline.ts";
import { type Figures, lasting, sumOf } from "../metrics/figures.ts";
import type { WorkerProcess } from "./worker-process.ts";

type Member = Pick<WorkerProcess, "count" | "lastFigures" | "ended">;

/** A worker answers at once, unless it is stuck; then what it said last counts. */
const countTimeoutMs = 1_900;

/** What all workers have counted, those that have ended included: a sum that sinks would read as a start from 0. */
export interface KeptFigures {
  join(worker: Member): void;
  gather(): Promise<Figures>;
}

export function keepFigures(): KeptFigures {
  const members = new Set<Member>();
  let ofEnded: Figures = {};
  const keepAtEnd = async (worker: Member): Promise<void> => {
    await worker.ended;
    members.delete(worker);
    ofEnded = sumOf([ofEnded, lasting(worker.lastFigures())]);
  };
  return {
    join(worker) {
      members.add(worker);
      void keepAtEnd(worker);
    },
    async gather() {
      const late = () => new Error("the worker did not answer in time");
      // One asks the database, which is the same to all: the newest, which does not end.
      const counted = [...members].map((worker, at) =>
        withDeadline(worker.count(at === members.size - 1), countTimeoutMs, late).catch(() => null),
      );
      const shared = (await Promise.all(counted)).find((one) => one !== null) ?? {};
      // Read together: what has ended meanwhile is among the ended, and nowhere else.
      return sumOf([ofEnded, ...[...members].map((one) => one.lastFigures()), shared]);
    },
  };
}
