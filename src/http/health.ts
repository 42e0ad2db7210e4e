import { withDeadline } from "../deadline.ts";

/** How old a database result may be: polling costs the database little. */
const reuseMs = 5_000;
/** A database that sleeps when nobody asks is asked no more once no request has for so long. */
const idleAfterMs = 60_000;
const probeTimeoutMs = 1_800;

export interface ReadinessDeps {
  /** Reads what a start would: the tags of migrations that are missing. */
  readonly probe: () => Promise<readonly string[]>;
  /** Throws when the database is known to be lost, so that the last result does not count. */
  readonly requireOpen?: () => void;
  /** How long no request has asked the database, in ms; only of one that sleeps meanwhile. */
  readonly idleMs?: (() => number) | undefined;
  /** Hears why the database is not ready, once until it is again. */
  readonly onFailure: (error: unknown) => void;
  readonly now: () => number;
}

interface DatabaseCheck {
  readonly status: "ok" | "unavailable";
  readonly latencyMs?: number;
  /** Whether the answer is the last one before nobody asked any more: a probe would wake the database. */
  readonly idle?: true;
}

/** What is found of one process, or of all that share a port. */
export interface Readiness {
  readonly database: DatabaseCheck;
  /** Missing migrations. */
  readonly pending: number;
  /** Of several: how many serve, and how many should. */
  readonly workers?: { readonly serving: number; readonly configured: number };
}

/** Whether it can serve. A worker that is missing is no reason why not: the others have its connections. */
export function isReady({ database, pending }: Readiness): boolean {
  return database.status === "ok" && pending === 0;
}

/** Builds what looks at the database: an answer within 1.8 s. */
export function createReadiness(deps: ReadinessDeps): () => Promise<Readiness> {
  let last: { readonly at: number; readonly check: Promise<Readiness> } | undefined;
  let isFailing = false;
  const probe = async (): Promise<Readiness> => {
    const started = deps.now();
    try {
      const late = () => new Error("the database did not answer in time");
      const pending = await withDeadline(deps.probe(), probeTimeoutMs, late);
      isFailing = false;
      const latencyMs = Math.max(0, deps.now() - started);
      return { database: { status: "ok", latencyMs }, pending: pending.length };
    } catch (error) {
      if (!isFailing) deps.onFailure(error);
      isFailing = true;
      return { database: { status: "unavailable" }, pending: 0 };
    }
  };
  return async () => {
    const now = deps.now();
    try {
      deps.requireOpen?.();
    } catch {
      last = undefined;
    }
    const isIdle = last !== undefined && (deps.idleMs?.() ?? 0) > idleAfterMs;
    if (last === undefined || (!isIdle && (now - last.at > reuseMs || now < last.at)))
      last = { at: now, check: probe() };
    const found = await last.check;
    // Only good news may be old: a database that is back should count at once.
    if (!isReady(found)) last = undefined;
    return isIdle ? { ...found, database: { ...found.database, idle: true } } : found;
  };
}

/** Builds the readiness route: 200 or 503 within 2 s. */
export function createHealth(version: string, find: () => Promise<Readiness>): () => Promise<Response> {
  return async () => {
    const found = await find();
    const { database, pending, workers } = found;
    const ready = isReady(found);
    return Response.json(
      {
        status: ready ? "ok" : "unavailable",
        version,
        checks: {
          database,
          migrations: { status: pending === 0 ? "ok" : "pending", pending },
          ...(workers === undefined ? {} : { workers: workersCheck(workers) }),
        },
      },
      {
        status: ready ? 200 : 503,
        headers: { "Cache-Control": "no-store", ...(ready ? {} : { "Retry-After": "2" }) },
      },
    );
  };
}

function workersCheck({ serving, configured }: NonNullable<Readiness["workers"]>) {
  return { status: serving < configured ? "missing" : "ok", serving, configured };
}

/** Liveness: the process answers. No I/O. */
export function live(version: string): Response {
  return Response.json({ status: "ok", version }, { headers: { "Cache-Control": "no-store" } });
}
