import type { Executables } from "../build.ts";
import { secret } from "../seed/sessions.ts";
import { cookieSignIn, cookieSignUp } from "./cookies.ts";
import { textAt } from "./call.ts";
import type { Peer } from "./peer.ts";

/** latchkey itself, by the same measure as its peers. */
export function latchkey(executables: Executables, database: Peer["database"]): Peer {
  return {
    id: `latchkey-${database}`,
    name: "latchkey",
    version: "this commit",
    database,
    limits: "`LATCHKEY_LIMITS=off`",
    asked: "GET /api/auth/verify",
    healthPath: "/health",
    build: () => executables("latchkey"),
    command: (_program, { directory, port, databaseUrl }) => ({
      args: [],
      env: {
        PORT: String(port),
        LATCHKEY_DATA_DIR: directory,
        LATCHKEY_LIMITS: "off",
        BETTER_AUTH_SECRET: secret,
        ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl, LATCHKEY_DATABASE_DRIVER: "postgres" }),
      },
    }),
    signUp: (url, visitor) => cookieSignUp(url, visitor, "/api/auth/verify"),
    signIn: async (_url, visitor) => [cookieSignIn(visitor)],
    names: (body, { email }) => textAt(JSON.parse(body), "user.email") === email,
  };
}
