import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { identifier, identifierSql, indexMax } from "./identifiers.ts";

describe("identifierSql", () => {
  test.each([0, 1, 2, 999_999, 9_999_999, indexMax])("is identifier, on SQLite, of %d", (index) => {
    using database = new Database(":memory:");
    for (const kind of ["user", "token"] as const) {
      const row = database.query<{ id: string }, []>(
        `SELECT ${identifierSql("sqlite", kind, String(index))} AS id`,
      );
      expect(row.get()?.id).toBe(identifier(kind, index));
      expect(identifier(kind, index)).toMatch(/^[0-9a-f]{32}$/);
    }
  });
});

describe("identifier", () => {
  test("differs from index to index and from kind to kind", () => {
    const all = Array.from({ length: 10_000 }, (_, index) => [
      identifier("user", index),
      identifier("token", index),
    ]);
    expect(new Set(all.flat()).size).toBe(20_000);
  });
});
