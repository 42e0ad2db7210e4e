import { CommandError, reasonOf } from "../errors.ts";
import { errorCode } from "./store-error.ts";

interface Failure {
  /** SQLSTATEs and the drivers' own codes. */
  readonly codes?: readonly string[];
  /** Of the message, where there is no code, or one that means many things. */
  readonly message?: RegExp;
  /** What it means, where the server's own words do not say it. */
  readonly means?: string;
  readonly remedy: string;
}

const seeUrl = "see that the server runs, and that DATABASE_URL names its host and port";

/** What an operator can do about a server that cannot be used; the first that fits. */
const failures: readonly Failure[] = [
  {
    message: /statement pooling mode/,
    means: "the pooler is in statement mode, and accounts need transactions",
    remedy: "set pool_mode = transaction or session for this database, or connect past the pooler",
  },
  {
    message: /unsupported startup parameter/,
    remedy: "add the parameter to ignore_startup_parameters of the pooler, or connect past it",
  },
  {
    codes: ["42P05", "26000"],
    means: "a pooler gives each statement another session of the server",
    remedy: "set max_prepared_statements = 200 in PgBouncer 1.21 or newer, or connect past the pooler",
  },
  {
    codes: ["28P01", "28000"],
    remedy: "set the user and password of DATABASE_URL, percent-encoded, to ones that pg_hba.conf lets in",
  },
  { codes: ["3D000"], remedy: "createdb NAME, or correct the name at the end of DATABASE_URL" },
  {
    codes: ["53300", "53400"],
    remedy: "lower LATCHKEY_DATABASE_CONNECTIONS, or raise max_connections of the server or its pooler",
  },
  {
    codes: ["42501"],
    remedy: "GRANT CREATE, USAGE ON SCHEMA public TO the user of DATABASE_URL, and own the tables",
  },
  { codes: ["25006"], remedy: "point DATABASE_URL at the primary server" },
  { codes: ["57P03"], remedy: "wait until the server has started, and start again" },
  { codes: ["53100"], remedy: "make room on the server's disk" },
  {
    message: /WebSocket connection to/,
    means: "Neon's WebSocket proxy cannot be reached",
    remedy:
      "see that DATABASE_URL names your endpoint, that the network lets wss:// out to it on port 443, and for a server that is not Neon's set LATCHKEY_DATABASE_DRIVER=postgres",
  },
  {
    codes: ["ERR_POSTGRES_TLS_NOT_AVAILABLE", "ERR_POSTGRES_TLS_UPGRADE_FAILED"],
    remedy: "turn TLS on at the server, or set sslmode in DATABASE_URL to what it can do",
  },
  {
    codes: ["ERR_POSTGRES_CONNECTION_REFUSED", "ECONNREFUSED"],
    means: "nothing answers at the host and port of DATABASE_URL",
    remedy: seeUrl,
  },
  {
    message: /timed out|timeout/i,
    means: "the server did not answer in time",
    remedy: `${seeUrl}, and that no firewall swallows packets to it`,
  },
];

/** What to do about a server that failed; an error that has its remedy keeps it. */
export function explainServerFailure(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const reason = reasonOf(error);
  const code = errorCode(error) ?? "";
  const failure = failures.find(
    ({ codes, message }) => codes?.includes(code) === true || message?.test(reason) === true,
  );
  const message = failure?.means === undefined ? reason : `${failure.means}: ${reason}`;
  return new CommandError(message, failure?.remedy ?? `${seeUrl}, and lets this user in`, { cause: error });
}

/** Runs what an operator waits for, its failures explained. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explainServerFailure(error);
  }
}
