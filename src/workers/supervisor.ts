import { withDeadline } from "../deadline.ts";
import { reasonOf } from "../errors.ts";
import { isReady, type Readiness } from "../http/health.ts";
import type { Log } from "../log.ts";
import type { KeyPair } from "../server.ts";
import type { DrainReason } from "./messages.ts";
import { watchUntilStuck } from "./stuck-watch.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Keeps a number of workers running. */
export interface Supervisor {
  /** Starts the first alone, which makes what is made once, then the others. @throws why one could not. */
  start(): Promise<void>;
  /** Replaces every worker, one after the other; one that could not be leaves the others as they are. */
  restart(): Promise<void>;
  /** What all workers find, within 1.9 s. */
  readiness(): Promise<Readiness>;
  /** Whether of the workers that listen any has answered lately; true where none does, and all are being replaced. */
  hasAnswered(): boolean;
  /** Workers that listen. */
  serving(): number;
  /** Has all speak TLS by another certificate, those that are just starting too. */
  certify(certificate: KeyPair): void;
  /**
   * Has all finish what is under way, at once, so that each has its whole time; then they close their databases one after the
   * other, so that the last has a SQLite file to itself and brings its log into it.
   */
  drain(): Promise<DrainReason>;
  /** Ends all at once. */
  kill(): void;
}

export interface SupervisorDeps {
  readonly count: number;
  /** @param number from 1. */
  readonly startWorker: (number: number) => WorkerProcess;
  readonly log: Pick<Log, "info" | "error">;
}

