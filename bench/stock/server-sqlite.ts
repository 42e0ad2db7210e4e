import { Database } from "bun:sqlite";
import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { Elysia } from "elysia";
import * as schema from "./schema-sqlite.ts";

/** BetterAuth on Elysia as both projects' guides set it up, on a file that latchkey has migrated. */
const database = new Database((process.env["DATABASE_URL"] ?? "").replace(/^file:/, ""), {
  readwrite: true,
  create: false,
});
database.run("PRAGMA journal_mode = WAL");
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: process.env["BETTER_AUTH_SECRET"] ?? "",
  database: drizzleAdapter(drizzle(database, { schema }), { provider: "sqlite" }),
  emailAndPassword: { enabled: true },
});
const app = new Elysia()
  .get("/health", () => "ok")
  .mount(auth.handler)
  .listen({ hostname: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ event: "listening", url: `http://127.0.0.1:${app.server?.port}` }));
