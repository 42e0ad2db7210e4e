import Papa from "papaparse";
import { type Fault, FaultError, recordFields } from "../../auth/user-record.ts";
import type { Fields } from "./json-lines.ts";
import { bad, type BadLine, type Line, lineMaxBytes } from "./lines.ts";

/** A quote that is not closed takes no more than these with it. */
const recordLinesMax = 100;
/** What a spreadsheet would compute, and what this file's own way of preventing it looks like. */
const formula = /^'*[=+\-@\t\r]/;

/** Writes a row, so that no cell is a formula to a spreadsheet: an apostrophe stands before one that would be. */
export function csvRow(cells: readonly string[]): string {
  return Papa.unparse([cells.map((cell) => (formula.test(cell) ? `'${cell}` : cell))], { newline: "\n" });
}

/**
 * Reads rows by RFC 4180 under the names of the first one; a field in quotes may go on over lines. The apostrophe that
 * `csvRow` writes is taken away again.
 * @throws FaultError where the first row cannot be used.
 */
export async function* csvRows(
  lines: AsyncIterable<readonly (Line | BadLine)[]>,
): AsyncGenerator<readonly (Fields | BadLine)[]> {
  let header: readonly string[] | undefined;
  let open: readonly Line[] = [];
  const take = (line: Line | BadLine, found: (Fields | BadLine)[]): void => {
    if (!("text" in line)) {
      close(found);
      if (header === undefined) throw new FaultError(headerFault(line.fault.reason, line.fault.remedy));
      found.push(line);
      return;
    }
    if (open.length === 0 && line.text === "") return;
    const record = [...open, line];
    const text = record.map((one) => one.text).join("\n");
    const row = parse(text);
    if (row === "open" && record.length < recordLinesMax && text.length < lineMaxBytes) {
      open = record;
      return;
    }
    if (row === "open") {
      open = record;
      close(found);
      return;
    }
    open = [];
    const { number } = record[0] ?? line;
    if (header === undefined) header = readHeader(row);
    else found.push(fieldsOf(number, header, row));
  };
  /** Gives up the line that opened a quote, and reads those behind it as lines of their own. */
  const close = (found: (Fields | BadLine)[]): void => {
    const [first, ...others] = open;
    open = [];
    if (first === undefined) return;
    if (header === undefined)
      throw new FaultError(headerFault("has a quote that is not closed", quoteRemedy));
    found.push(bad(first.number, "has a quote that is not closed", quoteRemedy));
    for (const line of others) take(line, found);
  };
  for await (const some of lines) {
    const found: (Fields | BadLine)[] = [];
    for (const line of some) take(line, found);
    if (found.length > 0) yield found;
  }
  while (open.length > 0) {
    const found: (Fields | BadLine)[] = [];
    close(found);
    yield found;
  }
  if (header === undefined)
    throw new FaultError(headerFault("is missing", `begin with ${recordFields.join(",")}`));
}

const quoteRemedy = 'write "" for a quote in a field, and close each';

function parse(text: string): readonly string[] | "open" | "broken" {
  const { data, errors } = Papa.parse<string[]>(text, { delimiter: ",", newline: "\n" });
  if (errors.some(({ code }) => code === "InvalidQuotes")) return "broken";
  if (errors.some(({ code }) => code === "MissingQuotes")) return "open";
  return data[0] ?? [];
}

function readHeader(row: readonly string[] | "broken"): readonly string[] {
  const fields = recordFields.join(",");
  if (row === "broken") throw new FaultError(headerFault("has a broken quote", quoteRemedy));
  const unknown = row.find((name) => !(recordFields as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new FaultError(
      headerFault(`${JSON.stringify(unknown.slice(0, 40))} is no field of a user`, `use ${fields}`),
    );
  const repeated = row.find((name, at) => row.indexOf(name) !== at);
  if (repeated !== undefined)
    throw new FaultError(headerFault(`${repeated} stands twice`, "leave one of the columns out"));
  if (!row.includes("email")) throw new FaultError(headerFault("email is missing", `use ${fields}`));
  return row;
}

function headerFault(reason: string, remedy: string): Fault {
  return { field: "header", reason, remedy };
}

function fieldsOf(
  number: number,
  header: readonly string[],
  row: readonly string[] | "broken",
): Fields | BadLine {
  if (row === "broken") return bad(number, "has a broken quote", quoteRemedy);
  if (row.length !== header.length)
    return bad(
      number,
      `has ${row.length} fields, and the header ${header.length}`,
      "write all, be they empty",
    );
  const cells = header.map((name, at): [string, string] => {
    const cell = row[at] ?? "";
    return [name, cell.startsWith("'") && formula.test(cell) ? cell.slice(1) : cell];
  });
  return { number, fields: Object.fromEntries(cells) };
}
