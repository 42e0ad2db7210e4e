import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { secret } from "../seed/sessions.ts";
import { cacheDirectory, cached, requireProgram, run } from "./build.ts";
import { textAt } from "./call.ts";
import { cookieSignIn, cookieSignUp } from "./cookies.ts";
import type { Peer, Place } from "./peer.ts";

const version = "1.7.7";
const packages = {
  "better-auth": version,
  express: "5.3.0",
  hono: "4.13.19",
  "@hono/node-server": "2.1.8",
  "better-sqlite3": "12.11.1",
  pg: "8.23.1",
};
const folder = `better-auth-${version}`;
const serverPath = join(cacheDirectory, folder, "server.mjs");
const titles = { express: "Express", hono: "Hono" } as const;

/** BetterAuth in an app on Node, as its guides set it up, with WAL on SQLite as latchkey has. */
export function betterAuth(framework: keyof typeof titles, database: Peer["database"]): Peer {
  return {
    id: `better-auth-${framework}-${database}`,
    name: `BetterAuth on Node, ${titles[framework]}`,
    version,
    database,
    limits: "`rateLimit: { enabled: false }`; telemetry off, `NODE_ENV=production`",
    asked: "GET /api/auth/get-session",
    healthPath: "/api/auth/ok",
    // Node is the program; what it runs is its first argument.
    async build() {
      await install();
      return requireProgram("node");
    },
    async prepare(program, place) {
      const env = { ...environmentOf(framework, place), MIGRATE: "1" };
      await run([program, serverPath], { cwd: place.directory, env });
    },
    command: (_program, place) => ({ args: [serverPath], env: environmentOf(framework, place) }),
    signUp: (url, visitor) => cookieSignUp(url, visitor, "/api/auth/get-session"),
    signIn: async (_url, visitor) => [cookieSignIn(visitor)],
    names: (body, { email }) => textAt(JSON.parse(body), "user.email") === email,
  };
}

async function install(): Promise<void> {
  const npm = requireProgram("npm");
  await cached(folder, async (into) => {
    const manifest = { name: "peer", private: true, type: "module", dependencies: packages };
    writeFileSync(join(into, "package.json"), JSON.stringify(manifest));
    await run([npm, "install", "--no-audit", "--no-fund"], { cwd: into });
  });
  // It has to stand beside its packages, and may be another since they were installed.
  copyFileSync(join(import.meta.dir, "better-auth-server.mjs"), serverPath);
}

function environmentOf(framework: string, { directory, port, databaseUrl }: Place): Record<string, string> {
  const database =
    databaseUrl === null ? { SQLITE_FILE: join(directory, "auth.db") } : { DATABASE_URL: databaseUrl };
  return { NODE_ENV: "production", FRAMEWORK: framework, PORT: String(port), SECRET: secret, ...database };
}
