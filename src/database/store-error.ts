import { AppError } from "../errors.ts";

/** The 503 of a store that is lost, locked or too slow. The cause goes to the log only. */
export function storeUnavailable(cause: unknown): AppError {
  return new AppError("STORE_UNAVAILABLE", "The account store is not available. Try again shortly.", {
    cause,
    headers: { "Retry-After": "1" },
  });
}

/**
 * What a statement that failed would meet again, however often it is tried: SQLSTATE classes and codes
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html), and SQLite's (https://sqlite.org/rescode.html).
 * Everything else may pass: a lost connection, a lock, a full disk, a server that starts or only reads.
 */
const lasting: readonly (readonly [codes: RegExp, what: string])[] = [
  [/^(?:22|23|44)/, "a value or a row that a type, a constraint or a check refuses"],
  [/^(?:P0|38|39)/, "a trigger or a function that raises"],
  // A pooler that mixes up prepared statements is none of it.
  [/^42(?!P05)/, "a table, a column or a right that is missing"],
  [/^(?:0A|21|2F|54)/, "a statement that this server does not carry out"],
  [/^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG|RANGE)/, "a row that a constraint, a trigger or a type refuses"],
  [/^SQLITE_ERROR$/, "a table or a column that is missing"],
];

/** Whether the database refuses something for good: to try again would be in vain. */
export function isRefusal(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  return lasting.some(([codes]) => codes.test(code));
}

/** The answer to a failure of the store: 503 where it may pass, 500 where it will not. The cause goes to the log only. */
export function storeFailure(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  if (!isRefusal(cause)) return storeUnavailable(cause);
  return new AppError("INTERNAL_SERVER_ERROR", "Something went wrong.", { cause });
}

const uniqueViolationCodes = new Set(["23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"]);

/** The innermost code of a driver's error: SQLSTATE on PostgreSQL and Neon, `SQLITE_*` on SQLite. */
export function errorCode(error: unknown): string | undefined {
  let code: string | undefined;
  for (let current = error, depth = 0; current instanceof Error && depth < 8; depth += 1) {
    const { errno, code: named } = current as { errno?: unknown; code?: unknown };
    // Bun's PostgreSQL client keeps the SQLSTATE in `errno`; Neon's and SQLite keep theirs in `code`.
    if (typeof errno === "string") code = errno;
    else if (typeof named === "string") code = named;
    current = current.cause;
  }
  return code;
}

/** Whether the store refused a second row with the same unique value. */
export function isUniqueViolation(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && uniqueViolationCodes.has(code);
}

/** Before each further try. */
const pausesMs = [0, 50, 150, 300];

/** Tries that only lost their connection are repeated: it may have died while idle, in a pooler several in a row. */
export async function repeatLost<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failed = 0; ; failed += 1) {
    try {
      return await attempt();
    } catch (error) {
      const pauseMs = pausesMs[failed];
      if (pauseMs === undefined || !isConnectionLoss(error)) throw error;
      if (pauseMs > 0) await Bun.sleep(pauseMs);
    }
  }
}

/** Whether a query failed because its connection did: nothing was read, and a read may be asked again. */
export function isConnectionLoss(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  if (code === "ERR_POSTGRES_CONNECTION_TIMEOUT") return false;
  // 57P01-57P03: the server ends the connection; class 08: connection exceptions.
  if (code.startsWith("ERR_POSTGRES_CONNECTION") || code.startsWith("57P0") || code.startsWith("08"))
    return true;
  // Neon's driver has no code for it.
  return error instanceof Error && error.message === "Connection terminated unexpectedly";
}

/** Whether a pooler stands between that gives each statement another session: invalid, or duplicate, statement name. */
export function isUnprepared(error: unknown): boolean {
  const code = errorCode(error);
  return code === "26000" || code === "42P05";
}
