import { AppError } from "../errors.ts";

/** The 503 of a store that is lost, locked or too slow. The cause goes to the log only. */
export function storeUnavailable(cause: unknown): AppError {
  return new AppError("STORE_UNAVAILABLE", "The account store is not available. Try again shortly.", {
    cause,
    headers: { "Retry-After": "1" },
  });
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

/** Tries that only lost their connection are repeated: it may have died while idle, in a pooler several in a row. */
export async function repeatLost<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failed = 0; ; failed += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (failed === 2 || !isConnectionLoss(error)) throw error;
      if (failed === 1) await Bun.sleep(50);
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
