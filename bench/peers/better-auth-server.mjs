// BetterAuth in an app on Node, on port PORT of loopback. FRAMEWORK is express or hono; the database is SQLITE_FILE's or
// DATABASE_URL's. With MIGRATE it makes the tables and ends.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";

const { DATABASE_URL, FRAMEWORK, MIGRATE, PORT, SECRET, SQLITE_FILE } = process.env;
const port = Number(PORT);
const options = {
  database: DATABASE_URL === undefined ? await openSqlite() : await openPool(),
  baseURL: `http://127.0.0.1:${port}`,
  secret: SECRET,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
};

if (MIGRATE !== undefined) {
  await (await getMigrations(options)).runMigrations();
  process.exit(0);
}
if (FRAMEWORK === "hono") await serveByHono(betterAuth(options));
else await serveByExpress(betterAuth(options));

async function openSqlite() {
  const { default: Database } = await import("better-sqlite3");
  const database = new Database(SQLITE_FILE);
  database.pragma("journal_mode = WAL");
  return database;
}

async function openPool() {
  const { default: pg } = await import("pg");
  return new pg.Pool({ connectionString: DATABASE_URL });
}

async function serveByHono(auth) {
  const [{ Hono }, { serve }] = await Promise.all([import("hono"), import("@hono/node-server")]);
  const app = new Hono();
  app.on(["GET", "POST"], "/api/auth/*", ({ req }) => auth.handler(req.raw));
  serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
}

async function serveByExpress(auth) {
  const [{ default: express }, { toNodeHandler }] = await Promise.all([
    import("express"),
    import("better-auth/node"),
  ]);
  const app = express();
  app.all("/api/auth/*splat", toNodeHandler(auth));
  app.listen(port, "127.0.0.1");
}
