import ipaddr from "ipaddr.js";
import type { Config } from "../config/config.ts";
import { AppError } from "../errors.ts";

/** Somebody who waits is told to come back rather than to wait for longer: a request has 5 s, its own hashing included. */
const waitMaxMs = 3_000;
/** What a request takes until the first ones were measured. */
const firstGuessMs = 80;
/** How much the latest one counts in the average. */
const smoothing = 0.2;

interface HashLineLimits {
  /** Requests at once. */
  readonly concurrency: number;
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

/**
 * One line for everything that hashes: clients take turns, each with his own requests in their order, so that one client
 * who floods it waits for himself. Nobody is let in who would wait for more than 3 s, as measured; where the line is full,
 * the last of the longest leaves it.
 */
export function createHashLine({ concurrency, waiting }: HashLineLimits): HashLine {
  /** In the order of their turns. */
  const lines = new Map<string, Place[]>();
  let running = 0;
  let size = 0;
  let averageMs = firstGuessMs;

  const waitMs = (ahead: number) =>
    (Math.max(0, ahead + 1 - (concurrency - running)) * averageMs) / concurrency;
  /** How many are served before a newcomer: of each other client, as many as he himself has, and one. */
  const aheadOf = (client: string): number => {
    const own = lines.get(client)?.length ?? 0;
    let ahead = own;
    for (const [other, places] of lines) if (other !== client) ahead += Math.min(places.length, own + 1);
    return ahead;
  };
  const remove = (client: string, place: Place): boolean => {
    const places = lines.get(client);
    const at = places?.indexOf(place) ?? -1;
    if (places === undefined || at === -1) return false;
    places.splice(at, 1);
    if (places.length === 0) lines.delete(client);
    size -= 1;
    return true;
  };
  const next = (): void => {
    while (running < concurrency) {
      const [turn] = lines;
      if (turn === undefined) return;
      const [client, places] = turn;
      const place = places.shift();
      size -= 1;
      lines.delete(client);
      if (places.length > 0) lines.set(client, places);
      place?.start();
    }
  };
  const dropLongest = (): void => {
    const [client, places] = [...lines].reduce((longest, one) =>
      one[1].length > longest[1].length ? one : longest,
    );
    const last = places.at(-1);
    if (last === undefined) return;
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
    const places = lines.get(client);
    if (places === undefined) lines.set(client, [place]);
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
      if (size >= waiting && running >= concurrency) {
        const own = lines.get(who.client)?.length ?? 0;
        const longest = Math.max(...[...lines.values()].map((places) => places.length));
        if (own + 1 >= longest) throw tooBusy(ms);
        dropLongest();
      }
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
