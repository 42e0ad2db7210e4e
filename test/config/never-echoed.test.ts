import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ConfigError } from "../../src/errors.ts";
import { filesIn, load, OTHER_SECRET, problemsOf, STRONG_SECRET } from "./load.ts";

const HTTPS = { BETTER_AUTH_URL: "https://auth.example.com" };

/** Everything that may reach a terminal or a log. */
function printed(env: Record<string, string>, files: Record<string, string>): string {
  try {
    const { warnings, settings } = load(env, { readFile: filesIn(files) });
    return JSON.stringify({ warnings, settings });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return JSON.stringify([error.message, error.stack, error.problems]) + Bun.inspect(error);
  }
}

describe("S61: secrets", () => {
  const canary = "CaNaRy7";
  const part = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."abcXYZ0189+/-_="), maxLength: 40 }),
    fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(..."ab1:/?#[]@!$&'()*+,;=% \n"), maxLength: 12 }),
  );
  const withCanary = fc.tuple(part, part).map(([before, after]) => `${before}${canary}${after}`);
  const shapes: readonly ((secret: string) => Record<string, string>)[] = [
    (secret) => ({ BETTER_AUTH_SECRET: secret }),
    (secret) => ({ BETTER_AUTH_SECRET: secret, BETTER_AUTH_SECRET_FILE: "/key" }),
    (secret) => ({ BETTER_AUTH_SECRET: secret, BETTER_AUTH_SECRETS: `1:${OTHER_SECRET}` }),
    (secret) => ({ BETTER_AUTH_SECRETS: secret }),
    (secret) => ({ BETTER_AUTH_SECRETS: `2:${secret},1:${OTHER_SECRET}` }),
    (secret) => ({ BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},2:${secret},${secret}` }),
    // The secret itself where its path belongs, and a file with it.
    (secret) => ({ BETTER_AUTH_SECRET_FILE: secret }),
    () => ({ BETTER_AUTH_SECRET_FILE: "/key", BETTER_AUTH_SECRETS_FILE: "/key", DATABASE_URL_FILE: "/key" }),
    (secret) => ({ DATABASE_URL: secret }),
    (secret) => ({ DATABASE_URL: `postgres://user:${secret}@db.example.com/auth` }),
    (secret) => ({ DATABASE_URL: `postgres://user:1${secret}@db.example.com:5432/auth?sslmode=require` }),
    (secret) => ({ DATABASE_URL: `postgres://user:12/${secret}@db.example.com/auth` }),
    (secret) => ({ DATABASE_URL: `postgres://db.example.com/auth?password=${secret}` }),
    (secret) => ({ DATABASE_URL: `postgres://user@db.example.com/auth?sslmode=${secret}` }),
    (secret) => ({ DATABASE_URL: `mysql://user:${secret}@db.example.com/auth` }),
    (secret) => ({ DATABASE_URL: `postgres://user:${encodeURIComponent(secret)}@x.neon.tech/auth` }),
    (secret) => ({ BETTER_AUTH_URL: `https://user:${secret}@auth.example.com` }),
    (secret) => ({
      BETTER_AUTH_TRUSTED_ORIGINS: `https://user:${secret.replaceAll(",", "")}@docs.example.com`,
    }),
    (secret) => ({ LATCHKEY_DEFAULT_REDIRECT_URL: `http://user:${secret}@localhost:3000/` }),
    (secret) => ({ LATCHKEY_BRAND_LOGO_URL: `https://user:${secret}@docs.example.com/logo.svg` }),
    (secret) => ({ LATCHKEY_NEON_PROXY: `wss://user:${secret}@proxy.example.com/v2` }),
    // A database URL in the wrong place.
    ...["LATCHKEY_SIGN_UP", "HOST", "PORT", "LATCHKEY_NEON_PROXY", "LATCHKEY_TRUSTED_PROXIES"].map(
      (name) => (secret: string) => ({ [name]: `postgres://u:${secret.replaceAll(",", "")}@h/db` }),
    ),
    (secret) => ({ LATCHKEY_SECRET: secret }),
  ];

  test.each(shapes.map((shape) => [JSON.stringify(shape("…")), shape] as const))(
    "are never echoed from %s",
    (_, shape) => {
      fc.assert(
        fc.property(withCanary, fc.constantFrom({}, HTTPS, { PORT: "x" }), (secret, extra) => {
          const output = printed({ ...extra, ...shape(secret) }, { "/key": `${secret}\n` });
          expect(output.toLowerCase()).not.toContain(canary.toLowerCase());
        }),
        { numRuns: 300 },
      );
    },
  );

  test("are echoed by nothing when they are fine", () => {
    const env = {
      DATABASE_URL: `postgres://user:${canary}@localhost/auth`,
      BETTER_AUTH_SECRET: STRONG_SECRET,
    };
    const output = printed(env, {});
    expect(output).toContain("postgres://user:********@localhost/auth");
    expect(output).not.toContain(canary);
    expect(output).not.toContain(STRONG_SECRET);
  });

  test("are not echoed from a file's error", () => {
    const failures = [
      Object.assign(new Error(canary), { code: `EX${canary}` }),
      Object.assign(new Error(canary), { code: `X${canary} EACCES` }),
      Object.assign(new Error(canary), { code: `EACCES ${canary}` }),
      new Error(canary),
      canary,
      { code: canary },
    ];
    for (const failure of failures) {
      const readFile = () => {
        throw failure;
      };
      const problems = problemsOf({ BETTER_AUTH_SECRET_FILE: "/key" }, { readFile });
      expect(problems).toMatchObject([{ reason: "names a file that cannot be read (unknown error)" }]);
    }
  });
});
