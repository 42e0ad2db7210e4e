import type { Handle } from "../auth/handle.ts";
import { type Body, emailMaxLength } from "../auth/input.ts";
import { tooBusy } from "../auth/hash-line.ts";
import { newUnit, type Unit } from "../auth/unit-of-work.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { withDeadline } from "../deadline.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type AuthRouteName, routes } from "../routes.ts";
import type { Route } from "../routes/route.ts";
import type { ReadSession } from "../session/get-session.ts";
import type { ReadBody } from "./body.ts";
import { createOnceAMinute } from "./once-a-minute.ts";
import type { Pace } from "./pace.ts";
import { nameFields, type RequestContext } from "./request.ts";

/** A call of BetterAuth's, its body read, answers within this, 503 included. */
export const requestTimeoutMs = 5_000;

/** A request for one of BetterAuth's routes, its body read. */
interface AuthCall {
  readonly name: AuthRouteName;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: Headers;
  readonly body: Body | undefined;
}

/** Answers as the API does, with its deadline and its line in the log. @throws AppError. */
export type CallAuth = (call: AuthCall, context: RequestContext) => Promise<Response>;

/** What came of a call: its status, the code of a refusal, and the reason that the log gives. */
export interface AuthOutcome {
  readonly name: AuthRouteName;
  readonly status: number;
  readonly code: string | undefined;
  readonly reason: string | undefined;
}

export interface AuthCallDeps {
  readonly handle: Handle;
  readonly log: Log;
  readonly describeEmail: DescribeEmail;
  /** Of refusals. */
  readonly pace: Pace;
  /** The clock, in ms. */
  readonly now: () => number;
  /** Hears of every call, where somebody counts. */
  readonly onOutcome?: ((outcome: AuthOutcome) => void) | undefined;
}

/** What the log says of an e-mail address that somebody typed. */
export type DescribeEmail = (email: string) => Readonly<Record<string, string>>;

/**
 * @param secret keys the hash: who has the log alone cannot try addresses.
 * @param isShown whether the address itself stands in the log, too.
 */
export function createEmailDescription(secret: string, isShown: boolean): DescribeEmail {
  return (email) => {
    const address = email.trim().toLowerCase().slice(0, emailMaxLength);
    const hash = new Bun.CryptoHasher("sha256", secret).update(`email:${address}`).digest("hex");
    return { emailHash: hash.slice(0, 16), ...(isShown ? { email: address } : {}) };
  };
}

/** Builds what the API and the pages' forms share: BetterAuth within a deadline, and the event. */
export function createAuthCall({ handle, log, describeEmail, pace, now, onOutcome }: AuthCallDeps): CallAuth {
  const isDue = createOnceAMinute(now);
  return async (call, context) => {
    const unit = newUnit();
    const askedAt = performance.now();
    const email = call.body?.[call.name === "changeEmail" ? "newEmail" : "email"];
    const who = typeof email === "string" ? describeEmail(email) : {};
    const report = (status: number, code?: string) => {
      onOutcome?.({ name: call.name, status, code, reason: unit.seen.reason });
      // A flood of those is a line a minute of each address.
      const silent = isRefusal(code) ? isDue(`${code} ${context.clientAddress}`) : 0;
      if (silent === null) return;
      const about = silent === 0 ? who : { ...who, alsoRefused: silent };
      logEvent(log, call.name, { ...unit, who: about }, context, status, code);
    };
    try {
      const response = await withDeadline(
        handle(
          {
            ...call,
            clientAddress: context.clientAddress,
            gone: context.request.signal,
            reading: context.reading,
          },
          unit,
        ),
        requestTimeoutMs,
        () => {
          unit.abandoned = true;
          // Most of its time went by in the line, or it stands there still.
          if (unit.enteredAt > 0 && (unit.waitedMs ?? requestTimeoutMs) > requestTimeoutMs / 2)
            return tooBusy(requestTimeoutMs);
          return storeUnavailable(new Error(`${call.name} took longer than ${requestTimeoutMs} ms`));
        },
      );
      if (response.status < 400) logCap(log, unit, context);
      report(response.status, response.status < 400 ? undefined : await errorCodeOf(response));
      if (response.status >= 500)
        log.error({ ...nameFields(context), cause: unit.seen.internalError }, "request failed");
      return response;
    } catch (error) {
      if (error instanceof AppError) report(error.status, error.code);
      else onOutcome?.({ name: call.name, status: 500, code: undefined, reason: undefined });
      if (error instanceof AppError && isRefusal(error.code)) await pace(askedAt);
      throw error;
    }
  };
}

