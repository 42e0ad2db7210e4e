import { AppError } from "../errors.ts";
import type { CallAuth } from "../http/auth.ts";
import type { LogFailure } from "../http/failure-log.ts";
import type { AuthRouteName } from "../routes.ts";
import type { ReadSession } from "../session/get-session.ts";
import type { Refusal } from "./refusals.ts";
import type { PageRequest } from "./page-request.ts";

export interface PageUser {
  readonly name: string;
  readonly email: string;
}

interface SignedIn {
  readonly user: PageUser;
  readonly sessionId: string;
}

/** What a form's call came to. */
type Outcome =
  | { readonly ok: true; readonly cookies: readonly string[] }
  | { readonly ok: false; readonly refusal: Refusal };

/** What the pages ask BetterAuth, by the way the API takes. */
export interface PageCalls {
  /** The visitor's session, slid on if it is due, and the cookies that say so. @throws AppError 503. */
  signedIn(
    page: PageRequest,
  ): Promise<{ readonly who: SignedIn | null; readonly cookies: readonly string[] }>;
  /** The visitor's sessions, and how many there are beside those shown; none of a stranger. @throws AppError. */
  sessions(page: PageRequest): Promise<{ readonly listed: readonly unknown[]; readonly total: number }>;
  /** A route that a form stands for. Refusals and outages are returned. */
  submit(page: PageRequest, name: AuthRouteName, body: Record<string, unknown>): Promise<Outcome>;
}

export function createPageCalls(call: CallAuth, readSession: ReadSession, logFailure: LogFailure): PageCalls {
  const ask = ({ context }: PageRequest, name: AuthRouteName, body?: Record<string, unknown>) =>
    call({ name, search: "", headers: context.request.headers, body }, context);
  const read = async (page: PageRequest, name: AuthRouteName) => {
    const response = await ask(page, name);
    if (response.status >= 400 && response.status !== 401)
      throw new AppError("INTERNAL_SERVER_ERROR", `${name} answered ${response.status}.`);
    const found: unknown = response.ok ? await response.json() : null;
    return { found, headers: response.headers };
  };
  return {
    async signedIn(page) {
      const cookie = page.context.request.headers.get("cookie");
      if (cookie === null) return { who: null, cookies: [] };
      const reading = await readSession(cookie);
      if (typeof reading === "string") return { who: whoOf(JSON.parse(reading)), cookies: [] };
      const { found, headers } = await read({ ...page, context: { ...page.context, reading } }, "getSession");
      return { who: whoOf(found), cookies: headers.getSetCookie() };
    },
    async sessions(page) {
      const { found, headers } = await read(page, "listSessions");
      const listed = Array.isArray(found) ? (found as unknown[]) : [];
      return { listed, total: Number(headers.get("x-total-count") ?? listed.length) };
    },
    async submit(page, name, body) {
      try {
        const response = await ask(page, name, body);
        if (response.status < 400) return { ok: true, cookies: response.headers.getSetCookie() };
        return { ok: false, refusal: await refusalIn(response) };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (error.status >= 500) logFailure(error, page.context);
        return { ok: false, refusal: error };
      }
    },
  };
}

/** BetterAuth's refusal; its `Retry-After` is the one header that a page passes on. */
export async function refusalIn(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => null);
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown };
  const retryAfter = response.headers.get("retry-after");
  return {
    status: response.status,
    code: typeof code === "string" ? code : "REFUSED",
    message: typeof message === "string" ? message : "",
    headers: retryAfter === null ? {} : { "Retry-After": retryAfter },
  };
}

function whoOf(body: unknown): SignedIn | null {
  const { user, session } = (body ?? {}) as { user?: PageUser; session?: { id: string } };
  return user === undefined || session === undefined ? null : { user, sessionId: session.id };
}
