import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { SQL } from "bun";
import { drizzle } from "drizzle-orm/bun-sql";
import { Elysia } from "elysia";
import * as schema from "./schema-postgres.ts";

/** BetterAuth on Elysia as both projects' guides set it up, on a PostgreSQL database that latchkey has migrated. */
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: process.env["BETTER_AUTH_SECRET"] ?? "",
  database: drizzleAdapter(drizzle({ client: new SQL(process.env["DATABASE_URL"] ?? ""), schema }), {
    provider: "pg",
  }),
  emailAndPassword: { enabled: true },
});
const app = new Elysia()
  .get("/health", () => "ok")
  .mount(auth.handler)
  .listen({ hostname: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ event: "listening", url: `http://127.0.0.1:${app.server?.port}` }));