interface Slot {
  readonly number: number;
  current: WorkerProcess | null;
  /** When the current one began to listen, in `performance.now()` ms. */
  since: number;
  /** Ends in a row, each soon after its start. */
  failures: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Before a worker that ended is replaced: doubled each time, up to the longest. */
const [pauseMs, pauseMaxMs] = [100, 30_000];
/** One that lived for so long did not end of how it starts. */
const stableMs = 60_000;
/** In a rolling restart; what goes on behind the answers of a worker may wait for its database. */
const replacedWithinMs = 30_000;
/** A worker answers within 1.8 s, unless it is stuck. */
const lookTimeoutMs = 1_900;
/** Twice as long as pings are apart, and a little more. */
const answeredWithinMs = 5_000;
/** What was found counts for so long: anybody may ask, and hashes wait while all workers are asked. */
const foundForMs = 100;

export function createSupervisor({ count, startWorker, log }: SupervisorDeps): Supervisor {
  const slots: readonly Slot[] = Array.from({ length: count }, (_, at) => ({
    number: at + 1,
    current: null,
    since: 0,
    failures: 0,
    timer: undefined,
  }));
  const processes = new Set<WorkerProcess>();
  let isEnding = false;
  let restarting: Promise<void> | undefined;
  let restartsAgain = false;

  /** Starts one for a slot, and waits until it listens. */
  const spawn = async ({ number }: Slot): Promise<WorkerProcess> => {
    const worker = startWorker(number);
    processes.add(worker);
    void worker.ended.then(() => processes.delete(worker));
    try {
      await worker.listening;
      return worker;
    } catch (error) {
      worker.kill();
      await worker.ended;
      throw error;
    }
  };
  /** Puts a worker that listens into its slot. @returns the one that was there. */
  const install = (slot: Slot, worker: WorkerProcess): WorkerProcess | null => {
    const former = slot.current;
    clearTimeout(slot.timer);
    slot.timer = undefined;
    slot.current = worker;
    slot.since = performance.now();
    void replaceAfterEnd(slot, worker);
    void endWhenStuck(slot, worker);
    return former;
  };
  const endWhenStuck = async (slot: Slot, worker: WorkerProcess): Promise<void> => {
    if (!(await watchUntilStuck(worker, () => !isEnding && slot.current === worker))) return;
    const line = { event: "worker_stuck", worker: slot.number, pid: worker.pid };
    log.error(line, "a worker has not answered for 10 s, and is ended");
    worker.kill();
  };
  const replaceAfterEnd = async (slot: Slot, worker: WorkerProcess): Promise<void> => {
    const reason = await worker.ended;
    if (isEnding || slot.current !== worker) return;
    slot.current = null;
    if (performance.now() - slot.since >= stableMs) slot.failures = 0;
    replaceLater(slot, { pid: worker.pid, reason });
  };
  const replaceLater = (slot: Slot, ended: { readonly pid?: number; readonly reason: string }): void => {
    const restartInMs = Math.min(pauseMaxMs, pauseMs * 2 ** slot.failures);
    slot.failures += 1;
    const event = "pid" in ended ? "worker_ended" : "worker_failed";
    log.error(
      { event, worker: slot.number, ...ended, restartInMs },
      "a worker is not there, and is replaced",
    );
    slot.timer = setTimeout(() => void replace(slot), restartInMs);
  };
  const replace = async (slot: Slot): Promise<void> => {
    try {
      const worker = await spawn(slot);
      // A restart was quicker, or all end.
      if (isEnding || slot.current !== null) return void endWithin(worker, replacedWithinMs);
      install(slot, worker);
      log.info({ event: "worker_started", worker: slot.number, pid: worker.pid }, "a worker is there again");
    } catch (error) {
      if (!isEnding && slot.current === null) replaceLater(slot, { reason: reasonOf(error) });
    }
  };
  const renew = async (slot: Slot): Promise<void> => {
    const worker = await spawn(slot);
    if (isEnding) return;
    // Whoever asked for it has seen to what kept it from starting.
    slot.failures = 0;
    const former = install(slot, worker);
    const reason = former === null ? null : await endWithin(former, replacedWithinMs);
    log.info(
      {
        event: "worker_replaced",
        worker: slot.number,
        pid: worker.pid,
        formerPid: former?.pid ?? null,
        reason,
      },
      "a worker was replaced",
    );
  };
  const restartAll = async (): Promise<void> => {
    log.info({ event: "restarting", workers: count }, "replacing the workers, one after the other");
    for (const slot of slots) {
      if (isEnding) return;
      try {
        await renew(slot);
      } catch (error) {
        if (isEnding) return;
        log.error(
          { event: "restart_failed", worker: slot.number, reason: reasonOf(error) },
          "a worker could not be replaced; the others stay as they are",
        );
        return;
      }
    }
    log.info({ event: "restarted", workers: count }, "all workers were replaced");
  };
  const restartWhileAsked = async (): Promise<void> => {
    do {
      restartsAgain = false;
      await restartAll();
    } while (restartsAgain && !isEnding);
    restarting = undefined;
  };
  const look = async (): Promise<Readiness> => {
    const looks = slots.flatMap(({ current }) => (current === null ? [] : lookWithin(current)));
    const found = (await Promise.all(looks)).filter((one) => one !== null);
    return { ...worst(found), workers: { serving: found.length, configured: count } };
  };
  let last: { readonly at: number; readonly found: Promise<Readiness> } | undefined;
  const stopReplacing = (): void => {
    isEnding = true;
    for (const slot of slots) clearTimeout(slot.timer);
  };
  const kill = (): void => {
    stopReplacing();
    for (const worker of processes) worker.kill();
  };

  return {
    async start() {
      const begin = async (slot: Slot) => void install(slot, await spawn(slot));
      const [first, ...others] = slots;
      try {
        if (first !== undefined) await begin(first);
        await Promise.all(others.map(begin));
      } catch (error) {
        kill();
        throw error;
      }
    },
    async restart() {
      if (restarting === undefined) restarting = restartWhileAsked();
      else restartsAgain = true;
      await restarting;
    },
    async readiness() {
      const now = performance.now();
      if (last === undefined || now - last.at > foundForMs) last = { at: now, found: look() };
      return await last.found;
    },
    hasAnswered() {
      const workers = slots.flatMap(({ current }) => current ?? []);
      const now = performance.now();
      return workers.length === 0 || workers.some(({ lastAnswer }) => now - lastAnswer() < answeredWithinMs);
    },
    serving: () => slots.filter(({ current }) => current !== null).length,
    certify(certificate) {
      for (const worker of processes) worker.certify(certificate);
    },
    async drain() {
      stopReplacing();
      const ending = [...processes];
      const reasons = await Promise.all(ending.map((worker) => worker.drain()));
      for (const worker of ending) await worker.close();
      return reasons.includes("drain timeout") ? "drain timeout" : "drained";
    },
    kill,
  };
}

/** Has a worker end, for so long at most. @returns how that went, for the log. */
async function endWithin(worker: WorkerProcess, timeoutMs: number): Promise<string> {
  const end = async () => {
    const reason = await worker.drain();
    await worker.close();
    return reason;
  };
  return await withDeadline<string>(end(), timeoutMs, () => new Error("late")).catch(() => {
    worker.kill();
    return "killed";
  });
}

const unavailable: Readiness = { database: { status: "unavailable" }, pending: 0 };

async function lookWithin(worker: WorkerProcess): Promise<Readiness | null> {
  const late = () => new Error("the worker did not answer in time");
  return await withDeadline(worker.look(), lookTimeoutMs, late).catch(() => unavailable);
}

/** The first that is not ready; of those that are, the slowest. */
function worst(found: readonly Readiness[]): Readiness {
  const slowest = found.reduce<Readiness | undefined>(
    (slow, one) =>
      slow === undefined || (one.database.latencyMs ?? 0) > (slow.database.latencyMs ?? 0) ? one : slow,
    undefined,
  );
  return found.find((one) => !isReady(one)) ?? slowest ?? unavailable;
}
