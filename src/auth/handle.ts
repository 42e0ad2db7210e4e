import PQueue from "p-queue";
import { type AuthRouteName, type Route, routes } from "../routes.ts";
import type { SessionReading } from "../session/get-session.ts";
import { type Auth, clientAddressHeader } from "./better-auth.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { AppError } from "../errors.ts";
import { type Passwords, tooBusy } from "./password.ts";
import { readCookie, signToken, verifySignedToken } from "../session/cookie.ts";
import { type Body, checkInput, type InputRules } from "./input.ts";
import { newUnit, type Unit, type Units } from "./unit-of-work.ts";

/** A request for one of BetterAuth's routes, its body read and parsed. */
export interface AuthRequest {
  readonly name: AuthRouteName;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: Headers;
  readonly body: Body | undefined;
  readonly clientAddress: string;
  /** What is known of the presented session; undefined when it was not looked up. */
  readonly reading: SessionReading | undefined;
}

export interface HandlerDeps {
  readonly auth: Auth;
  readonly units: Units;
  readonly passwords: Passwords;
  readonly baseUrl: string;
  readonly secrets: readonly string[];
  readonly cookieName: string;
  readonly rules: InputRules;
  /** Requests that hash a password: at once, and waiting before 503. */
  readonly hashing: { readonly concurrency: number; readonly waiting: number };
  /** Whether the presented session already ends at its absolute lifetime. */
  readonly isClamped: (cookie: string | null) => Promise<boolean>;
  readonly onRehashError: (error: unknown) => void;
  /** Takes work that never rejects and that no answer waits for. */
  readonly inBackground: (work: Promise<void>) => void;
}

export type Handle = (request: AuthRequest, unit?: Unit) => Promise<Response>;

/**
 * Hands a request to BetterAuth as one unit of work: everything it wrote is kept when it answers 2xx or 3xx, nothing
 * otherwise. @throws AppError 503 when the store failed at any point, whatever BetterAuth made of it.
 */
export function createHandle(deps: HandlerDeps): Handle {
  const line = new PQueue({ concurrency: deps.hashing.concurrency });
  return async (request, unit = newUnit()) => {
    const { hashes }: Route = routes[request.name];
    if (hashes !== true) return await handleUnit(deps, request, unit);
    // BetterAuth takes a ms or two before it hashes: of 250 sign-ins at once, verify would wait for all of them.
    if (line.size >= deps.hashing.waiting) throw tooBusy();
    return await line.add(() => handleUnit(deps, request, unit));
  };
}

async function handleUnit(deps: HandlerDeps, request: AuthRequest, unit: Unit): Promise<Response> {
  // Nobody waits for it any more.
  if (unit.abandoned) throw tooBusy();
  const body = await prepareBody(deps, request);
  const search = await prepareSearch(deps, request);
  const response = await deps.units.run(
    unit,
    async () => {
      const answer = await answerOf(deps.auth, rebuild(deps, { ...request, search }, body), unit);
      if (unit.failure !== undefined) throw storeFailure(unit.failure);
      return answer;
    },
    (answer) => answer.status < 400,
  );
  // Not awaited: the sign-in is committed, and nothing that comes after may turn it into an error.
  if (unit.rehash !== undefined && request.name === "signIn") deps.inBackground(rehash(deps, unit));
  return await shape(request.name, response);
}

async function answerOf(auth: Auth, request: Request, unit: Unit): Promise<Response> {
  try {
    return await auth.handler(request);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (unit.failure !== undefined) throw storeFailure(unit.failure);
    throw new AppError("INTERNAL_SERVER_ERROR", "Something went wrong.", { cause: error });
  }
}

function storeFailure(failure: unknown): AppError {
  return failure instanceof AppError ? failure : storeUnavailable(failure);
}

