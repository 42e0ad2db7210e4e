import { cpSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { cached, requireProgram, run } from "./build.ts";
import { call, post, requireText, textAt } from "./call.ts";
import type { Peer, Place } from "./peer.ts";

const version = "2.196.0";
/** Its tags from 2 on are none to Go, as its module's path does not end in `/v2`: the tag's commit says which. */
const commit = "0204331c";
const folder = `gotrue-${version}`;

/** Supabase's auth server, on PostgreSQL, the only database that it has. Its sessions are signed tokens that `/user` looks up. */
export const gotrue: Peer = {
  id: "gotrue",
  name: "GoTrue",
  version,
  database: "postgres",
  limits: "none without `GOTRUE_RATE_LIMIT_HEADER`; a pool of 10 connections",
  asked: "GET /user",
  healthPath: "/health",
  async build() {
    const go = requireProgram("go");
    const directory = await cached(folder, async (into) => {
      const source = `github.com/supabase/auth@${commit}`;
      const env = { CGO_ENABLED: "0", GOTOOLCHAIN: "auto", GOBIN: into };
      await run([go, "install", "-ldflags", "-s -w", source], { cwd: into, env });
      const downloaded: unknown = JSON.parse(
        await run([go, "mod", "download", "-json", source], { cwd: into, env }),
      );
      const migrations = join(requireText(downloaded, "Dir"), "migrations");
      cpSync(migrations, join(into, "migrations"), { recursive: true });
    });
    return join(directory, "auth");
  },
  async prepare(program, place) {
    const sql = new SQL(place.databaseUrl ?? "", { max: 1 });
    try {
      await sql.unsafe("CREATE SCHEMA auth");
    } finally {
      await sql.close();
    }
    await run([program, "migrate"], { cwd: place.directory, env: environmentOf(program, place) });
  },
  command: (program, place) => ({ args: ["serve"], env: environmentOf(program, place) }),
  async signUp(url, { email, password }) {
    const session = await call(url, post("/signup", { email, password }));
    return { path: "/user", headers: { Authorization: `Bearer ${requireText(session, "access_token")}` } };
  },
  signIn: async (_url, { email, password }) => [post("/token?grant_type=password", { email, password })],
  names: (body, { email }) => textAt(JSON.parse(body), "email") === email,
};

/** With its default pool it answers 28 a second at 32 connections: 10 is the most favourable that was found. */
function environmentOf(program: string, { port, databaseUrl }: Place): Record<string, string> {
  return {
    API_EXTERNAL_URL: `http://127.0.0.1:${port}`,
    DATABASE_URL: `${databaseUrl}?search_path=auth&sslmode=disable`,
    DB_NAMESPACE: "auth",
    GOTRUE_API_HOST: "127.0.0.1",
    GOTRUE_DB_DRIVER: "postgres",
    GOTRUE_DB_MAX_IDLE_POOL_SIZE: "10",
    GOTRUE_DB_MAX_POOL_SIZE: "10",
    GOTRUE_DB_MIGRATIONS_PATH: join(program, "..", "migrations"),
    GOTRUE_DISABLE_SIGNUP: "false",
    GOTRUE_EXTERNAL_EMAIL_ENABLED: "true",
    GOTRUE_JWT_AUD: "authenticated",
    GOTRUE_JWT_DEFAULT_GROUP_NAME: "authenticated",
    GOTRUE_JWT_EXP: "86400",
    GOTRUE_JWT_SECRET: "bench-secret-of-no-use-elsewhere-0123456789",
    GOTRUE_LOG_LEVEL: "error",
    GOTRUE_MAILER_AUTOCONFIRM: "true",
    GOTRUE_SITE_URL: "http://127.0.0.1",
    PORT: String(port),
  };
}
