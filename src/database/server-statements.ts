/** A request has 5 s; a connection that takes longer than this to get leaves too little of them. */
export const connectTimeoutMs = 4_800;
/** For each statement of a request; the server ends it too, or is told to. */
export const queryTimeoutMs = 4_000;
const lockTimeoutMs = 2_000;

/** The same in every process, so that a pooler's sessions keep one prepared lookup and not one of each start. */
export const lookupMark = "latchkey lookup";

/** Begins a transaction whose statements the server itself ends. Its settings end with it: a pooler takes none for a session. */
export function beginText(statementTimeoutMs: number): string {
  return `BEGIN; SET LOCAL statement_timeout = ${statementTimeoutMs}; SET LOCAL lock_timeout = ${lockTimeoutMs}`;
}

/** Reads outside transactions, which have nothing that bounds them on the server. */
export interface LateStatements {
  /** The text to send, by which the server's list of what is running shows it. */
  mark(text: string): string;
  /** Ends on the server what was given up here: a statement that waits for a lock would keep its place there for as long. */
  cancel(): void;
}

/**
 * @param ask runs a statement on a connection of its own, also through a pooler, which hides whose connection is whose.
 * @param lateMs how long a marked statement may run.
 * @param name of them; one that several instances share has each end the late ones of all.
 */
export function createLateStatements(
  ask: (text: string, parameters: unknown[]) => Promise<unknown>,
  lateMs: number,
  name = `latchkey ${crypto.randomUUID()}`,
): LateStatements {
  let again: ReturnType<typeof setTimeout> | undefined;
  const endLate = async (): Promise<void> => {
    // Where that fails too, the server is away, or has ended them by itself.
    await ask(cancelText, [`/* ${name} */%`, (lateMs * 0.9) / 1000]).catch(() => {});
  };
  let isEnding = false;
  return {
    mark: (text) => `/* ${name} */ ${text}`,
    cancel() {
      if (isEnding) return;
      isEnding = true;
      void endLate().finally(() => {
        isEnding = false;
        // What reached the server late is not late there yet.
        clearTimeout(again);
        again = setTimeout(() => void endLate(), lateMs);
        again.unref();
      });
    },
  };
}

const cancelText =
  "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user " +
  "AND state = 'active' AND query LIKE $1::text AND query_start < clock_timestamp() - make_interval(secs => $2::float8)";

/** A connection that answers with rows. */
export type Ask = (text: string) => Promise<readonly Record<string, unknown>[]>;

/**
 * Whether each connection keeps one session of the server to itself: a pooler in transaction mode gives a session to
 * whoever has something to ask, and there a statement that was prepared is somewhere else at the next use, or is
 * another client's under the same name.
 * @param asker asks outside transactions, `holder` keeps a session busy by one.
 * @returns false also where chance may have hidden it.
 */
export async function keepsSessions(asker: Ask, holder: Ask): Promise<boolean> {
  const sessionOf = async (ask: Ask) => (await ask("SELECT pg_backend_pid() AS pid"))[0]?.["pid"];
  // A pooler that others use too may happen to give the same one again.
  for (let round = 0; round < 10; round += 1) {
    const own = await sessionOf(asker);
    await holder("BEGIN");
    try {
      if ((await sessionOf(holder)) === own || (await sessionOf(asker)) !== own) return false;
    } finally {
      await holder("ROLLBACK");
    }
  }
  return true;
}
