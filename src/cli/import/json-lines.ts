import { FaultError } from "../../auth/user-record.ts";
import { bad, type BadLine, type Line } from "./lines.ts";

/** What a line has, by the names of its fields, not yet looked at. */
export interface Fields {
  readonly number: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** @throws FaultError where there is no line: what was to write them into a pipe may have failed. */
export async function* jsonLines(
  lines: AsyncIterable<readonly (Line | BadLine)[]>,
): AsyncGenerator<readonly (Fields | BadLine)[]> {
  let isEmpty = true;
  for await (const some of lines) {
    const found = some.flatMap((line) => {
      if (!("text" in line)) return line;
      return line.text.trim() === "" ? [] : parse(line);
    });
    if (found.length > 0) isEmpty = false;
    yield found;
  }
  if (isEmpty)
    throw new FaultError({
      field: "file",
      reason: "has no users",
      remedy: "look whether what should have written it failed",
    });
}

function parse({ number, text }: Line): Fields | BadLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = text.trimStart().startsWith("[") ? [] : undefined;
  }
  if (Array.isArray(value))
    return bad(number, "is a list, not one user", "jq -c '.[]' writes a list as lines");
  if (typeof value !== "object" || value === null)
    return bad(number, "is no JSON object", 'write one object a line, such as {"email":"ann@example.com"}');
  return { number, fields: value as Record<string, unknown> };
}
