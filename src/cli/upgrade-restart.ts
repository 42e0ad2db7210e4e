import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { changesSince } from "../database/changed-since.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { ask, readSchema, type Surroundings } from "../upgrade/candidate.ts";
import { endJournal, exchangeBack, type Journal, previousOf } from "../upgrade/exchange.ts";
import type { Restart } from "../upgrade/restart.ts";
import type { CommandContext } from "./command.ts";
import { askHealth, type Targets } from "./healthcheck.ts";

/** A server whose executable was exchanged, and which still runs the one before. */
export interface Handover<R = Restart | null> {
  readonly context: CommandContext;
  readonly server: Surroundings & {
    readonly config: Config;
    readonly executable: string;
    readonly restart: R;
    readonly health: Targets;
  };
  readonly journal: Journal;
  readonly timeoutMs: number;
}

const pollMs = 250;
const answerTimeoutMs = 2_500;
/** A server that falls over at its first request has answered once. */
const answersNeeded = 2;

/**
 * Restarts the server and waits until it answers as the new one; where it does not, puts the previous one back.
 * @returns null, or what became of it.
 */
export async function handOver(handover: Handover<Restart>): Promise<CommandError | null> {
  const { context, server, journal } = handover;
  context.stderr(`Restarting: ${server.restart.how}`);
  const failure = await startAs(handover, journal.to);
  return failure === null
    ? null
    : await goBack(handover, `latchkey ${journal.to} did not come up: ${failure}`);
}

/** @returns why it does not answer as that version; null once it does. */
async function startAs(handover: Handover<Restart>, version: string): Promise<string | null> {
  const { restart, health } = handover.server;
  const deadline = performance.now() + handover.timeoutMs;
  const failure = await restart.run(handover.timeoutMs);
  if (failure !== null) return failure;
  let reason = "nothing answers";
  for (let answers = 0; performance.now() < deadline; await Bun.sleep(pollMs)) {
    const found = await Promise.all(
      health.targets.map((target) => askVersion(target, version, health.serverName)),
    );
    if (found.includes(null)) {
      answers += 1;
      if (answers === answersNeeded) return null;
      continue;
    }
    answers = 0;
    reason = found[0] ?? reason;
    if (await restart.hasFailed()) return `the unit has failed (${reason})`;
  }
  return `${reason}, after ${handover.timeoutMs / 1_000} s`;
}

/** @returns null where a server of that version is ready, else what was found. */
async function askVersion(
  target: string,
  wanted: string,
  serverName: string | undefined,
): Promise<string | null> {
  try {
    const { status, body } = await askHealth(target, AbortSignal.timeout(answerTimeoutMs), serverName);
    const { version, checks } = JSON.parse(body) as {
      readonly version?: string;
      readonly checks?: { readonly workers?: { readonly status?: string } };
    };
    if (version !== wanted) return `${target} answers as ${version ?? "something else"}`;
    if (status !== 200) return `${target} answers ${status}`;
    return checks?.workers?.status === "missing" ? `${target}: workers are missing` : null;
  } catch (error) {
    return `${target} does not answer (${reasonOf(error)})`;
  }
}

async function goBack(handover: Handover<Restart>, why: string): Promise<CommandError> {
  const { context, server, journal } = handover;
  const { executable, restart } = server;
  const { from, to } = journal;
  context.stderr(`${why}; going back to ${from}`);
  await restart.stop();
  // From here on the server is stopped: whatever goes wrong, one of the two has to start it again.
  const database = await freeDatabase(handover).catch(
    (error: unknown): Found => taken(handover, reasonOf(error), journal.snapshot),
  );
  const found = database.isTaken ? database : exchangedBack(handover, database);
  endJournal(executable);
  if (found.isTaken) {
    const failure = await restart.run(handover.timeoutMs);
    return new CommandError(
      `${why}; ${from} cannot take its place: ${found.why}${failure === null ? "" : `; ${failure}`}`,
      found.remedy,
    );
  }
  const failure = await startAs(handover, from);
  return new CommandError(
    failure === null
      ? `${why}; ${from} is back, and answers${found.said}`
      : `${why}; ${from} is back${found.said}, but does not come up either: ${failure}`,
    `see the server's log, such as by journalctl -u latchkey; the file of ${to} is as it was`,
  );
}

type Found =
  | { readonly isTaken: false; readonly said: string }
  /** The previous executable cannot work on it, and it cannot be put back without a loss. */
  | { readonly isTaken: true; readonly why: string; readonly remedy: string };

/** Puts the previous executable back, unless it is gone or the disk refuses. */
function exchangedBack(handover: Handover, found: Found): Found {
  try {
    exchangeBack(handover.server.executable);
    return found;
  } catch (error) {
    return taken(handover, reasonOf(error), handover.journal.snapshot);
  }
}

/** @param copy of the database as it was; null where there is none. */
function taken({ server, journal }: Handover, why: string, copy: string | null): Found {
  const { executable, config } = server;
  const previous = previousOf(executable);
  const see = `see why ${journal.to} does not come up`;
  if (copy === null)
    return { isTaken: true, why, remedy: `${see}, or put a backup of yours back by ${previous} restore` };
  const into = config.database.driver === "sqlite" ? "" : " into an empty database";
  return {
    isTaken: true,
    why,
    remedy: `${see}; or, losing what came since: end it, ${previous} restore ${copy}${into}, and mv ${previous} ${executable}`,
  };
}

/**
 * Sees that the previous executable can work on the database. Where a migration forbids it, an embedded one is put back to
 * what it was before, if nothing but the schema has changed since: what anybody was told is not thrown away.
 */
async function freeDatabase(handover: Handover): Promise<Found> {
  const { context, server, journal } = handover;
  const { executable, config } = server;
  const { from, to, pending, snapshot } = journal;
  const previous = previousOf(executable);
  const free = (said = ""): Found => ({ isTaken: false, said });
  const schemaOf = (file: string, name: string) =>
    readSchema(file, name, server).catch((error: unknown) => reasonOf(error));
  if (pending.length === 0) return free();
  const byPrevious = await schemaOf(previous, from);
  if (typeof byPrevious !== "string") return free();
  const byNew = await schemaOf(executable, to);
  // Where neither can ask, nobody knows what the new one has migrated.
  if (typeof byNew === "string") return taken(handover, byPrevious, snapshot);
  if (byNew.pending.length === pending.length) return free();
  if (config.database.driver !== "sqlite") return taken(handover, byPrevious, snapshot);
  const { path } = config.database;
  const copy =
    [`${path}.before-${pending[0] ?? ""}`, snapshot ?? ""].find((name) => existsSync(name)) ?? null;
  if (copy === null) return taken(handover, byPrevious, copy);
  const changes = await changesSince(copy, path, context.now());
  if (changes.length > 0)
    return taken(
      handover,
      `${byPrevious}; and since ${copy} there were changes (${changes.join(", ")})`,
      copy,
    );
  const restored = await ask([previous, "restore", copy, "--json"], server);
  const { kept, error } = (restored.printed ?? {}) as {
    readonly kept?: string | null;
    readonly error?: { readonly message: string };
  };
  if (restored.status === 0)
    return free(`; the database is what it was before (${kept ?? "none"} is what it became)`);
  return taken(handover, `${copy} could not be put back: ${error?.message ?? restored.stderr.trim()}`, copy);
}
