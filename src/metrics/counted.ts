import type { HashLine } from "../auth/hash-line.ts";
import type { LimitStore } from "../database/limit-store.ts";
import type { Front } from "../front.ts";
import type { FastRoutes } from "../http/fast-path.ts";
import type { AuthOutcome } from "../http/auth.ts";
import { findRoute, type RouteName, withoutTrailingSlash } from "../routes.ts";
import type { Verify, Verification } from "../session/verifier.ts";
import type { Counts } from "./counts.ts";
import type { entryOutcomes } from "./metrics.ts";

type CountRequest = (status: number, startedMs: number) => void;

/** Counts every request by its route and status, and how long it took. */
export function countFront(front: Front, counts: Counts): Front {
  const known = new Map<RouteName | "unknown", CountRequest>();
  const counterOf = (name: RouteName | "unknown"): CountRequest => {
    const count = known.get(name) ?? createRequestCounter(counts, name);
    known.set(name, count);
    return count;
  };
  const routes = Object.entries(front.routes).map(([path, { GET, HEAD }]) => {
    const name = routeNameOf(path);
    // What stands here beside the routes, figures themselves, is no visitor's.
    if (name === "unknown") return [path, { GET, HEAD }];
    const count = counterOf(name);
    return [path, { GET: counted(GET, count), HEAD: counted(HEAD, count) }];
  });
  return {
    routes: Object.fromEntries(routes) as FastRoutes,
    async fetch(request, peers) {
      const started = performance.now();
      const name = URL.canParse(request.url) ? routeNameOf(new URL(request.url).pathname) : "unknown";
      try {
        const response = await front.fetch(request, peers);
        counterOf(name)(response.status, started);
        return response;
      } catch (error) {
        counterOf(name)(500, started);
        throw error;
      }
    },
  };
}

function routeNameOf(path: string): RouteName | "unknown" {
  return findRoute(withoutTrailingSlash(path))?.name ?? "unknown";
}

function createRequestCounter(counts: Counts, name: string): CountRequest {
  const counter = (status: number) => counts.counter("latchkey_http_requests_total", `${name},${status}`);
  // There from the start, so that the first of them is an increase.
  const statuses = new Map([500, 503].map((status) => [status, counter(status)]));
  const time = counts.timer("latchkey_http_request_duration_seconds", name);
  return (status, startedMs) => {
    let count = statuses.get(status);
    if (count === undefined) {
      count = counter(status);
      statuses.set(status, count);
    }
    count();
    time((performance.now() - startedMs) / 1_000);
  };
}

type Handler = FastRoutes[string]["GET"];

function counted(handle: Handler, count: CountRequest): Handler {
  return (request, peers) => {
    const started = performance.now();
    const answer = handle(request, peers);
    if (!(answer instanceof Promise)) {
      count(answer.status, started);
      return answer;
    }
    return answer.then(
      (response) => {
        count(response.status, started);
        return response;
      },
      (error: unknown) => {
        count(500, started);
        throw error;
      },
    );
  };
}

/** Counts what verify found. */
export function countVerify(verify: Verify, counts: Counts): Verify {
  const counter = (outcome: string) => counts.counter("latchkey_verifications_total", outcome);
  const authenticated = counter("authenticated");
  const unavailable = counter("unavailable");
  const refused = {
    NO_CREDENTIALS: counter("no_credentials"),
    INVALID_SESSION: counter("invalid_session"),
    SESSION_EXPIRED: counter("session_expired"),
  };
  const note = (found: Verification): Verification => {
    if ("refusal" in found) refused[found.refusal]();
    else authenticated();
    return found;
  };
  const fail = (error: unknown): never => {
    unavailable();
    throw error;
  };
  return (cookie, authorization) => {
    try {
      const found = verify(cookie, authorization);
      return found instanceof Promise ? found.then(note, fail) : note(found);
    } catch (error) {
      return fail(error);
    }
  };
}

/** Counts who stands in the line, and for how long. */
export function countLine(line: HashLine, counts: Counts): HashLine {
  return {
    async enter(who, work) {
      const started = performance.now();
      let isWaiting = true;
      counts.add("latchkey_hash_line_waiting");
      const leave = () => {
        if (isWaiting) counts.add("latchkey_hash_line_waiting", "", -1);
        isWaiting = false;
      };
      try {
        return await line.enter(who, async () => {
          leave();
          counts.observe("latchkey_hash_line_wait_seconds", "", (performance.now() - started) / 1_000);
          return await work();
        });
      } finally {
        leave();
      }
    },
  };
}

/** Counts how long limits wait for what they count in the database. */
export function countLimitStore(store: LimitStore, counts: Counts): LimitStore {
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const started = performance.now();
    return await work.finally(() =>
      counts.observe("latchkey_limit_wait_seconds", "", (performance.now() - started) / 1_000),
    );
  };
  return {
    add: (...addition) => timed(store.add(...addition)),
    takeBack: (key) => timed(store.takeBack(key)),
    remove: (key) => timed(store.remove(key)),
  };
}

/** Counts sign-ins and sign-ups by what came of them, and who was sent away by a limit or a line that is full. */
export function countOutcome({ name, status, code, reason }: AuthOutcome, counts: Counts): void {
  if (code === "TOO_MANY_REQUESTS" && reason?.startsWith("limit_") === true)
    counts.add("latchkey_limits_reached_total", reason.slice("limit_".length));
  if (code === "TOO_BUSY") counts.add("latchkey_hash_line_refusals_total");
  if (name === "signIn") counts.add("latchkey_sign_ins_total", entryOutcomeOf(status, code));
  if (name === "signUp") counts.add("latchkey_sign_ups_total", entryOutcomeOf(status, code));
}

function entryOutcomeOf(status: number, code: string | undefined): (typeof entryOutcomes)[number] {
  if (status < 400) return "success";
  if (status === 429) return "limited";
  if (status === 503) return code === "TOO_BUSY" ? "busy" : "unavailable";
  return status >= 500 ? "error" : "refused";
}
