import type { Config } from "../config/config.ts";
import type { Readiness } from "../http/health.ts";
import type { Figures } from "../metrics/figures.ts";
import type { KeyPair } from "../server.ts";

/** What a worker needs to begin. */
export interface WorkerStart {
  readonly kind: "start";
  /** From 1. */
  readonly number: number;
  /** Complete, but for a generated secret: port and the worker's own part of the connections. Passed on, never read anew: all have the same. */
  readonly config: Config;
  /** What to speak TLS by; null without TLS, and while there is none. */
  readonly certificate: KeyPair | null;
  /** The supervisor's process id: whose end is the worker's. */
  readonly supervisor: number;
}

/** From the supervisor to a worker. An `id` is the worker's own number of what it asked for. */
export type ToWorker =
  | WorkerStart
  /** Take no new connection, and finish what is under way. */
  | { readonly kind: "drain" }
  /** Speak TLS by this one from now on. */
  | { readonly kind: "certificate"; readonly certificate: KeyPair }
  /** Close the database, and end. */
  | { readonly kind: "close" }
  /** It is the turn of what waits in the line of requests that hash. */
  | { readonly kind: "turn"; readonly id: number }
  /** The line is too long. */
  | { readonly kind: "refused"; readonly id: number; readonly retryAfterSeconds: number }
  /** One more hash may be computed. */
  | { readonly kind: "slot"; readonly id: number }
  /** Say that you are there. */
  | { readonly kind: "ping" }
  /** Say what you find. */
  | { readonly kind: "look"; readonly id: number }
  /** What all workers find. */
  | { readonly kind: "readiness"; readonly id: number; readonly readiness: Readiness }
  /** Say what you have counted, and, where it is asked, what is the same to all. */
  | { readonly kind: "count"; readonly id: number; readonly withShared: boolean }
  /** What all workers have counted. */
  | { readonly kind: "figures"; readonly id: number; readonly figures: Figures };

/** From a worker to the supervisor. */
export type FromWorker =
  | { readonly kind: "listening" }
  /** It cannot start. */
  | { readonly kind: "failed"; readonly message: string; readonly remedy: string }
  | { readonly kind: "drained"; readonly reason: DrainReason }
  /** A request that hashes wants its turn. */
  | { readonly kind: "enter"; readonly id: number; readonly client: string }
  /** Nobody waits for that request any more. */
  | { readonly kind: "gone"; readonly id: number }
  /** That request is done. @property isMeasure whether the time it took says how long such requests take. */
  | { readonly kind: "leave"; readonly id: number; readonly isMeasure: boolean }
  | { readonly kind: "acquire"; readonly id: number }
  | { readonly kind: "release"; readonly id: number }
  /** It is there: the answer to every ping. */
  | { readonly kind: "pong" }
  | { readonly kind: "found"; readonly id: number; readonly readiness: Readiness }
  /** What do all workers find? */
  | { readonly kind: "ask"; readonly id: number }
  /** The answer to a count; 0 of one that nobody asked for, at the end. */
  | {
      readonly kind: "counted";
      readonly id: number;
      readonly figures: Figures;
      /** Of the database, the same to all; null where it was not asked. */
      readonly shared: Figures | null;
    }
  /** What have all workers counted? */
  | { readonly kind: "gather"; readonly id: number };

/** How a drain came to its end. */
export type DrainReason = "drained" | "drain timeout";
