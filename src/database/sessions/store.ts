/** A session row joined with its user; instants are ms since the epoch. */
export interface SessionRow {
  readonly id: string;
  readonly token: string;
  readonly userId: string;
  readonly expiresAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly user: UserRow;
}

export interface UserRow {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly image: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/**
 * Finds sessions by token, exactly: a lookup that starts after a change was committed, by any process, sees it.
 * Expiry is the caller's to check. The answer is immediate where the store can (SQLite), a promise elsewhere.
 */
export interface SessionStore {
  /**
   * A session that has not changed is usually the same object again, and one that has changed never is: what was made of
   * an object holds still.
   * @throws or rejects with AppError 503 when the store does not answer in time.
   */
  find(token: string): SessionRow | null | Promise<SessionRow | null>;
  close(): Promise<void>;
}

/** One row of a lookup, fetched as an array, in the order of `sessionColumns`; SQLite keeps booleans as 0 and 1. */
export type SessionColumns = [
  string,
  string,
  string,
  number,
  number,
  number,
  string | null,
  string | null,
  string,
  string,
  boolean | number,
  string | null,
  number,
  number,
];

/** The columns of a lookup: of the session `s` and its user `u`, each instant wrapped by `instant`. */
export const sessionColumns = (instant: (column: string) => string): string =>
  [
    "s.id, s.token, s.user_id",
    ...["s.expires_at", "s.created_at", "s.updated_at"].map(instant),
    "s.ip_address, s.user_agent, u.name, u.email, u.email_verified, u.image",
    ...["u.created_at", "u.updated_at"].map(instant),
  ].join(", ");

/** Reads one row of a lookup. */
export function sessionRow(c: SessionColumns): SessionRow {
  return {
    id: c[0],
    token: c[1],
    userId: c[2],
    expiresAt: c[3],
    createdAt: c[4],
    updatedAt: c[5],
    ipAddress: c[6],
    userAgent: c[7],
    user: {
      id: c[2],
      name: c[8],
      email: c[9],
      emailVerified: Boolean(c[10]),
      image: c[11],
      createdAt: c[12],
      updatedAt: c[13],
    },
  };
}
