import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  generateDrizzleJson,
  generateMigration,
  generateSQLiteDrizzleJson,
  generateSQLiteMigration,
} from "drizzle-kit/api";
import { indexShapes, ownedTables, tableShapes } from "../../src/database/adopt/shape.ts";
import { migrations } from "../../src/database/migrations.ts";
import * as server from "../../src/database/schema.postgres.ts";
import * as file from "../../src/database/schema.sqlite.ts";

const folderOf = (dialect: string) => join(import.meta.dir, "../../drizzle", dialect);
const readJson = (dialect: string, name: string): unknown =>
  JSON.parse(readFileSync(join(folderOf(dialect), "meta", name), "utf8"));
const journalOf = (dialect: string) =>
  readJson(dialect, "_journal.json") as {
    dialect: string;
    entries: { idx: number; tag: string; breakpoints: boolean }[];
  };
const snapshotOf = (dialect: string, at: number) =>
  readJson(dialect, `${String(at).padStart(4, "0")}_snapshot.json`);

interface Snapshot {
  readonly tables: Readonly<
    Record<
      string,
      {
        readonly name: string;
        readonly columns: Readonly<Record<string, { name: string; type: string; notNull: boolean }>>;
        readonly indexes: Readonly<
          Record<string, { name: string; isUnique: boolean; columns: (string | { expression: string })[] }>
        >;
        readonly uniqueConstraints: Readonly<Record<string, { name: string; columns: string[] }>>;
        readonly foreignKeys: Readonly<Record<string, { columnsFrom: string[]; onDelete: string }>>;
      }
    >
  >;
}

describe.each([
  ["sqlite", "sqlite", "sqlite"],
  ["postgres", "pg", "postgresql"],
] as const)("the migrations for %s", (dialect, provider, kit) => {
  const embedded = migrations[provider];

  test("are those of drizzle-kit's journal, in its order", () => {
    const journal = journalOf(dialect);
    expect(journal.dialect).toBe(kit);
    expect(journal.entries.map(({ tag }) => tag)).toEqual(embedded.map(({ tag }) => tag));
    expect(journal.entries.map(({ idx }) => idx)).toEqual(embedded.map((_, at) => at));
    const files = readdirSync(folderOf(dialect)).filter((name) => name.endsWith(".sql"));
    expect(files.toSorted()).toEqual(embedded.map(({ tag }) => `${tag}.sql`));
  });

  test("carry the hashes of their files, and statements without a separator in them", () => {
    for (const { tag, hash, statements } of embedded) {
      const text = readFileSync(join(folderOf(dialect), `${tag}.sql`));
      expect(hash).toBe(new Bun.CryptoHasher("sha256").update(text).digest("hex"));
      expect(statements.length).toBe(text.toString().split("--> statement-breakpoint").length);
      for (const statement of statements) expect(statement).toMatch(/^(?![^]*breakpoint)[^]+;$/);
    }
  });

  test("S83: let every latchkey since the named level work on the result", () => {
    for (const [at, { minReader }] of embedded.entries()) {
      expect(minReader).toBeGreaterThanOrEqual(1);
      expect(minReader).toBeLessThanOrEqual(at + 1);
    }
  });

  test("name no schema, so that they work in any", () => {
    expect(embedded.flatMap(({ statements }) => statements).join("\n")).not.toContain("public");
  });

  test("lead to the schema as it is: drizzle-kit has nothing to generate", async () => {
    const latest = snapshotOf(dialect, embedded.length - 1);
    expect(await pending(dialect, latest)).toEqual([]);
    // The comparison sees a difference where there is one.
    expect((await pending(dialect, snapshotOf(dialect, 0))).join("\n")).toContain("session_expires_at_idx");
  });

  test("begin with the tables that adoption aims at", () => {
    const { tables } = snapshotOf(dialect, 0) as Snapshot;
    const named = Object.values(tables);
    const kinds: Readonly<Record<string, string>> = { "timestamp with time zone": "instant" };
    const integers = (name: string) => (name === "email_verified" ? "boolean" : "instant");
    const columns = named.map(({ name, columns: found }) => [
      name,
      Object.values(found)
        .map((column) => ({
          name: column.name,
          kind: column.type === "integer" ? integers(column.name) : (kinds[column.type] ?? column.type),
          required: column.notNull,
        }))
        .toSorted(byName),
    ]);
    expect(Object.fromEntries(columns)).toEqual(
      Object.fromEntries(Object.entries(tableShapes).map(([name, shape]) => [name, shape.toSorted(byName)])),
    );
    expect(
      named
        .filter((table) => Object.keys(table.foreignKeys).length > 0)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(ownedTables.toSorted());
  });

  test("make the indexes that adoption knows, each in its migration", () => {
    const found = (at: number) =>
      Object.values((snapshotOf(dialect, at) as Snapshot).tables).flatMap((table) => [
        ...Object.values(table.indexes).map((index) => ({
          name: index.name,
          table: table.name,
          columns: index.columns.map((column) => (typeof column === "string" ? column : column.expression)),
          unique: index.isUnique,
        })),
        ...Object.values(table.uniqueConstraints).map((constraint) => ({
          name: constraint.name,
          table: table.name,
          columns: constraint.columns,
          unique: true,
        })),
      ]);
    for (const at of [0, 1]) {
      const shapes = indexShapes.filter((shape) => shape.migration <= at);
      expect(found(at).toSorted(byName)).toEqual(
        shapes
          .map(({ name, table, columns, unique }) => ({ name, table, columns: [...columns], unique }))
          .toSorted(byName),
      );
    }
  });
});

test("the migrations bear the same tags and reading levels for both dialects", () => {
  const described = (provider: "sqlite" | "pg") =>
    migrations[provider].map(({ tag, minReader }) => [tag, minReader]);
  expect(described("sqlite")).toEqual(described("pg"));
});

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : 1;
}

/** The statements that drizzle-kit would write into a next migration. */
async function pending(dialect: "sqlite" | "postgres", snapshot: unknown): Promise<string[]> {
  if (dialect === "sqlite") {
    type Json = Parameters<typeof generateSQLiteMigration>[0];
    return await generateSQLiteMigration(snapshot as Json, await generateSQLiteDrizzleJson({ ...file }));
  }
  type Json = Parameters<typeof generateMigration>[0];
  return await generateMigration(snapshot as Json, generateDrizzleJson({ ...server }));
}
