import { type AuthRouteName, routes } from "../routes.ts";
import type { Route } from "../routes/route.ts";
import type { SessionReading } from "../session/get-session.ts";
import type { Auth } from "./better-auth.ts";
import { storeFailure, storeUnavailable } from "../database/store-error.ts";
import { AppError } from "../errors.ts";
import { clientOf, type HashLine, tooBusy } from "./hash-line.ts";
import { attemptOf, limited, settled } from "./attempt.ts";
import type { Attempt, Limits } from "./limits.ts";
import type { Passwords } from "./password.ts";
import type { PasswordOwner } from "./guessable.ts";
import type { RequireUnbreached } from "./breached/breaches.ts";
import { lookUp } from "./look-up.ts";
import { type Body, checkInput, type InputRules } from "./input.ts";
import { PremiseLost } from "../database/premises.ts";
import { rebuildRequest } from "./rebuilt-request.ts";
import type { AnswerMailRoute } from "./mail-routes.ts";
import type { NoticeRequest, Notices } from "./notices.ts";
import type { Recovery } from "./recovery.ts";
import type { Invitations } from "./invitation.ts";
import { newUnit, renewUnit, type Unit, type Units } from "./unit-of-work.ts";

/** A request for one of BetterAuth's routes, its body read and parsed. */
export interface AuthRequest {
  readonly name: AuthRouteName;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: Headers;
  readonly body: Body | undefined;
  readonly clientAddress: string;
  /** Aborted when the caller has gone; undefined where that is not known. */
  readonly gone?: AbortSignal | undefined;
  /** What is known of the presented session; undefined when it was not looked up. */
  readonly reading: SessionReading | undefined;
}

export interface HandlerDeps {
  /** BetterAuth, which is loaded when it is first asked for. */
  readonly auth: () => Promise<Auth>;
  readonly units: Units;
  readonly passwords: Passwords;
  readonly baseUrl: string;
  readonly secrets: readonly string[];
  readonly cookieName: string;
  readonly rules: InputRules;
  /** Undefined where new passwords are not looked up. */
  readonly requireUnbreached?: RequireUnbreached | undefined;
  /** Whose link for a new password a token is of. */
  readonly findRecovery: Recovery["find"];
  /** Of requests that hash a password. */
  readonly line: HashLine;
  readonly answerMailRoute: AnswerMailRoute;
  readonly notices: Notices;
  readonly invitations: Invitations;
  /** Whether a browser is not known to be of somebody who signs in; false where nobody is to be told. */
  readonly isNewDevice: (headers: Headers, email: string | undefined) => Promise<boolean>;
  /** Counts the mail that a sign-up causes. @returns false where none is to be sent. */
  readonly mayMail: (email: string) => Promise<boolean>;
  /** Whether a sign-up does not say that its address is taken. */
  readonly hidesTaken: boolean;
  /** On guessing; null for none. */
  readonly limits: Limits | null;
  /** What an attempt came to could not be counted. */
  readonly onLimitError: (error: unknown) => void;
  /** The presented session; null where none lives. */
  readonly present: (cookie: string | null) => Promise<PresentedSession | null>;
  readonly onRehashError: (error: unknown) => void;
  /** Takes work that never rejects and that no answer waits for. */
  readonly inBackground: (work: Promise<void>) => void;
}

interface PresentedSession {
  /** Whether it already ends at its absolute lifetime. */
  readonly isClamped: boolean;
  /** Whether it was made without "remember me". */
  readonly isForOneDay: boolean;
  readonly userId: string;
  readonly email: string;
  readonly token: string;
  /** Whose it is, as the database has it. */
  readonly owner: PasswordOwner;
}

export type Handle = (request: AuthRequest, unit?: Unit) => Promise<Response>;

/**
 * Hands a request to BetterAuth as one unit of work: everything it wrote is kept when it answers 2xx or 3xx, nothing
 * otherwise. @throws AppError 503 when the store failed at any point, whatever BetterAuth made of it.
 */
