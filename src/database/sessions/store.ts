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

interface UserRow {
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
