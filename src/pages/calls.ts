import { AppError } from "../errors.ts";
import type { ReadSession } from "../session/get-session.ts";
import type { CallAuth } from "../http/auth.ts";
import type { Visit } from "./page-request.ts";

export interface PageUser {
  readonly name: string;
  readonly email: string;
}

export interface SignedIn {
  readonly user: PageUser;
  readonly sessionId: string;
}

/** What a form's call came to. */
export type Outcome =
  | { readonly ok: true; readonly cookies: readonly string[] }
  | { readonly ok: false; readonly refusal: AppError };

/** What the pages ask BetterAuth, by the way the API takes. */
export interface PageCalls {
  /** The visitor's session, slid on if it is due, and the cookies that say so. @throws AppError 503. */
  signedIn(visit: Visit): Promise<{ readonly who: SignedIn | null; readonly cookies: readonly string[] }>;
  /** A route that reads. @throws AppError. */
  read(visit: Visit, path: string): Promise<unknown>;
  /** A route that a form stands for. Refusals are returned; what is no AppError is thrown. */
  submit(visit: Visit, path: string, body: Record<string, unknown>): Promise<Outcome>;
}

/** @param onFailure gets every refusal that is the server's fault. */
export function createPageCalls(
  call: CallAuth,
  readSession: ReadSession,
  onFailure: (error: AppError, visit: Visit) => void,
): PageCalls {
  const ask = (visit: Visit, path: string, body?: Record<string, unknown>) =>
    call({ path, search: "", headers: visit.headers, body }, visit.facts);
  return {
    async signedIn(visit) {
      const cookie = visit.headers.get("cookie");
      if (cookie === null) return { who: null, cookies: [] };
      const known = await readSession(cookie);
      if (known !== null) return { who: whoOf(JSON.parse(known)), cookies: [] };
      const response = await accepted(await ask(visit, "/get-session"));
      return { who: whoOf(await response.json()), cookies: response.headers.getSetCookie() };
    },
    read: async (visit, path) => (await accepted(await ask(visit, path))).json(),
    async submit(visit, path, body) {
      try {
        const response = await accepted(await ask(visit, path, body));
        return { ok: true, cookies: response.headers.getSetCookie() };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (error.status >= 500) onFailure(error, visit);
        return { ok: false, refusal: error };
      }
    },
  };
}

/** The answer, unless it is an error. */
async function accepted(response: Response): Promise<Response> {
  if (response.status < 400) return response;
  const body: unknown = await response.json().catch(() => null);
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown };
  const retryAfter = response.headers.get("retry-after");
  throw new AppError(
    response.status,
    typeof code === "string" ? code : "REFUSED",
    typeof message === "string" ? message : "",
    retryAfter === null ? {} : { headers: { "Retry-After": retryAfter } },
  );
}

function whoOf(body: unknown): SignedIn | null {
  const { user, session } = (body ?? {}) as { user?: PageUser; session?: { id: string } };
  return user === undefined || session === undefined ? null : { user, sessionId: session.id };
}
