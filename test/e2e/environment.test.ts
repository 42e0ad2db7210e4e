import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../support/client.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const defaultSecret = "better-auth-secret-12345678901234567890";

/** A working directory full of files that a Bun or Node program may pick up; each leaves a mark when it is run. */
function plantedDirectory(): { directory: string; mark: string } {
  const directory = temporaryDirectory("planted");
  const mark = join(directory, "mark");
  const leaveMark = `require("node:fs").appendFileSync(${JSON.stringify(mark)}, "x");`;
  writeFileSync(
    join(directory, ".env"),
    `PORT=1\nBETTER_AUTH_SECRET=${defaultSecret}\nLATCHKEY_UNKNOWN=1\nTEST=1\n`,
  );
  writeFileSync(join(directory, ".env.production"), "PORT=1\nLATCHKEY_UNKNOWN=1\n");
  writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./preload.js"]\n');
  writeFileSync(join(directory, "preload.js"), leaveMark);
  writeFileSync(join(directory, "package.json"), '{"name":"planted","main":"preload.js"}');
  for (const name of ["@opentelemetry/api", "pino", "better-auth", "drizzle-orm", "kysely", "pino-pretty"]) {
    const folder = join(directory, "node_modules", name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name, main: "index.js" }));
    writeFileSync(join(folder, "index.js"), `${leaveMark} module.exports = {};`);
  }
  return { directory, mark };
}

const environments: Record<string, Record<string, string>> = {
  nothing: {},
  "TEST=1": { TEST: "1" },
  "NODE_ENV=test": { NODE_ENV: "test" },
  "NODE_ENV=production": { NODE_ENV: "production" },
  "NODE_ENV=development": { NODE_ENV: "development" },
  telemetry: { BETTER_AUTH_TELEMETRY: "1", BETTER_AUTH_TELEMETRY_DEBUG: "1" },
  "other programs' names": {
    AUTH_SECRET: defaultSecret,
    BASE_URL: "https://evil.example",
    NUXT_PUBLIC_AUTH_URL: "https://evil.example",
    NEXT_PUBLIC_AUTH_URL: "https://evil.example",
    BETTER_AUTH_TRUSTED_PROXIES: "0.0.0.0/0",
    PGDATABASE: "other",
    PGHOST: "evil.example",
    DEBUG: "*",
  },
};

describe.each(Object.entries(environments))("S59: with %s in the environment", (_name, env) => {
  const { directory, mark } = plantedDirectory();
  let server: RunningLatchkey | undefined;
  afterAll(async () => {
    await server?.stop();
  });

  test("origins, secrets, limits and cookies hold, and nothing planted is run or read", async () => {
    server = await spawnLatchkey({ env, cwd: directory });
    const { url, origin } = server;
    const post = (path: string, headers: Record<string, string>, body: object) =>
      fetch(`${url}/api/auth${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    const person = { email: "env@example.com", password: "correct horse battery", name: "Env" };
    const client = createClient(origin);
    expect((await client.auth.signUp.email(person)).error).toBeNull();
    const cookie = client.jar.header();
    const statuses = {
      foreignOrigin: (await post("/sign-in/email", { origin: "http://evil.example" }, person)).status,
      nullOrigin: (await post("/sign-in/email", { origin: "null" }, person)).status,
      cookieWithoutOrigin: (await post("/sign-out", { cookie }, {})).status,
      foreignCallback: (
        await post("/sign-in/email", { origin, cookie }, { ...person, callbackURL: "https://evil.example" })
      ).status,
      shortPassword: (
        await post("/sign-up/email", { origin }, { ...person, email: "b@example.com", password: "1234567" })
      ).status,
      hiddenRoute: (await fetch(`${url}/api/auth/ok`)).status,
      verify: (await fetch(`${url}/api/auth/verify`, { headers: { cookie } })).status,
    };
    expect(statuses).toEqual({
      foreignOrigin: 403,
      nullOrigin: 403,
      cookieWithoutOrigin: 403,
      foreignCallback: 403,
      shortPassword: 400,
      hiddenRoute: 404,
      verify: 200,
    });
    const answer = await post("/sign-in/email", { origin }, person);
    expect(answer.headers.getSetCookie().join()).toMatch(
      /^better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    const forged = await fetch(`${url}/api/auth/verify`, {
      headers: {
        cookie: `better-auth.session_token=${await signedWithDefault(client.jar.get("better-auth.session_token") ?? "")}`,
      },
    });
    expect(forged.status).toBe(401);
    expect(existsSync(mark)).toBe(false);
    // The origins that were refused are told.
    const lines = server
      .stderr()
      .split("\n")
      .filter((line) => !line.includes('"event":"origin_refused"'));
    expect(lines.join("\n")).not.toMatch(/telemetry|opentelemetry|evil/i);
  });
});

/** The same token, signed with the secret that BetterAuth falls back to. */
async function signedWithDefault(value: string): Promise<string> {
  const token = decodeURIComponent(value).split(".")[0] ?? "";
  const signature = new Bun.CryptoHasher("sha256", defaultSecret).update(token).digest("base64");
  return encodeURIComponent(`${token}.${signature}`);
}
