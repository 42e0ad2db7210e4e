import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signToken } from "../../src/session/cookie.ts";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const name = "better-auth.session_token";

describe.each(dialects)("S29: verify against BetterAuth's own getSession on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let live = "";
  let other = "";
  let revoked = "";
  let expired = "";
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
    const person = { email: "one@example.com", password: "correct horse battery", name: "One" };
    const session = async (sign: "up" | "in") => {
      const client = createClient(server.origin);
      if (sign === "up") await client.auth.signUp.email(person);
      else await client.auth.signIn.email(person);
      return { client, value: client.jar.get(name) ?? "" };
    };
    live = (await session("up")).value;
    other = (await session("in")).value;
    const left = await session("in");
    revoked = left.value;
    await left.client.auth.signOut();
    expired = (await session("in")).value;
    const past = Date.now() - 1000;
    await database.query("UPDATE session SET expires_at = $1 WHERE token = $2", [
      dialect === "sqlite" ? past : new Date(past).toISOString(),
      decodeURIComponent(expired).split(".")[0] ?? "",
    ]);
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const plain = () => decodeURIComponent(live);
  const [token, signature] = [() => plain().split(".")[0] ?? "", () => plain().split(".")[1] ?? ""];
  const foreign = () => signToken(token(), "another-secret-another-secret-another-secret");
  const lastCharacter = (character: string) => `${token()}.${signature().slice(0, 42)}${character}=`;
  /** Name → the `Cookie` header, and whether a session is expected, where that is worth saying twice. */
  const cookies: Record<string, () => string> = {
    "a live session": () => `${name}=${live}`,
    "no cookie of ours": () => "theme=dark",
    "an empty value": () => `${name}=`,
    "an expired session": () => `${name}=${expired}`,
    "a revoked session": () => `${name}=${revoked}`,
    "a tampered token": () => `${name}=x${live.slice(1)}`,
    "a tampered signature": () => `${name}=${encodeURIComponent(`${token()}.x${signature().slice(1)}`)}`,
    "a cut signature": () => `${name}=${encodeURIComponent(plain().slice(0, -2))}`,
    "no signature": () => `${name}=${token()}`,
    "an empty signature": () => `${name}=${token()}.`,
    "a signature of dots": () => `${name}=${token()}.${".".repeat(43)}=`,
    "another secret's signature": () => `${name}=${foreign()}`,
    "a decoded value": () => `${name}=${plain()}`,
    "a quoted value": () => `${name}="${live}"`,
    "a quoted, decoded value": () => `${name}="${plain()}"`,
    "half a quote": () => `${name}="${live}`,
    "a doubly encoded value": () => `${name}=${encodeURIComponent(live)}`,
    "a broken escape": () => `${name}=${live}%`,
    "a lower-case escape": () =>
      `${name}=${live.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())}`,
    "a duplicate, the live one first": () => `${name}=${live}; ${name}=${expired}`,
    "a duplicate, the live one last": () => `${name}=${expired}; ${name}=${live}`,
    "a duplicate, an unsigned one first": () => `${name}=x; ${name}=${live}`,
    "two live sessions": () => `${name}=${live}; ${name}=${other}`,
    "other cookies around": () => `a=1; ${name}=${live}; b=2`,
    "no blanks": () => `a=1;${name}=${live};b=2`,
    "many blanks": () => `a=1;   ${name} =  ${live}  ; b=2`,
    "a cookie without a value before": () => `flag; ${name}=${live}`,
    "a cookie without a name before": () => `=x; ${name}=${live}`,
    "a trailing semicolon": () => `${name}=${live};`,
    "the prefixed name on http": () => `__Secure-${name}=${live}`,
    "another case of the name": () => `${name.toUpperCase()}=${live}`,
    "the name inside another": () => `x${name}=${live}`,
    "the session inside another's value": () => `x=${name}=${live}`,
    "non-canonical base64 A": () => `${name}=${encodeURIComponent(lastCharacter("A"))}`,
    "non-canonical base64, all four": () => `${name}=${encodeURIComponent(lastCharacter("B"))}`,
    base64url: () => `${name}=${encodeURIComponent(plain().replaceAll("+", "-").replaceAll("/", "_"))}`,
    "the value with a line feed escape": () => `${name}=${live}%0A`,
    "the value twice": () => `${name}=${live}${live}`,
    "a very long value": () => `${name}=${"a".repeat(6_000)}.${signature()}`,
    "dont_remember besides": () => `${name}=${live}; better-auth.dont_remember=x`,
    "an emoji": () => `${name}=%F0%9F%98%80.${encodeURIComponent(signature())}`,
  };

  test.each(Object.keys(cookies))("%s", async (title) => {
    const cookie = cookies[title]?.() ?? "";
    const [verified, session] = await Promise.all([
      fetch(`${server.url}/api/auth/verify`, { headers: { cookie } }),
      // With a query, BetterAuth itself answers.
      fetch(`${server.url}/api/auth/get-session?disableRefresh=true`, { headers: { cookie } }),
    ]);
    const found = ((await session.json()) as { session?: { id: string } } | null)?.session?.id;
    const body = (await verified.json()) as { session?: { id: string }; code?: string };
    expect({ status: verified.status, id: body.session?.id }).toEqual({
      status: found === undefined ? 401 : 200,
      id: found,
    });
    expect(verified.headers.getSetCookie()).toEqual([]);
  });

  test("the fixtures are what they say", async () => {
    const code = async (cookie: string) =>
      (
        (await (await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } })).json()) as {
          code?: string;
        }
      ).code;
    expect(
      await Promise.all(
        [live, expired, revoked, foreign(), token()].map((value) => code(`${name}=${value}`)),
      ),
    ).toEqual([undefined, "SESSION_EXPIRED", "SESSION_EXPIRED", "INVALID_SESSION", "INVALID_SESSION"]);
  });
});
