import ipaddr from "ipaddr.js";
import type { Config } from "../config/config.ts";
import { AppError } from "../errors.ts";
import { createLately } from "../lately.ts";

/** Somebody who waits is told to come back rather than to wait for longer: a request has 5 s, its own hashing included. */
const waitMaxMs = 3_000;
/** What a request takes until the first ones were measured. */
const firstGuessMs = 80;
/** How much the latest one counts in the average. */
const smoothing = 0.2;
/** Whoever had a turn within this time is no newcomer. */
const latelyMs = 60_000;
/** Newcomers' turns to each of somebody else. */
const newcomersShare = 3;
/** Clients whose turns are remembered. */
const rememberedMax = 10_000;

interface HashLineLimits {
  /** Requests at once. */
  readonly concurrency: number;
  /** How many more there may be for now. */
  readonly spare?: () => number;
  /** Requests that wait, of all clients together. */
  readonly waiting: number;
}

/** One more than are hashed at once, so that the hashes never wait for BetterAuth. */
export function hashLineLimits(config: Pick<Config, "hashConcurrency" | "hashQueue">): HashLineLimits {
  return { concurrency: config.hashConcurrency + 1, waiting: config.hashQueue };
}

interface Waiting {
  /** Of the client, who waits in turn with other clients, however many requests he has. */
  readonly client: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal | undefined;
}

interface Place {
  readonly start: () => void;
  readonly leave: (error: AppError) => void;
}

/** Requests that hash a password, a few at a time. */
export interface HashLine {
  /**
   * Runs `work` when it is this request's turn.
   * @throws AppError 503 `TOO_BUSY`, at once where the wait would be too long, with the seconds it would be.
   */
  enter<T>(who: Waiting, work: () => Promise<T>): Promise<T>;
}

/** Whom an address stands for: of IPv6, the network of 2^64 addresses that one customer has. */
export function clientOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === "ipv4" ? parsed.toString() : (parsed as ipaddr.IPv6).parts.slice(0, 4).join(":");
}

/** The requests that wait in one of the line's two halves, by client, in the order of their turns. */
type Half = Map<string, Place[]>;

/**
 * One line for everything that hashes: clients take turns, each with his own requests in their order, so that one client
 * who floods it waits for himself; and three turns of four are of those who have had none lately, so that somebody who
 * signs in once does not wait for all who never stop. Nobody is let in who would wait for more than 3 s, as measured; where
 * the line is full, the last of the longest leaves it.
 */
export function createHashLine({ concurrency, spare = () => 0, waiting }: HashLineLimits): HashLine {
  const newcomers: Half = new Map();
  const others: Half = new Map();
  const served = createLately(latelyMs, rememberedMax, () => performance.now());
  /** Counts those of newcomers since the last one of somebody else. */
  let newcomersTurns = 0;
  let running = 0;
  let size = 0;
  let averageMs = firstGuessMs;

  const places = () => concurrency + spare();
  const waitMs = (ahead: number) => (Math.max(0, ahead + 1 - (places() - running)) * averageMs) / places();
  const halfOf = (client: string): Half => {
    if (newcomers.has(client) || others.has(client)) return newcomers.has(client) ? newcomers : others;
    return served.has(client) ? others : newcomers;
  };
  /** How many are served before one who comes last of his client. */
  const aheadOf = (client: string): number => {
    const half = halfOf(client);
    const own = half.get(client)?.length ?? 0;
    let ahead = own;
    // Of each other client, as many as he himself has, and one.
    for (const [other, places] of half) if (other !== client) ahead += Math.min(places.length, own + 1);
    let apart = 0;
    for (const places of (half === newcomers ? others : newcomers).values()) apart += places.length;
    const turnsApart = half === newcomers ? (ahead + 1) / newcomersShare : (ahead + 1) * newcomersShare;
    return ahead + Math.min(apart, Math.ceil(turnsApart));
  };
  const remove = (client: string, place: Place): boolean => {
    const half = halfOf(client);
    const places = half.get(client);
    const at = places?.indexOf(place) ?? -1;
    if (places === undefined || at === -1) return false;
    places.splice(at, 1);
    if (places.length === 0) half.delete(client);
    size -= 1;
    return true;
  };
  const next = (): void => {
    while (running < places()) {
      const isNewcomers = newcomers.size > 0 && (others.size === 0 || newcomersTurns < newcomersShare);
      const half = isNewcomers ? newcomers : others;
      const [turn] = half;
      if (turn === undefined) return;
      newcomersTurns = isNewcomers ? newcomersTurns + 1 : 0;
      const [client, places] = turn;
      const place = places.shift();
      size -= 1;
      half.delete(client);
      served.add(client);
      if (places.length > 0) others.set(client, places);
      place?.start();
    }
  };
  const lengthOf = (half: Half) => [...half.values()].reduce((sum, { length }) => sum + length, 0);
  /** Makes room in the longer half, where somebody has more places there than a newcomer would. @throws AppError 503. */
  const makeRoom = (who: string, ms: number): void => {
    const longer = lengthOf(newcomers) > lengthOf(others) ? newcomers : others;
    const [client, places] = [...longer].reduce((longest, one) =>
      one[1].length >= longest[1].length ? one : longest,
    );
    const own = longer === halfOf(who) ? (longer.get(who)?.length ?? 0) + 1 : 0;
    const last = places.at(-1);
    if (last === undefined || own >= places.length) throw tooBusy(ms);
    remove(client, last);
    last.leave(tooBusy(waitMs(aheadOf(client))));
  };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    try {
      const result = await work();
      // A database that stalls, and fails the request in the end, says nothing of how long hashes take.
      averageMs += (performance.now() - started - averageMs) * smoothing;
      return result;
    } finally {
      running -= 1;
      next();
    }
  };
  const takeTurn = ({ client, gone }: Waiting): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const place: Place = {
      start() {
        running += 1;
        gone?.removeEventListener("abort", leave);
        resolve();
      },
      leave(error) {
        gone?.removeEventListener("abort", leave);
        reject(error);
      },
    };
    const leave = () => {
      if (remove(client, place)) reject(tooBusy(0));
    };
    gone?.addEventListener("abort", leave);
    const half = halfOf(client);
    const places = half.get(client);
    if (places === undefined) half.set(client, [place]);
    else places.push(place);
    size += 1;
    next();
    return promise;
  };
  return {
    async enter(who, work) {
      if (who.gone?.aborted === true) throw tooBusy(0);
      const ms = waitMs(aheadOf(who.client));
      if (ms > waitMaxMs) throw tooBusy(ms);
      if (size >= waiting && running >= places()) makeRoom(who.client, ms);
      await takeTurn(who);
      return await run(work);
    },
  };
}

/** The 503 of a line that is too long. @param waitMs how long it would take until it is this request's turn. */
export function tooBusy(waitMs: number): AppError {
  return new AppError("TOO_BUSY", "Too many sign-ins at once. Try again shortly.", {
    headers: { "Retry-After": String(Math.max(1, Math.ceil(waitMs / 1_000))) },
  });
}
