import { useCallback, useEffect, useState } from "react";
import { apiUrl } from "../../site-urls";

export type ApiIdentity =
  | { status: "asking" }
  | { status: "known"; name: string; email: string }
  | { status: "failed"; reason: string };

const answerTimeoutMs = 10_000;

/** What the API answers to `GET /me` about the visitor, asked again for each `userId`. */
export function useApiIdentity(userId: string): { identity: ApiIdentity; askAgain(): void } {
  const [identity, setIdentity] = useState<ApiIdentity>({ status: "asking" });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const unmounted = new AbortController();
    setIdentity({ status: "asking" });
    void askWhoIAm(AbortSignal.any([unmounted.signal, AbortSignal.timeout(answerTimeoutMs)])).then((answer) => {
      if (!unmounted.signal.aborted) setIdentity(answer);
    });
    return () => unmounted.abort();
  }, [userId, attempt]);

  return { identity, askAgain: useCallback(() => setAttempt((count) => count + 1), []) };
}

async function askWhoIAm(signal: AbortSignal): Promise<ApiIdentity> {
  let response: Response;
  try {
    response = await fetch(`${apiUrl}/me`, { credentials: "include", signal });
  } catch {
    // Also when the API does not list this site's origin: a browser does not tell the two apart.
    return failed(`The API at ${apiUrl} does not answer.`);
  }
  if (response.status === 401) return failed("The API does not recognise you (401).");
  if (!response.ok) return failed(`The API cannot say who you are right now (${response.status}).`);
  const user = personIn(await response.json().catch(() => undefined));
  return user ? { status: "known", ...user } : failed("The API's answer makes no sense.");
}

function failed(reason: string): ApiIdentity {
  return { status: "failed", reason };
}

/** `{ name, email }`, or the same inside `{ user }`. */
function personIn(body: unknown): { name: string; email: string } | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  if ("user" in body) return personIn(body.user);
  if (!("name" in body && "email" in body)) return undefined;
  const { name, email } = body;
  return typeof name === "string" && typeof email === "string" ? { name, email } : undefined;
}