export function createHandle(deps: HandlerDeps): Handle {
  return async (request, unit = newUnit()) => {
    const { hashes, mails, limited: isLimited }: Route = routes[request.name];
    if (hashes !== true && mails !== true && isLimited !== true)
      return await handleAgain(deps, request, unit);
    const attempt = attemptOf(deps.cookieName, request);
    // A flood does not even stand in line.
    limited(unit, () => deps.limits?.refuseKnown(attempt));
    if (hashes !== true) return await handleAdmitted(deps, request, unit, attempt);
    // Before the line, and before every transaction: nobody waits there for somebody else's server.
    if (deps.requireUnbreached !== undefined)
      await lookUp({ ...deps, requireUnbreached: deps.requireUnbreached }, request);
    // BetterAuth takes a ms or two before it hashes: of 250 sign-ins at once, verify would wait for all of them.
    unit.enteredAt = performance.now();
    return await deps.line.enter(
      { client: clientOf(request.clientAddress), gone: request.gone },
      async () => {
        const waitedMs = performance.now() - unit.enteredAt;
        // Its time would be up before it is done.
        if (waitedMs > waitedMaxMs) throw tooBusy(waitedMs);
        unit.waitedMs = waitedMs;
        // Counted when it is its turn: what waits in line is no try yet.
        return await handleAdmitted(deps, request, unit, attempt);
      },
    );
  };
}

/** Handles what the limits let through, and tells them what it came to. @throws AppError 429. */
async function handleAdmitted(
  deps: HandlerDeps,
  request: AuthRequest,
  unit: Unit,
  attempt: Attempt,
): Promise<Response> {
  const admission = await limited(unit, () => deps.limits?.admit(attempt));
  if (admission === undefined) return await handleAgain(deps, request, unit);
  return await settled(admission, deps.onLimitError, request.name, () => handleAgain(deps, request, unit));
}

/** Of the 5 s that a request has. */
const waitedMaxMs = 4_000;
/** How often a request is begun anew because another one changed, at the same time, what it acts on. */
const triesMax = 3;

/** Handles a request, and again from its start where what it had read did not hold until it wrote. */
async function handleAgain(deps: HandlerDeps, request: AuthRequest, unit: Unit): Promise<Response> {
  for (let tried = 1; ; tried += 1) {
    unit.route = request.name;
    try {
      return await handleUnit(deps, request, unit);
    } catch (error) {
      const isLost = error instanceof PremiseLost || unit.failure instanceof PremiseLost;
      if (!isLost || tried === triesMax) throw isLost ? storeUnavailable(error) : error;
      renewUnit(unit);
    }
  }
}

async function handleUnit(deps: HandlerDeps, request: AuthRequest, unit: Unit): Promise<Response> {
  // Nobody waits for it any more.
  if (unit.abandoned) throw tooBusy(0);
  const own = await deps.answerMailRoute(request, () => deps.present(request.headers.get("cookie")), unit);
  if (own !== undefined) return own;
  const presented = await presentedSession(deps, request);
  const body = await prepareBody(deps, request, presented, unit);
  unit.isForOneDay = presented?.isForOneDay === true;
  const notice = noticeOf(request, body, presented);
  if (request.name === "signIn") unit.isNewDevice = await deps.isNewDevice(request.headers, notice.email);
  if (request.name === "signUp" && notice.email !== undefined)
    unit.isQuiet = !(await deps.mayMail(notice.email));
  const search = withoutRefresh(request, presented);
  const response = await deps.units.run(
    unit,
    async () => {
      const answer = await answerOf(
        await deps.auth(),
        rebuildRequest(deps, { ...request, search }, body, presented),
        unit,
      );
      if (unit.failure !== undefined) throw storeFailure(unit.failure);
      if (answer.status < 400) await deps.notices.of(notice, unit);
      // Somebody else signed up with the address meanwhile: to say so would say that it is taken.
      if (answer.status === 422 && request.name === "signUp" && deps.hidesTaken) throw new PremiseLost();
      return answer;
    },
    (answer) => answer.status < 400,
  );
  // Not awaited: the sign-in is committed, and nothing that comes after may turn it into an error.
  if (unit.rehash !== undefined && request.name === "signIn") deps.inBackground(rehash(deps, unit));
  return await shape(request.name, response, unit);
}

