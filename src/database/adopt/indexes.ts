import { type Change, type FoundIndex, type IndexShape, indexShapes, type Plan, quote } from "./shape.ts";

/** Makes the indexes those of 0000_init: what 0001_indexes is about to create must not stand yet. */
export function planIndexes(provider: "sqlite" | "pg", found: readonly FoundIndex[]): Plan {
  const problems: string[] = [];
  const changes: Change[] = [];
  for (const shape of indexShapes) {
    const named = found.find(({ name }) => name === shape.name);
    if (named !== undefined && !isEqual(named, shape)) {
      problems.push(
        `the index ${shape.name} on ${named.table} is not the one that latchkey makes on ` +
          `${shape.table} (${shape.columns.join(", ")}): rename or drop it`,
      );
    } else if (shape.migration > 0) {
      if (named !== undefined) changes.push({ text: drop(named) });
    } else if (named === undefined && !(shape.unique && found.some((index) => isEqual(index, shape)))) {
      changes.push({ text: create(provider, shape) });
    }
  }
  return { problems, changes };
}

function isEqual(index: FoundIndex, shape: IndexShape): boolean {
  return (
    index.plain &&
    index.table === shape.table &&
    index.unique === shape.unique &&
    index.columns.join() === shape.columns.join()
  );
}

function create(provider: "sqlite" | "pg", { name, table, columns, unique }: IndexShape): string {
  const list = columns.map(quote).join(", ");
  if (unique && provider === "pg") {
    return `ALTER TABLE ${quote(table)} ADD CONSTRAINT ${quote(name)} UNIQUE (${list})`;
  }
  return `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quote(name)} ON ${quote(table)} (${list})`;
}

function drop({ name, table, constraint }: FoundIndex): string {
  return constraint
    ? `ALTER TABLE ${quote(table)} DROP CONSTRAINT ${quote(name)}`
    : `DROP INDEX ${quote(name)}`;
}
