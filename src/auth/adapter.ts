import { APIError, BASE_ERROR_CODES } from "@better-auth/core/error";
import type { BetterAuthOptions } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { isUniqueViolation } from "../database/store-error.ts";
import { letOthersRun } from "../let-others-run.ts";
import type { Endings } from "../session/endings.ts";
import { clockToleranceMs, isForOneDay, isSound, sessionEnd } from "../session/verifier.ts";
import { newUnit, type Unit, type Units } from "./unit-of-work.ts";

type Adapter = ReturnType<ReturnType<typeof drizzleAdapter>>;
type FindMany = Parameters<Adapter["findMany"]>[0];
type Update = Parameters<Adapter["update"]>[0];
/** More are counted, and not shown. */
const listedSessionsMax = 1_000;

/** The last one that every database and BetterAuth read alike. */
const lastInstant = new Date("9999-12-31T23:59:59Z");

/** How long sessions last: at the most, and without a visit. */
type Lifetimes = Pick<Config, "sessionMaxAgeSeconds" | "sessionExpiresInSeconds">;

interface Lifetime {
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/**
 * BetterAuth's Drizzle adapter with our own transactions around it: reads see what is committed until the unit's first
 * write begins its transaction, and everything after runs inside. Failures of the store are kept on the unit, because
 * BetterAuth answers them as 401, 422 or 500; sessions end at their absolute lifetime, whatever the row says.
 */
export function createAdapter(database: Database, units: Units, lifetimes: Lifetimes, endings: Endings) {
  const { sessionMaxAgeSeconds } = lifetimes;
  const config = { provider: database.provider, schema: { ...database.schema } };
  return (options: BetterAuthOptions): Adapter => {
    const reading = drizzleAdapter(database.reads(), config)(options);
    const writing = new WeakMap<object, Adapter>();
    const bound = (db: object): Adapter => {
      const known = writing.get(db);
      if (known !== undefined) return known;
      const adapter = drizzleAdapter(db, config)(options);
      writing.set(db, adapter);
      return adapter;
    };
    /** A call in its unit, or in one of its own; what it finds is shown with the end that counts. */
    const watched = async <T>(model: string, call: () => Promise<T>): Promise<T> => {
      const unit = units.current();
      // SQLite answers at once: a sign-in would keep every verify waiting from its hash to its commit.
      await letOthersRun();
      try {
        const result = await (database.timed === undefined ? call() : database.timed(call));
        if (unit !== undefined) remember(unit, model, result);
        return model === "session" ? endSessions(result, sessionMaxAgeSeconds, endings) : result;
      } catch (error) {
        throw translated(error, model, unit);
      }
    };
    const read = <T>(model: string, call: (adapter: Adapter) => Promise<T>): Promise<T> =>
      watched(model, async () => {
        database.requireOpen?.();
        const transaction = await units.current()?.transaction;
        return await call(transaction === undefined ? reading : bound(transaction.db));
      });
    const write = <T>(model: string, call: (adapter: Adapter) => Promise<T>): Promise<T> =>
      watched(model, async () => {
        const begun = units.write();
        if (begun !== undefined) return await call(bound((await begun).db));
        return await units.run(
          newUnit(),
          () => write(model, call),
          () => true,
        );
      });
    const outer: Adapter = {
      ...reading,
      findOne: (request) => read(request.model, (adapter) => adapter.findOne(request)),
      findMany: (request) =>
        read(request.model, (adapter) =>
          isSessionList(request.model, units.current())
            ? listSessions(adapter, request, units.current(), sessionMaxAgeSeconds)
            : adapter.findMany(request),
        ),
      count: (request) => read(request.model, (adapter) => adapter.count(request)),
      create: (request) => write(request.model, (adapter) => adapter.create(request)),
      update: (request) =>
        write(request.model, async (adapter) =>
          adapter.update(await clampSession(adapter, request, lifetimes)),
        ),
      updateMany: (request) => write(request.model, (adapter) => adapter.updateMany(request)),
      async delete(request) {
        if (request.model === "session") await outer.deleteMany(request);
        else await write(request.model, (adapter) => adapter.delete(request));
      },
      async deleteMany(request) {
        const deleted = await write(request.model, (adapter) => adapter.deleteMany(request));
        const unit = units.current();
        if (unit !== undefined && request.model === "session") unit.ended += deleted;
        return deleted;
      },
      consumeOne: (request) => write(request.model, (adapter) => adapter.consumeOne(request)),
      incrementOne: (request) => write(request.model, (adapter) => adapter.incrementOne(request)),
      transaction: (work) =>
        units.current() === undefined
          ? units.run(
              newUnit(),
              () => work(outer),
              () => true,
            )
          : work(outer),
    };
    return outer;
  };
}

/** Keeps the first failure on the unit; a second sign-up of one e-mail at once gets upstream's own answer to a taken one. */
function translated(error: unknown, model: string, unit: Unit | undefined): unknown {
  if (error instanceof APIError) return error;
  if (model === "user" && isUniqueViolation(error))
    return APIError.from("UNPROCESSABLE_ENTITY", BASE_ERROR_CODES.USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL);
  if (unit !== undefined) unit.failure ??= error;
  return error;
}

/** Routes that ask nobody to be signed in. */
const anonymous: ReadonlySet<string | undefined> = new Set([undefined, "signIn", "signUp", "signOut"]);

/** Notes what was found or written: for the log, and as what the unit acts on. */
function remember(unit: Unit, model: string, result: unknown): void {
  if (!isEntity(result) || typeof result.id !== "string") return;
  const { seen, premises } = unit;
  const userId = model === "user" ? result.id : model === "session" ? result.userId : undefined;
  if (typeof userId !== "string") return;
  seen.userId = userId;
  if (unit.transaction === undefined) premises.userId ??= userId;
  if (model !== "session") return;
  seen.sessionId = result.id;
  // The first is the one that asks.
  if (typeof result.token === "string" && !anonymous.has(unit.route)) premises.token ??= result.token;
}

function isEntity(value: unknown): value is {
  readonly id?: unknown;
  readonly userId?: unknown;
  readonly token?: unknown;
} {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether BetterAuth is about to list sessions for `list-sessions`, which it would cut at 100 of any age. */
function isSessionList(model: string, unit: Unit | undefined): boolean {
  return model === "session" && unit?.route === "listSessions";
}

/** The newest sessions that live, and how many there are. */
async function listSessions(
  adapter: Adapter,
  request: FindMany,
  unit: Unit | undefined,
  maxAgeSeconds: number,
): Promise<never[]> {
  const now = Date.now();
  const bounds = [
    { field: "createdAt", operator: "gt", value: new Date(now - maxAgeSeconds * 1000) },
    // Damaged ones are beyond these; SQLite takes text for larger than any number.
    { field: "createdAt", operator: "lte", value: new Date(now + clockToleranceMs) },
    { field: "expiresAt", operator: "lte", value: lastInstant },
  ] as const;
  const where = [...(request.where ?? []), ...bounds];
  const { model } = request;
  if (unit !== undefined) unit.total = await adapter.count({ model, where });
  const sortBy = { field: "createdAt", direction: "desc" as const };
  return await adapter.findMany({ model, where, sortBy, limit: listedSessionsMax });
}

function hasLifetime(value: unknown): value is Lifetime {
  const { createdAt, expiresAt } = (isEntity(value) ? value : {}) as Partial<Lifetime>;
  return createdAt instanceof Date && expiresAt instanceof Date;
}

/** Shows sessions with the end that counts: the absolute lifetime is not BetterAuth's idea. */
function endSessions<T>(result: T, maxAgeSeconds: number, endings: Endings): T {
  if (Array.isArray(result))
    return result.map((row: unknown) => endSessions(row, maxAgeSeconds, endings)) as T;
  if (!hasLifetime(result)) return result;
  const instants = instantsOf(result);
  // BetterAuth asks whether it is past, which a damaged instant never is.
  if (!isSound(instants, Date.now())) return { ...result, expiresAt: new Date(0) };
  const end = sessionEnd(instants, maxAgeSeconds);
  const { token } = result as { readonly token?: unknown };
  if (typeof token === "string" && end >= Date.now() && !endings.lives({ token, ...instants }))
    return { ...result, expiresAt: new Date(0) };
  return end === result.expiresAt.getTime() ? result : { ...result, expiresAt: new Date(end) };
}

/** Keeps a sliding refresh within the session's absolute lifetime. */
async function clampSession(
  adapter: Adapter,
  request: Update,
  { sessionMaxAgeSeconds, sessionExpiresInSeconds }: Lifetimes,
): Promise<Update> {
  const { model, where, update } = request;
  const { expiresAt } = update;
  if (model !== "session" || !(expiresAt instanceof Date)) return request;
  const row = await adapter.findOne<Lifetime>({ model, where });
  if (row === null) return request;
  if (isForOneDay(instantsOf(row), sessionExpiresInSeconds))
    return { ...request, update: { ...update, expiresAt: row.expiresAt } };
  const end = sessionEnd(instantsOf({ createdAt: row.createdAt, expiresAt }), sessionMaxAgeSeconds);
  return { ...request, update: { ...update, expiresAt: new Date(end) } };
}

/** In ms since the epoch. */
function instantsOf({ createdAt, expiresAt }: Lifetime) {
  return { createdAt: createdAt.getTime(), expiresAt: expiresAt.getTime() };
}
