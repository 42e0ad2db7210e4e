import { APIError, BASE_ERROR_CODES } from "@better-auth/core/error";
import type { BetterAuthOptions } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Database } from "../database/database.ts";
import { isUniqueViolation } from "../database/store-error.ts";
import { sessionEnd } from "../session/verifier.ts";
import { newUnit, type Unit, type Units } from "./unit-of-work.ts";

type Adapter = ReturnType<ReturnType<typeof drizzleAdapter>>;
type Update = Parameters<Adapter["update"]>[0];
interface Lifetime {
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/**
 * BetterAuth's Drizzle adapter with our own transactions around it: reads see what is committed until the unit's first
 * write begins its transaction, and everything after runs inside. Failures of the store are kept on the unit, because
 * BetterAuth answers them as 401, 422 or 500; sessions end at their absolute lifetime, whatever the row says.
 */
export function createAdapter(database: Database, units: Units, sessionMaxAgeSeconds: number) {
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
      try {
        const result = await call();
        if (unit !== undefined) remember(unit, model, result);
        return model === "session" ? endSessions(result, sessionMaxAgeSeconds) : result;
      } catch (error) {
        throw translated(error, model, unit);
      }
    };
    const read = <T>(model: string, call: (adapter: Adapter) => Promise<T>): Promise<T> =>
      watched(model, async () => {
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
      findMany: (request) => read(request.model, (adapter) => adapter.findMany(request)),
      count: (request) => read(request.model, (adapter) => adapter.count(request)),
      create: (request) => write(request.model, (adapter) => adapter.create(request)),
      update: (request) =>
        write(request.model, async (adapter) =>
          adapter.update(await clampSession(adapter, request, sessionMaxAgeSeconds)),
        ),
      updateMany: (request) => write(request.model, (adapter) => adapter.updateMany(request)),
      delete: (request) => write(request.model, (adapter) => adapter.delete(request)),
      deleteMany: (request) => write(request.model, (adapter) => adapter.deleteMany(request)),
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

/** Notes what was found or written, for the log. */
function remember(unit: Unit, model: string, result: unknown): void {
  if (!isEntity(result) || typeof result.id !== "string") return;
  if (model === "user") unit.seen.userId = result.id;
  if (model !== "session") return;
  unit.seen.sessionId = result.id;
  if (typeof result.userId === "string") unit.seen.userId = result.userId;
}

function isEntity(value: unknown): value is { readonly id?: unknown; readonly userId?: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasLifetime(value: unknown): value is Lifetime {
  const { createdAt, expiresAt } = (isEntity(value) ? value : {}) as Partial<Lifetime>;
  return createdAt instanceof Date && expiresAt instanceof Date;
}

/** Shows sessions with the end that counts: the absolute lifetime is not BetterAuth's idea. */
function endSessions<T>(result: T, maxAgeSeconds: number): T {
  if (Array.isArray(result)) return result.map((row: unknown) => endSessions(row, maxAgeSeconds)) as T;
  if (!hasLifetime(result)) return result;
  const end = endOf(result, maxAgeSeconds);
  return end === result.expiresAt.getTime() ? result : { ...result, expiresAt: new Date(end) };
}

/** Keeps a sliding refresh within the session's absolute lifetime. */
async function clampSession(adapter: Adapter, request: Update, maxAgeSeconds: number): Promise<Update> {
  const { model, where, update } = request;
  const { expiresAt } = update;
  if (model !== "session" || !(expiresAt instanceof Date)) return request;
  const row = await adapter.findOne<Lifetime>({ model, where });
  if (row === null) return request;
  const end = endOf({ createdAt: row.createdAt, expiresAt }, maxAgeSeconds);
  return { ...request, update: { ...update, expiresAt: new Date(end) } };
}

function endOf({ createdAt, expiresAt }: Lifetime, maxAgeSeconds: number): number {
  return sessionEnd({ createdAt: createdAt.getTime(), expiresAt: expiresAt.getTime() }, maxAgeSeconds);
}
