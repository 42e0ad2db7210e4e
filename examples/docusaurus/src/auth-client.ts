import { createAuthClient } from "better-auth/react";
import { latchkeyUrl } from "./site-urls";

const answerTimeoutMs = 10_000;

/** BetterAuth's own client; it sends the session cookie along (`credentials: "include"`) by itself. */
export const authClient = createAuthClient({
  baseURL: latchkeyUrl,
  fetchOptions: { customFetchImpl: fetchWithTimeout },
});

export type User = (typeof authClient.$Infer.Session)["user"];

// The client's own `timeout` is ignored where it cancels requests itself, as it does when it asks for the session.
function fetchWithTimeout(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const timeout = AbortSignal.timeout(answerTimeoutMs);
  return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout });
}
