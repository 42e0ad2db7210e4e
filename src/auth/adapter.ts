import { APIError, BASE_ERROR_CODES } from "@better-auth/core/error";
import type { BetterAuthOptions } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Database } from "../database/database.ts";
import { isUniqueViolation } from "../database/store-error.ts";
import { sessionEnd } from "../session/verifier.ts";
import { newUnit, type Unit, type Units } from "./unit-of-work.ts";

type Adapter = ReturnType<ReturnType<typeof drizzleAdapter>>;
type Call = (...parameters: unknown[]) => Promise<unknown>;
type Entity = Record<string, unknown>;
interface Request {
  readonly model: string;
  readonly where?: unknown;
  readonly update?: Entity;
}

const reads = ["findOne", "findMany", "count"] as const;
const writes = [
  "create",
  "update",
  "updateMany",
  "delete",
  "deleteMany",
  "consumeOne",
  "incrementOne",
] as const;

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
    const calls: Record<string, Call> = {};
    for (const name of reads) {
      calls[name] = guarded(units, async (request) => {
        const transaction = await units.current()?.transaction;
        const adapter = transaction === undefined ? reading : bound(transaction.db);
        return endSessions(await method(adapter, name)(request), request as Request, sessionMaxAgeSeconds);
      });
    }
    for (const name of writes) {
      calls[name] = guarded(units, async (request) => {
        const begun = units.write();
        if (begun === undefined)
          return await units.run(
            newUnit(),
            () => method(outer, name)(request),
            () => true,
          );
        const adapter = bound((await begun).db);
        const clamped = await clampSession(adapter, name, request as Request, sessionMaxAgeSeconds);
        return endSessions(await method(adapter, name)(clamped), request as Request, sessionMaxAgeSeconds);
      });
    }
    const outer = {
      ...reading,
      ...calls,
      transaction: <T>(work: (adapter: Adapter) => Promise<T>): Promise<T> =>
        units.current() === undefined
          ? units.run(
              newUnit(),
              () => work(outer),
              () => true,
            )
          : work(outer),
    } as Adapter;
    return outer;
  };
}

function method(adapter: Adapter, name: string): Call {
  return (adapter as unknown as Record<string, Call>)[name] as Call;
}

/** Keeps the first failure on the unit, and what was found or written for the log. */
function guarded(units: Units, call: Call): Call {
  return async (request) => {
    const unit = units.current();
    try {
      const result = await call(request);
      if (unit !== undefined) remember(unit, request as Request, result);
      return result;
    } catch (error) {
      if (error instanceof APIError) throw error;
      if (isUniqueViolation(error) && (request as Request).model === "user") {
        // Of two sign-ups at once, the later one: upstream's own answer to a taken e-mail.
        throw APIError.from("UNPROCESSABLE_ENTITY", BASE_ERROR_CODES.USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL);
      }
      if (unit !== undefined) unit.failure ??= error;
      throw error;
    }
  };
}

function remember(unit: Unit, request: Request, result: unknown): void {
  if (typeof result !== "object" || result === null) return;
  const entity = result as Entity;
  if (request.model === "user" && typeof entity["id"] === "string") unit.seen.userId = entity["id"];
  if (request.model === "session" && typeof entity["id"] === "string") {
    unit.seen.sessionId = entity["id"];
    if (typeof entity["userId"] === "string") unit.seen.userId = entity["userId"];
  }
}

/** Shows sessions with the end that counts: the absolute lifetime is not BetterAuth's idea. */
function endSessions(result: unknown, request: Request, maxAgeSeconds: number): unknown {
  if (request.model !== "session" || typeof result !== "object" || result === null) return result;
  if (Array.isArray(result)) return result.map((row) => endSessions(row, request, maxAgeSeconds));
  const { expiresAt, createdAt } = result as Entity;
  if (!(expiresAt instanceof Date) || !(createdAt instanceof Date)) return result;
  const end = sessionEnd({ expiresAt: expiresAt.getTime(), createdAt: createdAt.getTime() }, maxAgeSeconds);
  return end === expiresAt.getTime() ? result : { ...result, expiresAt: new Date(end) };
}

/** Keeps a sliding refresh within the session's absolute lifetime. */
async function clampSession(
  adapter: Adapter,
  name: string,
  request: Request,
  maxAgeSeconds: number,
): Promise<unknown> {
  const expiresAt = request.update?.["expiresAt"];
  if (name !== "update" || request.model !== "session" || !(expiresAt instanceof Date)) return request;
  const row = (await method(adapter, "findOne")({ model: "session", where: request.where })) as Entity | null;
  const createdAt = row?.["createdAt"];
  if (!(createdAt instanceof Date)) return request;
  const end = sessionEnd({ expiresAt: expiresAt.getTime(), createdAt: createdAt.getTime() }, maxAgeSeconds);
  return { ...request, update: { ...request.update, expiresAt: new Date(end) } };
}
