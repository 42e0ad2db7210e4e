import { describe, expect, test } from "bun:test";
import { getTableConfig as serverConfig } from "drizzle-orm/pg-core";
import { getTableConfig as fileConfig } from "drizzle-orm/sqlite-core";
import * as serverSchema from "../../src/database/schema.postgres.ts";
import * as fileSchema from "../../src/database/schema.sqlite.ts";

const server = { ...serverSchema };
const file = { ...fileSchema };

/** What both dialects' tables say alike. */
type Described = ReturnType<typeof serverConfig> | ReturnType<typeof fileConfig>;

/** The SQLite type that stands for each of PostgreSQL's. */
const kinds: Readonly<Record<string, string>> = {
  text: "text",
  boolean: "flag",
  "timestamp with time zone": "instant",
  "integer boolean": "flag",
  "integer date": "instant",
};

function describeTable(config: Described) {
  const byText = (left: string, right: string) => (left < right ? -1 : 1);
  return {
    name: config.name,
    columns: config.columns.map((column) => ({
      name: column.name,
      kind:
        kinds[column.getSQLType()] ??
        kinds[`${column.getSQLType()} ${column.dataType}`] ??
        column.getSQLType(),
      notNull: column.notNull,
      primary: column.primary,
      unique: column.isUnique ? column.uniqueName : null,
      hasDefault: column.hasDefault,
      updates: column.onUpdateFn !== undefined,
    })),
    indexes: config.indexes
      .map(({ config: index }) => ({
        name: index.name,
        unique: index.unique,
        columns: index.columns.map((column) => ("name" in column ? column.name : "?")),
        partial: index.where !== undefined,
      }))
      .toSorted((left, right) => byText(left.name ?? "", right.name ?? "")),
    foreignKeys: config.foreignKeys.map((key) => {
      const { columns, foreignColumns } = key.reference();
      return {
        name: key.getName(),
        columns: columns.map(({ name }) => name),
        foreignColumns: foreignColumns.map(({ name }) => name),
        onDelete: key.onDelete,
        onUpdate: key.onUpdate ?? "no action",
      };
    }),
    checks: config.checks.length,
    primaryKeys: config.primaryKeys.length,
    uniqueConstraints: config.uniqueConstraints.length,
  };
}

const tables = ["user", "session", "account", "verification"] as const;

describe("the schemas", () => {
  test("hold the same four tables", () => {
    expect(Object.keys(server).toSorted()).toEqual(tables.toSorted());
    expect(Object.keys(file).toSorted()).toEqual(tables.toSorted());
  });

  test.each(tables)("describe %s alike for both dialects", (name) => {
    expect(describeTable(fileConfig(file[name]))).toEqual(describeTable(serverConfig(server[name])));
  });

  test.each(tables)("give the columns of %s the same property names", (name) => {
    const names = (table: object) =>
      Object.entries(table).flatMap(([property, column]) =>
        typeof column === "object" && column !== null && "columnType" in column
          ? [[property, String((column as { name?: unknown }).name)]]
          : [],
      );
    expect(names(file[name])).toEqual(names(server[name]));
    expect(names(server[name]).length).toBeGreaterThan(5);
  });

  test("describe a session as BetterAuth expects it", () => {
    const described = describeTable(serverConfig(server.session));
    expect(described.indexes.map(({ name }) => name)).toEqual([
      "session_expires_at_idx",
      "session_userId_idx",
    ]);
    expect(described.foreignKeys).toEqual([
      {
        name: "session_user_id_user_id_fk",
        columns: ["user_id"],
        foreignColumns: ["id"],
        onDelete: "cascade",
        onUpdate: "no action",
      },
    ]);
    expect(described.columns.find(({ name }) => name === "token")).toMatchObject({
      unique: "session_token_unique",
      notNull: true,
      kind: "text",
    });
  });
});
