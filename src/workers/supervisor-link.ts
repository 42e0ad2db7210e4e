import type { InTurn } from "../auth/hash-slots.ts";
import type { HashLine } from "../auth/hash-line.ts";
import { CommandError } from "../errors.ts";
import type { Counted } from "../metrics/counting.ts";
import type { Figures } from "../metrics/figures.ts";
import type { Readiness } from "../http/health.ts";
import type { KeyPair } from "../server.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import { createRemoteHashing } from "./remote-hashing.ts";

/** A worker's way to its supervisor. */
export interface SupervisorLink {
  readonly start: Promise<WorkerStart>;
  /** The supervisor wants it to finish what is under way. */
  readonly draining: Promise<void>;
  /** All others that end, too, have finished, and it is this one's turn to close its database. */
  readonly closing: Promise<void>;
  /** @param use hears of every certificate after that of the start, the last one also where it came before. */
  onCertificate(use: (certificate: KeyPair) => void): void;
  /** The supervisor is gone. */
  readonly closed: Promise<void>;
  readonly line: HashLine;
  readonly inTurn: InTurn;
  /** What all workers find. */
  readonly readiness: () => Promise<Readiness>;
  /** What all workers have counted. */
  readonly figures: () => Promise<Figures>;
  /** @param counted is asked whenever the supervisor wants to know. */
  answerCounts(counted: Counted, name: string): void;
  /** Says once more what this worker has counted: it ends. */
  tellFigures(): void;
  /** @param look says what this worker finds, whenever the supervisor asks. */
  answerLooks(look: () => Promise<Readiness>): void;
  send(message: FromWorker): void;
}

/** @throws CommandError when no supervisor started this process. */
export function openSupervisorLink(): SupervisorLink {
  if (process.send === undefined)
    throw new CommandError(
      "latchkey worker is started by latchkey serve alone",
      "LATCHKEY_WORKERS=2 latchkey serve",
    );
  const send = (message: FromWorker): void => {
    if (process.connected) process.send?.(message);
  };
  const start = Promise.withResolvers<WorkerStart>();
  const draining = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const hashing = createRemoteHashing(send);
  const asked = new Map<number, (readiness: Readiness) => void>();
  const gathered = new Map<number, (figures: Figures) => void>();
  let askedLast = 0;
  /** What is on its way to whoever asked, and to whoever asks meanwhile. */
  let asking: Promise<Readiness> | undefined;
  let look: () => Promise<Readiness> = () => new Promise(() => {});
  let count: (id: number, withShared: boolean) => Promise<void> = () => new Promise(() => {});
  let lastCertificate: KeyPair | undefined;
  let useCertificate: (certificate: KeyPair) => void = (certificate) => void (lastCertificate = certificate);
  process.on("disconnect", closed.resolve);
  process.on("message", (message: ToWorker) => {
    hashing.receive(message);
    if (message.kind === "start") start.resolve(message);
    else if (message.kind === "drain") draining.resolve();
    else if (message.kind === "certificate") useCertificate(message.certificate);
    else if (message.kind === "close") closing.resolve();
    else if (message.kind === "ping") send({ kind: "pong" });
    else if (message.kind === "look")
      void look().then((readiness) => send({ kind: "found", id: message.id, readiness }));
    else if (message.kind === "readiness") asked.get(message.id)?.(message.readiness);
    else if (message.kind === "count") void count(message.id, message.withShared);
    else if (message.kind === "figures") gathered.get(message.id)?.(message.figures);
  });
  const ask = async (): Promise<Readiness> => {
    const id = (askedLast += 1);
    const answer = Promise.withResolvers<Readiness>();
    asked.set(id, answer.resolve);
    send({ kind: "ask", id });
    return await answer.promise.finally(() => asked.delete(id));
  };
  return {
    start: start.promise,
    draining: draining.promise,
    closing: closing.promise,
    closed: closed.promise,
    onCertificate(use) {
      useCertificate = use;
      if (lastCertificate !== undefined) use(lastCertificate);
    },
    line: hashing.line,
    inTurn: hashing.inTurn,
    readiness() {
      asking ??= ask().finally(() => (asking = undefined));
      return asking;
    },
    async figures() {
      const id = (askedLast += 1);
      const answer = Promise.withResolvers<Figures>();
      gathered.set(id, answer.resolve);
      send({ kind: "gather", id });
      return await answer.promise.finally(() => gathered.delete(id));
    },
    answerLooks(own) {
      look = own;
    },
    answerCounts(counted, name) {
      count = async (id, withShared) => {
        const shared = withShared ? await counted.shared() : null;
        send({ kind: "counted", id, figures: counted.figures(name), shared });
      };
    },
    tellFigures: () => void count(0, false),
    send,
  };
}
