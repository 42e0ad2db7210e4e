import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseConfig } from "../config/config.ts";
import { serverVersion } from "../database/copy-server.ts";
import type { Database } from "../database/database.ts";
import { CommandError } from "../errors.ts";
import type { CommandContext } from "./command.ts";
import { withoutPassword } from "./dump-command.ts";

/** One of PostgreSQL's own programs. */
export interface PostgresTool {
  /** @throws CommandError with what it complained of. */
  run(database: ServerConfig, args: readonly string[]): Promise<void>;
  /** @throws CommandError where it is older than the server, which it could not read. */
  requireVersion(database: Database): Promise<void>;
}

export type ServerConfig = Exclude<DatabaseConfig, { driver: "sqlite" }>;

/** What libpq reads of certificates, and nothing that says where to connect to, or how. */
const certificateNames = ["PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGSSLCRLDIR"];

type Surroundings = Pick<CommandContext, "environment" | "workerEnvironment">;

/**
 * The certificates for a connection that Bun's client makes by the runtime's own: without a file of them libpq refuses to
 * verify. Its word for the system's, `system`, is of version 16, and for `verify-full` alone (libpq §32.19.1).
 */
function certificatesFor(
  url: string,
  { environment, workerEnvironment }: Surroundings,
): Readonly<Record<string, string>> {
  const given = Object.fromEntries(certificateNames.map((name) => [name, environment[name] ?? ""]));
  const { searchParams } = new URL(url);
  const mode = searchParams.get("sslmode") ?? "";
  const own = join(workerEnvironment["HOME"] ?? "/", ".postgresql", "root.crt");
  const isKnown = searchParams.has("sslrootcert") || given["PGSSLROOTCERT"] !== "" || existsSync(own);
  if (mode.startsWith("verify-") && !isKnown) {
    const { NODE_EXTRA_CA_CERTS: extra, SSL_CERT_FILE: file } = workerEnvironment;
    given["PGSSLROOTCERT"] = (extra ?? "") || (file ?? "") || (mode === "verify-full" ? "system" : "");
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
}

/** Finds a program in PATH; null where it is not there. */
export function findPostgresTool(
  name: "pg_dump" | "pg_restore",
  surroundings: Surroundings,
): PostgresTool | null {
  const { workerEnvironment } = surroundings;
  const program = Bun.which(name, { PATH: workerEnvironment["PATH"] ?? "" });
  if (program === null) return null;
  const start = async (args: readonly string[], more: Readonly<Record<string, string>>) => {
    const child = Bun.spawn([program, ...args], {
      env: { ...workerEnvironment, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { stdout, stderr, isDone: child.exitCode === 0 };
  };
  return {
    async run(database, args) {
      const { url, password } = withoutPassword(database);
      // Not an argument, which everybody on the machine could read.
      const secret = password === "" ? {} : { PGPASSWORD: password };
      const { isDone, stderr } = await start(["--no-password", `--dbname=${url}`, ...args], {
        ...certificatesFor(url, surroundings),
        ...secret,
      });
      if (isDone) return;
      const said = stderr.trim().split("\n").slice(0, 5).join("\n");
      const remedy = /root certificate/.test(said)
        ? "name the file with the authority's certificate by sslrootcert=… in DATABASE_URL, or by PGSSLROOTCERT"
        : "latchkey doctor";
      throw new CommandError(`${name} failed: ${said === "" ? "without a word" : said}`, remedy);
    },
    async requireVersion(database) {
      const { stdout } = await start(["--version"], {});
      const own = Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? 0);
      const needed = await serverVersion(database);
      if (own >= needed) return;
      throw new CommandError(
        `${program} is of PostgreSQL ${own}, and the server is ${needed}, which it cannot read`,
        `install the client programs of PostgreSQL ${needed}, such as by apt-get install postgresql-client-${needed}, or put them first in PATH`,
      );
    },
  };
}
