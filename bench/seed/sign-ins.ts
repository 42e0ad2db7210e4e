import type { LoadSpec } from "../load/protocol.ts";
import { type RequestParts, type RequestSet, writeRequests } from "../load/requests.ts";
import { emailOf, password } from "./sessions.ts";

/** Makes the load generator a trusted proxy: its sign-ins then come from as many addresses as there are requests. */
export const trustGenerator = { LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32" } as const;

interface SignInOptions {
  /** Besides 200. */
  readonly mayAnswer?: LoadSpec["expect"];
  /** How many addresses they come from, in turn; by default each has its own, so that no limit on one is met. */
  readonly addresses?: number;
  /** The first of the users, who come in turn. */
  readonly first?: number;
}

/** Sign-ins of as many users. */
export function signIns(
  users: number,
  { mayAnswer = {}, addresses = users, first = 0 }: SignInOptions = {},
): RequestSet {
  const requests = Array.from({ length: users }, (_, index) =>
    signIn(emailOf(first + index), password, first + (index % addresses)),
  );
  return writeRequests(requests, 200, { 200: null, ...mayAnswer });
}

export function signIn(email: string, given: string, visitor: number): RequestParts {
  return {
    method: "POST",
    path: "/api/auth/sign-in/email",
    headers: { "Content-Type": "application/json", "X-Forwarded-For": addressOf(visitor) },
    body: JSON.stringify({ email, password: given }),
  };
}

/** One of 2^22 addresses of RFC 6598's range, which nobody has. */
function addressOf(visitor: number): string {
  return `100.${64 + ((visitor >> 16) & 63)}.${(visitor >> 8) & 255}.${visitor & 255}`;
}