async function prepareBody(deps: HandlerDeps, request: AuthRequest): Promise<Body | undefined> {
  if (request.body === undefined) return undefined;
  const body = checkInput(request.name, request.body, deps.rules);
  if (request.name !== "revokeSession" || typeof body["token"] !== "string") return body;
  // The list shows a session's id in place of its token; either ends it.
  const { adapter } = await deps.auth.$context;
  const unit = newUnit();
  const row = await deps.units
    .run(
      unit,
      () =>
        adapter.findOne<{ token: string }>({
          model: "session",
          where: [{ field: "id", value: String(body["token"]) }],
        }),
      () => false,
    )
    .catch((error: unknown) => {
      throw storeFailure(error);
    });
  return row === null ? body : { ...body, token: row.token };
}

/** A session that ends at its absolute lifetime is no longer due for the refresh that BetterAuth would make it. */
async function prepareSearch(deps: HandlerDeps, request: AuthRequest): Promise<string> {
  const { name, search, headers, reading } = request;
  if (name !== "getSession" || new URLSearchParams(search).has("disableRefresh")) return search;
  // Looked up already, and it was not.
  if (typeof reading === "object" && reading.isKnown) return search;
  if (!(await deps.isClamped(headers.get("cookie")))) return search;
  return `${search === "" ? "?" : `${search}&`}disableRefresh=true`;
}

/** The request as BetterAuth gets it: our own origin, host, path and client address, whatever was sent. */
function rebuild(deps: HandlerDeps, request: AuthRequest, body: Body | undefined): Request {
  const headers = new Headers(request.headers);
  for (const name of [
    "host",
    "content-length",
    "transfer-encoding",
    "x-forwarded-host",
    "x-forwarded-proto",
  ]) {
    headers.delete(name);
  }
  headers.set(clientAddressHeader, request.clientAddress);
  const cookie = headers.get("cookie");
  if (cookie !== null) headers.set("cookie", withCurrentSignature(deps, cookie));
  const { path, methods } = routes[request.name];
  const url = deps.baseUrl + path + request.search;
  if (methods === "GET") return new Request(url, { headers });
  headers.set("content-type", "application/json");
  return new Request(url, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

/** BetterAuth verifies with the newest secret alone: a session signed with an older one is signed anew on its way in. */
function withCurrentSignature({ secrets, cookieName }: HandlerDeps, cookie: string): string {
  const [current] = secrets;
  if (secrets.length < 2 || current === undefined) return cookie;
  const value = readCookie(cookie, cookieName);
  const signed = value === undefined ? null : verifySignedToken(value, secrets);
  return signed === null || signed.key === 0
    ? cookie
    : `${cookieName}=${signToken(signed.token, current)}; ${cookie}`;
}

/** Replaces an outdated hash, unless the password was changed in the meantime. Its failure costs nobody a sign-in. */
async function rehash({ auth, units, passwords, onRehashError }: HandlerDeps, unit: Unit): Promise<void> {
  const { userId } = unit.seen;
  if (unit.rehash === undefined || userId === undefined) return;
  const { stored, password } = unit.rehash;
  try {
    const { adapter } = await auth.$context;
    const renewed = await passwords.hash(password);
    const where = [
      { field: "userId", value: userId },
      { field: "providerId", value: "credential" },
      { field: "password", value: stored },
    ];
    await units.run(
      newUnit(),
      () => adapter.updateMany({ model: "account", where, update: { password: renewed } }),
      () => true,
    );
  } catch (error) {
    onRehashError(error);
  }
}

/** Mends an answer: session tokens leave only by sign-in, sign-up and get-session, so the list shows ids. */
async function shape(name: AuthRouteName, response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.set("cache-control", "no-store");
  if (name !== "listSessions" || !response.ok)
    return new Response(response.body, { status: response.status, headers });
  const sessions = (await response.json()) as { id: string; token: string }[];
  const listed = sessions.map((session) => ({ ...session, token: session.id }));
  return Response.json(listed, { status: response.status, headers });
}
