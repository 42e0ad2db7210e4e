import type { SessionRow } from "./store.ts";

const milliseconds = (column: string) => `floor(extract(epoch from ${column}) * 1000)::float8`;

/** The joined lookup without its WHERE; instants come as ms since the epoch, as SQLite keeps them. */
export const postgresLookup =
  `SELECT s.id, s.token, s.user_id, ${milliseconds("s.expires_at")}, ${milliseconds("s.created_at")}, ` +
  `${milliseconds("s.updated_at")}, s.ip_address, s.user_agent, u.name, u.email, u.email_verified, u.image, ` +
  `${milliseconds("u.created_at")}, ${milliseconds("u.updated_at")} ` +
  `FROM session s JOIN "user" u ON u.id = s.user_id`;

export type PostgresColumns = [
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
  boolean,
  string | null,
  number,
  number,
];

/** Reads one row of `postgresLookup`, fetched as an array. */
export function postgresRow(c: PostgresColumns): SessionRow {
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
      emailVerified: c[10],
      image: c[11],
      createdAt: c[12],
      updatedAt: c[13],
    },
  };
}
