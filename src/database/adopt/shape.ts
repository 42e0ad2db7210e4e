/** The four tables, referenced ones first. */
export const tableNames = ["user", "session", "account", "verification"] as const;
export type TableName = (typeof tableNames)[number];

export interface ColumnShape {
  readonly name: string;
  readonly kind: "text" | "boolean" | "instant";
  /** NOT NULL. */
  readonly required: boolean;
}

export interface IndexShape {
  readonly name: string;
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly unique: boolean;
  /** The position of the migration that makes it: 0 for 0000_init. */
  readonly migration: 0 | 1;
}

const required = (kind: ColumnShape["kind"], ...names: string[]): ColumnShape[] =>
  names.map((name) => ({ name, kind, required: true }));
const optional = (kind: ColumnShape["kind"], ...names: string[]): ColumnShape[] =>
  names.map((name) => ({ name, kind, required: false }));
const written = required("instant", "created_at", "updated_at");

/**
 * The columns that 0000_init makes. Written out rather than taken from the schema: adopted tables must be what the
 * migrations after 0000 start from, whatever the schema has become since. A test holds both together.
 */
export const tableShapes: Readonly<Record<TableName, readonly ColumnShape[]>> = {
  user: [
    ...required("text", "id", "name", "email"),
    ...required("boolean", "email_verified"),
    ...optional("text", "image"),
    ...written,
  ],
  session: [
    ...required("text", "id", "token", "user_id"),
    ...required("instant", "expires_at"),
    ...optional("text", "ip_address", "user_agent"),
    ...written,
  ],
  account: [
    ...required("text", "id", "account_id", "provider_id", "user_id"),
    ...optional("text", "access_token", "refresh_token", "id_token", "scope", "password"),
    ...optional("instant", "access_token_expires_at", "refresh_token_expires_at"),
    ...written,
  ],
  verification: [
    ...required("text", "id", "identifier", "value"),
    ...required("instant", "expires_at"),
    ...written,
  ],
};

const index = (
  name: string,
  table: TableName,
  columns: readonly string[],
  rest: Partial<IndexShape> = {},
): IndexShape => ({ name, table, columns, unique: false, migration: 0, ...rest });

/** Every index of 0000_init and 0001_indexes; the two unique ones of 0000 are constraints on PostgreSQL. */
export const indexShapes: readonly IndexShape[] = [
  index("user_email_unique", "user", ["email"], { unique: true }),
  index("session_token_unique", "session", ["token"], { unique: true }),
  index("session_userId_idx", "session", ["user_id"]),
  index("account_userId_idx", "account", ["user_id"]),
  index("verification_identifier_idx", "verification", ["identifier"]),
  index("session_expires_at_idx", "session", ["expires_at"], { migration: 1 }),
  index("account_provider_account_uidx", "account", ["provider_id", "account_id"], {
    unique: true,
    migration: 1,
  }),
];

/** The tables whose `user_id` refers to `user.id` with ON DELETE CASCADE. */
export const ownedTables: readonly TableName[] = ["session", "account"];

/** A column as the catalog of either database describes it. */
export interface FoundColumn {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly hasDefault: boolean;
  readonly generated: boolean;
  readonly inPrimaryKey: boolean;
}

export interface FoundTable {
  readonly name: TableName;
  readonly columns: readonly FoundColumn[];
}

export interface FoundIndex {
  readonly name: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly unique: boolean;
  /** Covers every row by its columns alone: neither partial nor on expressions, and valid. */
  readonly plain: boolean;
  /** Stands and falls with a constraint. */
  readonly constraint: boolean;
}

/** A statement, with its parameters where it has any. */
export interface Change {
  readonly text: string;
  readonly parameters?: readonly string[];
}

/** What adoption comes to: nothing is changed as long as there are problems. */
export interface Plan {
  /** One line each, without a final full stop; names columns and row ids, never an address, token or hash. */
  readonly problems: readonly string[];
  readonly changes: readonly Change[];
}

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** BetterAuth 1.7.0 to 1.7.2 required and wrote `account.issuer`; 1.7.3 and later do not: it must not stay NOT NULL. */
export const isForsakenColumn = (table: string, column: FoundColumn): boolean =>
  table === "account" && column.name === "issuer" && column.required && !column.hasDefault;

/** A table's columns that 0000_init does not know. */
export function extraColumns<Column extends FoundColumn>(table: {
  readonly name: TableName;
  readonly columns: readonly Column[];
}): readonly Column[] {
  return table.columns.filter(({ name }) => !tableShapes[table.name].some((shape) => shape.name === name));
}

/** The columns of 0000_init that a table has not. */
export function missingColumns(table: FoundTable): readonly ColumnShape[] {
  return tableShapes[table.name].filter((shape) => !table.columns.some(({ name }) => name === shape.name));
}
