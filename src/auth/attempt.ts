import type { ErrorCode } from "../error-codes.ts";
import { AppError } from "../errors.ts";
import type { AuthRouteName } from "../routes.ts";
import { readCookie } from "../session/cookie.ts";
import type { Body } from "./input.ts";
import { type Admission, type Attempt, LimitReached, type Outcome } from "./limits.ts";
import type { Unit } from "./unit-of-work.ts";

interface AttemptedRequest {
  readonly name: AuthRouteName;
  readonly body: Body | undefined;
  readonly clientAddress: string;
  readonly headers: Headers;
}

/** A request as the limits see it. */
export function attemptOf(
  cookieName: string,
  { name, body, clientAddress, headers }: AttemptedRequest,
): Attempt {
  const email = body?.[name === "changeEmail" ? "newEmail" : "email"];
  const cookie = headers.get("cookie");
  return {
    route: name,
    clientAddress,
    email: typeof email === "string" ? email : undefined,
    cookie,
    session: cookie === null ? null : (readCookie(cookie, cookieName) ?? null),
  };
}

/** Says in the unit which limit was reached. */
export function limited<T>(unit: Unit, ask: () => T): T {
  const note = (error: unknown): never => {
    if (error instanceof LimitReached) unit.seen.reason = `limit_${error.limit}`;
    throw error;
  };
  try {
    const answer = ask();
    return answer instanceof Promise ? (answer.catch(note) as T) : answer;
  } catch (error) {
    return note(error);
  }
}

/** Makes an attempt and counts what it came to, which changes nothing of its answer any more. */
export async function settled(
  admission: Admission,
  onLimitError: (error: unknown) => void,
  route: AuthRouteName,
  attempt: () => Promise<Response>,
): Promise<Response> {
  const settle = (outcome: Outcome) =>
    admission.settle(outcome).catch((error: unknown): readonly string[] => {
      onLimitError(error);
      return [];
    });
  let response: Response;
  try {
    response = await attempt();
  } catch (error) {
    await settle(error instanceof AppError && wrongTokens.has(error.code) ? "failure" : "none");
    throw error;
  }
  const cookies = await settle(await outcomeOf(route, response));
  // Only whoever signed in has shown to be of the account that the body names.
  if (makesSession(route, response))
    for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  return response;
}

function makesSession(route: AuthRouteName, response: Response): boolean {
  if (route !== "signIn" && route !== "signUp") return false;
  return response.ok && response.headers.getSetCookie().length > 0;
}

/** Said of a link or a code that is none. */
const wrongTokens: ReadonlySet<ErrorCode> = new Set([
  "INVALID_RECOVERY_TOKEN",
  "INVALID_LINK",
  "INVALID_CODE",
]);

async function outcomeOf(route: AuthRouteName, response: Response): Promise<Outcome> {
  if (response.status < 400) return "success";
  if (route === "signIn") return response.status === 401 ? "failure" : "none";
  // A taken e-mail says that somebody has an account.
  if (route === "signUp") return response.status === 422 ? "failure" : "none";
  const body: unknown = await response.clone().json();
  return (body as { code?: unknown } | null)?.code === "INVALID_PASSWORD" ? "failure" : "none";
}
