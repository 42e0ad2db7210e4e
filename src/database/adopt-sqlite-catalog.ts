import { type FoundColumn, type FoundIndex, type FoundTable, tableNames } from "./adopt-shape.ts";
import type { MigrationConnection } from "./migrate.ts";

export interface SqliteColumn extends FoundColumn {
  /** The default's expression as SQL, or null. */
  readonly default: string | null;
}

export interface SqliteForeignKey {
  /** The column that refers, or null for several at once. */
  readonly column: string | null;
  readonly refersToUserId: boolean;
  /** `table.column`, or `table` for its primary key. */
  readonly target: string;
  readonly cascades: boolean;
  /** `REFERENCES …` as SQL. */
  readonly clause: string;
}

export interface SqliteTable extends FoundTable {
  readonly columns: readonly SqliteColumn[];
  readonly foreignKeys: readonly SqliteForeignKey[];
  /** The CREATE TABLE statement. */
  readonly definition: string;
}
