import { type RequestParts, type RequestSet, writeRequests } from "../load/requests.ts";
import { cookieOf, sessionRequests } from "../seed/sessions.ts";

const path = "/api/auth/verify";

/** How many sessions are in rotation, and how many users have them. */
export const population = { users: 10_000, sessions: 10_000 };

export interface Scenario {
  readonly id: "one" | "rotation" | "invalid" | "none";
  readonly title: string;
  readonly requests: RequestSet;
}

/** What callers of verify send, each kind with an answer of its own. */
export function verifyScenarios(): Scenario[] {
  const rotation = sessionRequests(path, population.sessions);
  return [
    { id: "one", title: "one session", requests: writeRequests(rotation.slice(0, 1), 200) },
    { id: "rotation", title: "10,000 in rotation", requests: writeRequests(rotation, 200) },
    { id: "invalid", title: "invalid signature", requests: writeRequests(forged(1_000), 401) },
    { id: "none", title: "no cookie", requests: writeRequests([{ path }], 401) },
  ];
}

/** Well-formed cookies, each with the signature of another session. */
function forged(count: number): RequestParts[] {
  return Array.from({ length: count }, (_, index) => {
    const [token = ""] = cookieOf(index).split(".").slice(0, -1).slice(-1);
    const [signature = ""] = cookieOf(index + 1)
      .split(".")
      .slice(-1);
    return { path, headers: { Cookie: `better-auth.${token}.${signature}` } };
  });
}
