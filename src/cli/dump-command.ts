import type { Config, DatabaseConfig } from "../config/config.ts";
import { CommandError } from "../errors.ts";

/** The path of an embedded database. @throws CommandError with PostgreSQL's own command for a server's. */
export function requireEmbedded({ database }: Config, command: "backup" | "restore", file: string): string {
  if (database.driver === "sqlite") return database.path;
  const { url, password } = withoutPassword(database);
  const [to, name] = [quoted(file), quoted(url)];
  const run =
    command === "backup"
      ? `pg_dump --format=custom --no-owner --file=${to} --dbname=${name}`
      : `pg_restore --clean --if-exists --no-owner --single-transaction --dbname=${name} ${to}`;
  const hint = password !== "" ? " # it asks for the password, or takes it from PGPASSWORD or ~/.pgpass" : "";
  throw new CommandError(
    `this database is a PostgreSQL server's, and ${command === "backup" ? "pg_dump" : "pg_restore"}, which latchkey ${command} runs, is not in PATH`,
    `${run}${hint}`,
    { wrongInput: "server_database" },
  );
}

/** What libpq knows of the URL's query and has no secret in it. */
const harmless = ["sslmode", "channel_binding", "sslrootcert"];

/** A server's URL as libpq takes it, fit for everybody's eyes, and the password apart. */
export function withoutPassword({ driver, url: text }: Exclude<DatabaseConfig, { driver: "sqlite" }>) {
  const url = new URL(text);
  const password = decodeURIComponent(url.password) || (url.searchParams.get("password") ?? "");
  url.password = "";
  for (const name of new Set(url.searchParams.keys()))
    if (!harmless.includes(name)) url.searchParams.delete(name);
  // Its pooler has no sessions of one's own, which pg_dump needs.
  if (driver === "neon") url.hostname = url.hostname.replace(/^([^.]+)-pooler\./, "$1.");
  return { url: url.href, password };
}

function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