/** Whom a request concerns, for what they are told of it. */
function noticeOf(
  { name, headers, clientAddress }: AuthRequest,
  body: Body | undefined,
  presented: PresentedSession | null,
): NoticeRequest {
  const given = name === "signIn" || name === "signUp" ? body?.["email"] : undefined;
  const callbackUrl = body?.["callbackURL"];
  return {
    name,
    headers,
    clientAddress,
    email: typeof given === "string" ? given : presented?.email,
    callbackUrl: typeof callbackUrl === "string" ? callbackUrl : null,
  };
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

async function prepareBody(
  deps: HandlerDeps,
  request: AuthRequest,
  presented: PresentedSession | null,
  unit: Unit,
): Promise<Body | undefined> {
  if (request.body === undefined) return undefined;
  if (request.name === "signUp") return await deps.invitations.admit(request.body, unit);
  const body = checkInput(request.name, request.body, deps.rules, presented?.owner);
  if (request.name !== "revokeSession" || typeof body["token"] !== "string") return body;
  // The list shows a session's id in place of its token; either ends it.
  const { adapter } = await (await deps.auth()).$context;
  const row = await deps.units
    .run(
      newUnit(),
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

/** Routes on which BetterAuth does nothing to a session that it is shown but end it. */
const sessionless: ReadonlySet<AuthRouteName> = new Set(["signIn", "signUp", "signOut"]);

/** The session that a route acts for, which BetterAuth may refresh on the way. */
async function presentedSession(deps: HandlerDeps, request: AuthRequest): Promise<PresentedSession | null> {
  const { name, headers, reading } = request;
  if (sessionless.has(name)) return null;
  // Looked up already: it has ended, or its refresh is due.
  if (typeof reading === "object" && reading.isKnown) return null;
  return await deps.present(headers.get("cookie"));
}

/** A session that ends at its absolute lifetime is no longer due for the refresh that BetterAuth would make it. */
function withoutRefresh({ name, search }: AuthRequest, presented: PresentedSession | null): string {
  if (name !== "getSession" || presented?.isClamped !== true) return search;
  if (new URLSearchParams(search).has("disableRefresh")) return search;
  return `${search === "" ? "?" : `${search}&`}disableRefresh=true`;
}

/** Replaces an outdated hash, unless the password was changed in the meantime. Its failure costs nobody a sign-in. */
async function rehash({ auth, units, passwords, onRehashError }: HandlerDeps, unit: Unit): Promise<void> {
  const { userId } = unit.seen;
  if (unit.rehash === undefined || userId === undefined) return;
  const { stored, password } = unit.rehash;
  try {
    const { adapter } = await (await auth()).$context;
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

/**
 * Mends an answer: session tokens leave only by sign-in, sign-up and get-session, so the list shows ids; and what ended
 * no session does not say that it did.
 */
async function shape(name: AuthRouteName, response: Response, unit: Unit): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.set("cache-control", "no-store");
  const { status } = response;
  const answer = (body: unknown) => {
    headers.delete("content-length");
    return Response.json(body, { status, headers });
  };
  if (response.ok && name === "listSessions") {
    headers.set("x-total-count", String(unit.total ?? 0));
    const sessions = (await response.json()) as { id: string; token: string }[];
    return answer(sessions.map((session) => ({ ...session, token: session.id })));
  }
  if (response.ok && unit.ended === 0 && name === "revokeSession") return answer({ status: false });
  if (response.ok && unit.ended === 0 && name === "signOut") return answer({ success: false });
  return new Response(response.body, { status, headers });
}
