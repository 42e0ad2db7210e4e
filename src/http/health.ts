import { withDeadline } from "../deadline.ts";

/** How old a database result may be: polling costs the database little. */
const reuseMs = 5_000;
/** A database that sleeps when nobody asks is asked no more once no request has for so long. */
const idleAfterMs = 60_000;
const probeTimeoutMs = 1_800;

export interface HealthDeps {
  readonly version: string;
  readonly ping: () => Promise<number>;
  /** How long no request has asked the database, in ms; only of one that sleeps meanwhile. */
  readonly idleMs?: (() => number) | undefined;
  /** Migrations not applied; empty once the server runs. */
  readonly pendingMigrations: () => readonly string[];
  readonly now: () => number;
}

interface DatabaseCheck {
  readonly status: "ok" | "unavailable";
  readonly latencyMs?: number;
  /** Whether the answer is the last one before nobody asked any more: a probe would wake the database. */
  readonly idle?: true;
}

/** Builds the readiness route: 200 or 503 within 2 s. */
export function createHealth(deps: HealthDeps): () => Promise<Response> {
  let last: { readonly at: number; readonly check: Promise<DatabaseCheck> } | undefined;
  const probe = async (): Promise<DatabaseCheck> => {
    const started = deps.now();
    try {
      await withDeadline(deps.ping(), probeTimeoutMs, () => new Error("the database did not answer in time"));
      return { status: "ok", latencyMs: Math.max(0, deps.now() - started) };
    } catch {
      return { status: "unavailable" };
    }
  };
  return async () => {
    const now = deps.now();
    const isIdle = last !== undefined && (deps.idleMs?.() ?? 0) > idleAfterMs;
    if (last === undefined || (!isIdle && (now - last.at > reuseMs || now < last.at)))
      last = { at: now, check: probe() };
    const found = await last.check;
    const database = isIdle ? { ...found, idle: true as const } : found;
    // Only good news may be old: a database that is back should count at once.
    if (database.status !== "ok") last = undefined;
    const pending = deps.pendingMigrations();
    const ready = database.status === "ok" && pending.length === 0;
    return Response.json(
      {
        status: ready ? "ok" : "unavailable",
        version: deps.version,
        checks: {
          database,
          migrations: { status: pending.length === 0 ? "ok" : "pending", pending: pending.length },
        },
      },
      {
        status: ready ? 200 : 503,
        headers: { "Cache-Control": "no-store", ...(ready ? {} : { "Retry-After": "2" }) },
      },
    );
  };
}

/** Liveness: the process answers. No I/O. */
export function live(version: string): Response {
  return Response.json({ status: "ok", version }, { headers: { "Cache-Control": "no-store" } });
}
