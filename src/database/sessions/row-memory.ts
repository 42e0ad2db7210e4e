import { createBoundedMap } from "../../bounded-map.ts";
import type { SessionColumns, SessionRow } from "./store.ts";

/** Rows remembered at the most. */
const remembered = 10_240;

/**
 * Reads looked-up rows so that one which has not changed since it was last read is the same object: what was made of it
 * then holds still. It answers nothing by itself: every row is one that the database has just sent.
 */
export function createRowMemory(
  read: (columns: SessionColumns) => SessionRow,
): (columns: SessionColumns) => SessionRow {
  const known = createBoundedMap<{ readonly columns: SessionColumns; readonly row: SessionRow }>(remembered);
  return (columns) => {
    const last = known.get(columns[1]);
    if (last !== undefined && isSame(last.columns, columns)) return last.row;
    const row = read(columns);
    known.set(row.token, { columns, row });
    return row;
  };
}

function isSame(one: SessionColumns, other: SessionColumns): boolean {
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}
