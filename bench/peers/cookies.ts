import type { RequestParts } from "../load/requests.ts";
import { ask } from "../targets/bare.ts";
import { post } from "./call.ts";
import type { Visitor } from "./peer.ts";

/** BetterAuth's routes, which latchkey serves too. */
const cookieName = "better-auth.session_token";

/** Signs up. @returns a GET of `path` with the session's cookie. */
export async function cookieSignUp(url: string, visitor: Visitor, path: string): Promise<RequestParts> {
  const { name, email, password } = visitor;
  const { status, headers, body } = await ask(
    url,
    post("/api/auth/sign-up/email", { name, email, password }),
  );
  const cookie = headers.find(
    ([header, value]) => header === "set-cookie" && value.startsWith(`${cookieName}=`),
  );
  if (status !== 200 || cookie === undefined)
    throw new Error(`sign-up answered ${status} ${body.slice(0, 300)}, without its cookie`);
  return { path, headers: { Cookie: cookie[1].split(";")[0] ?? "" } };
}

export function cookieSignIn({ email, password }: Visitor): RequestParts {
  return post("/api/auth/sign-in/email", { email, password });
}
