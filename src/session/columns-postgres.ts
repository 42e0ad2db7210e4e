import { sessionColumns } from "./store.ts";

/** The joined lookup without its WHERE; instants come as ms since the epoch, as SQLite keeps them. */
export const postgresLookup =
  `SELECT ${sessionColumns((column) => `floor(extract(epoch from ${column}) * 1000)::float8`)} ` +
  'FROM session s JOIN "user" u ON u.id = s.user_id';