/** Whether it says that there were too many, and nothing was tried. */
function isRefusal(code: string | undefined): boolean {
  return code === "TOO_MANY_REQUESTS" || code === "TOO_BUSY";
}

/** Builds the handler of a route that BetterAuth answers; get-session without it where it would only read. */
export function createAuthHandler(call: CallAuth, readSession: ReadSession, readBody: ReadBody) {
  return async (name: AuthRouteName, context: RequestContext): Promise<Response> => {
    const { request, url } = context;
    const search = url?.search ?? "";
    let { reading } = context;
    if (name === "getSession" && !request.url.includes("?")) {
      reading ??= await readSession(request.headers.get("cookie"));
      if (typeof reading === "string") return sessionResponse(reading);
    }
    const body = routes[name].methods === "POST" ? await readBody(request, context.clientAddress) : undefined;
    return call({ name, search, headers: request.headers, body }, { ...context, reading });
  };
}

/** Upstream's answer to get-session, with its headers in its order. */
function sessionResponse(body: string): Response {
  return new Response(body, {
    headers: { "Cache-Control": "no-store", Pragma: "no-cache", "Content-Type": "application/json" },
  });
}

/** The founding plan's `/api/auth/session`: get-session's answer, but for a visitor without a session an object. */
export async function sessionOrNobody(response: Response): Promise<Response> {
  if (response.status !== 200) return response;
  const text = await response.text();
  const headers = new Headers(response.headers);
  headers.set("content-type", "application/json");
  return new Response(text === "null" ? '{"user":null,"session":null}' : text, { status: 200, headers });
}

async function errorCodeOf(response: Response): Promise<string | undefined> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Writes one line an auth action: who, from where, with what outcome, and never a credential. */
export function logEvent(
  log: Log,
  name: AuthRouteName,
  { seen, who }: Pick<Unit, "seen"> & { readonly who?: Readonly<Record<string, string | number>> },
  request: Pick<RequestContext, "requestId" | "traceparent" | "clientAddress">,
  status: number,
  code?: string,
): void {
  const { event }: Route = routes[name];
  if (event === undefined) return;
  const { userId, sessionId, reason } = seen;
  log.info(
    {
      event,
      outcome: status < 400 ? "success" : "failure",
      ...(status < 400 ? {} : { reason: reason ?? code ?? String(status) }),
      ...nameFields(request),
      clientAddress: request.clientAddress,
      ...who,
      ...(userId === undefined ? {} : { userId }),
      ...(sessionId === undefined ? {} : { session: hashedSessionId(sessionId) }),
    },
    event.replaceAll("_", " "),
  );
}

/** Says that a sign-in ended its user's oldest sessions: they may wonder why a device is signed out. */
function logCap(log: Log, { capped, seen: { userId } }: Unit, context: RequestContext): void {
  if (capped === 0) return;
  const event = "session_cap";
  const { clientAddress } = context;
  log.info(
    { event, outcome: "success", ...nameFields(context), clientAddress, userId, ended: capped },
    "session cap",
  );
}

/** A session's id as the log shows it: enough to follow one session, not enough to name it elsewhere. */
export function hashedSessionId(id: string): string {
  return new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 16);
}
