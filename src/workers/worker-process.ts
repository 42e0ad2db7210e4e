import { existsSync } from "node:fs";
import type { Readiness } from "../http/health.ts";
import { CommandError } from "../errors.ts";
import type { Figures } from "../metrics/figures.ts";
import type { KeyPair } from "../server.ts";
import type { DrainReason, FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import type { HashingMember } from "./shared-hashing.ts";

/** A worker, as its supervisor has it. */
export interface WorkerProcess {
  readonly pid: number;
  /** Resolves once it listens; rejects with why it does not. */
  readonly listening: Promise<void>;
  /** How it ended, fit to print. */
  readonly ended: Promise<string>;
  /** Asks whether it answers at all. Resolves once it has, or has ended. */
  ping(): Promise<void>;
  /** When it last said anything, in `performance.now()` ms. */
  lastAnswer(): number;
  /** Asks what it finds; null where it ends instead. */
  look(): Promise<Readiness | null>;
  /** Asks what it has counted, and what is the same to all: @returns that, or null where it ends or was not asked. */
  count(withShared: boolean): Promise<Figures | null>;
  /** What it said last that it had counted. */
  lastFigures(): Figures;
  /** Has it speak TLS by another certificate. */
  certify(certificate: KeyPair): void;
  /** Has it finish what is under way. Resolves once it has, or has ended. */
  drain(): Promise<DrainReason>;
  /** Has it close its database and end. Resolves once it has. */
  close(): Promise<void>;
  kill(): void;
}

export interface WorkerDeps {
  readonly start: WorkerStart;
  /** All that it sees of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gives it its place in what hashes. */
  readonly joinHashing: (send: (message: ToWorker) => void) => HashingMember;
  /** What all workers find. */
  readonly readiness: () => Promise<Readiness>;
  /** What all workers have counted. */
  readonly figures: () => Promise<Figures>;
  /** Hears every line that it writes, without its line feed. */
  readonly onLine: (line: string) => void;
}

/** The executable that runs, also when another one was put in its place: all that it starts are of one version. */
export function ownCommand(): readonly string[] {
  const self = "/proc/self/exe";
  const executable = existsSync(self) ? self : process.execPath;
  const isCompiled = Bun.main.startsWith("/$bunfs/");
  return isCompiled ? [executable] : [executable, Bun.main];
}

/** Starts a worker. */
export function startWorker(deps: WorkerDeps): WorkerProcess {
  const listening = Promise.withResolvers<void>();
  // Whoever waits for it hears of it.
  listening.promise.catch(() => {});
  const looks = new Map<number, (readiness: Readiness) => void>();
  const counts = new Map<number, (shared: Figures | null) => void>();
  let figures: Figures = {};
  let lookedLast = 0;
  const drained = Promise.withResolvers<DrainReason>();
  let ponged = Promise.withResolvers<void>();
  let answeredAt = performance.now();
  let hasEnded = false;

  const receive = (message: FromWorker): void => {
    answeredAt = performance.now();
    hashing.receive(message);
    if (message.kind === "listening") listening.resolve();
    else if (message.kind === "failed") listening.reject(new CommandError(message.message, message.remedy));
    else if (message.kind === "drained") drained.resolve(message.reason);
    else if (message.kind === "pong") ponged.resolve();
    else if (message.kind === "found") looks.get(message.id)?.(message.readiness);
    else if (message.kind === "counted") {
      figures = message.figures;
      counts.get(message.id)?.(message.shared);
    } else if (message.kind === "gather")
      void deps.figures().then((all) => send({ kind: "figures", id: message.id, figures: all }));
    else if (message.kind === "ask")
      void deps.readiness().then((readiness) => send({ kind: "readiness", id: message.id, readiness }));
  };
  const child = Bun.spawn([...ownCommand(), "worker"], {
    argv0: "latchkey",
    env: { ...deps.environment },
    ipc: receive,
    serialization: "json",
    stdio: ["ignore", "ignore", "pipe"],
  });
  const send = (message: ToWorker): void => {
    // What is on its way when it ends reaches nobody.
    if (!hasEnded) child.send(message);
  };
  const hashing = deps.joinHashing(send);
  const lines = readLines(child.stderr, deps.onLine);
  const end = async (): Promise<string> => {
    await child.exited;
    hasEnded = true;
    hashing.end();
    await lines;
    const how = String(child.signalCode ?? `exit status ${child.exitCode ?? "unknown"}`);
    listening.reject(new CommandError(`a worker ended before it listened (${how})`, "latchkey doctor"));
    return how;
  };
  const ended = end();
  send(deps.start);
  return {
    pid: child.pid,
    listening: listening.promise,
    ended,
    async ping() {
      ponged = Promise.withResolvers();
      send({ kind: "ping" });
      await Promise.race([ponged.promise, ended]);
    },
    lastAnswer: () => answeredAt,
    look() {
      const id = (lookedLast += 1);
      const found = Promise.withResolvers<Readiness>();
      looks.set(id, found.resolve);
      send({ kind: "look", id });
      return Promise.race([found.promise, ended.then(() => null)]).finally(() => looks.delete(id));
    },
    count(withShared) {
      const id = (lookedLast += 1);
      const counted = Promise.withResolvers<Figures | null>();
      counts.set(id, counted.resolve);
      send({ kind: "count", id, withShared });
      return Promise.race([counted.promise, ended.then(() => null)]).finally(() => counts.delete(id));
    },
    lastFigures: () => figures,
    certify: (certificate) => send({ kind: "certificate", certificate }),
    async drain() {
      send({ kind: "drain" });
      return await Promise.race([drained.promise, ended.then(() => "drained" as const)]);
    },
    async close() {
      send({ kind: "close" });
      await ended;
    },
    kill: () => child.kill("SIGKILL"),
  };
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}
