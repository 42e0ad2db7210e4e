import type { SessionStore } from "./sessions/store.ts";

/** A value that every driver can bind. */
export type Parameter = string | number | boolean | null;
export type Row = Record<string, unknown>;

/** An open transaction on a connection of its own. The first `commit` or `rollback` ends it; another one does nothing. */
export interface Transaction {
  /** A Drizzle database bound to this transaction's connection. */
  readonly db: object;
  /** Runs one statement. Placeholders are the dialect's: `?` on SQLite, `$1` on PostgreSQL. */
  query(text: string, parameters?: readonly Parameter[]): Promise<Row[]>;
  /** @throws AppError 503, with everything rolled back. */
  commit(): Promise<void>;
  /** Never rejects: a connection that cannot roll back is closed. */
  rollback(): Promise<void>;
}

/** One of three real databases behind one interface; nothing outside `database/` knows a driver. */
export interface Database {
  readonly driver: "sqlite" | "postgres" | "neon";
  /** BetterAuth's and Drizzle's name of the dialect. */
  readonly provider: "sqlite" | "pg";
  readonly schema: Readonly<Record<string, object>>;
  /** A Drizzle database that sees what is committed and never writes. */
  reads(): object;
  /** @throws AppError 503 when what `reads` would see is not the database any more: a file that was replaced. */
  requireOpen?(): void;
  /**
   * Begins a writing transaction. @throws AppError 503 when no connection or lock is had in time.
   * @param statementTimeoutMs for each statement on a server; default 4 s, which suits requests.
   */
  begin(statementTimeoutMs?: number): Promise<Transaction>;
  /**
   * Runs one statement that commits by itself: a third of a transaction's cost on a server. Where a connection is lost it may
   * be run twice. @throws AppError 503.
   */
  change(text: string, parameters: readonly Parameter[]): Promise<Row[]>;
  /** Runs one statement that only reads, and waits for no writer. @throws AppError 503. */
  read(text: string, parameters: readonly Parameter[]): Promise<Row[]>;
  /** Times what is asked by way of `reads` or a transaction's `db`; where somebody counts. */
  timed?<T>(work: () => Promise<T>): Promise<T>;
  /** Reads a row of what a start would read: @returns the tags of migrations that are missing. @throws when it cannot. */
  probe(): Promise<readonly string[]>;
  /** How long nothing but `probe` has asked, in ms; only of a database that sleeps meanwhile. */
  idleMs?(): number;
  readonly sessions: SessionStore;
  close(): Promise<void>;
}
