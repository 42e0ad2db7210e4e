import { describe, expect, test } from "bun:test";
import { csvRow, csvRows } from "../../src/cli/import/csv.ts";
import { jsonLines } from "../../src/cli/import/json-lines.ts";
import { lineMaxBytes, linesOf } from "../../src/cli/import/lines.ts";

type Content = string | Uint8Array;

/** Comes in pieces of so many bytes. */
async function* chunksOf(content: Content, bytes: number) {
  const all = Buffer.from(content);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

/** What is read: `[line, fields]`, or `[line, reason]`. */
async function read(format: "jsonl" | "csv", content: Content, bytes: number) {
  const lines = linesOf(chunksOf(content, bytes));
  const found: [number, unknown][] = [];
  for await (const some of format === "csv" ? csvRows(lines) : jsonLines(lines))
    for (const row of some) found.push([row.number, "fields" in row ? row.fields : row.fault.reason]);
  return found;
}

const sizes = [1, 7, 65_536];

describe("lines of JSON", () => {
  test.each(sizes)("come with their numbers, in pieces of %d bytes", async (bytes) => {
    const content = '\uFEFF{"email":"ä@b"}\r\n\n{"email":"c@d"}\n{"email":"e@f"}';
    expect(await read("jsonl", content, bytes)).toEqual([
      [1, { email: "ä@b" }],
      [3, { email: "c@d" }],
      [4, { email: "e@f" }],
    ]);
  });

  test.each([
    ["cut short", '{"email":"a', "is no JSON object"],
    ["a text", '"a@b"', "is no JSON object"],
    ["nothing", "null", "is no JSON object"],
    ["a list", '[{"email":"a@b"}]', "is a list, not one user"],
    ["the first line of a list", "[", "is a list, not one user"],
    ["not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "is not UTF-8"],
    ["a byte order mark behind the start", "\uFEFF{}", "is no JSON object"],
    ["a NUL", '{"email":"a\0"}', "is no JSON object"],
    [
      "as long as ten megabytes",
      `{"email":"${"x".repeat(10_000_000)}"}`,
      `is longer than ${lineMaxBytes} bytes`,
    ],
  ])("that are %s are refused by their number, and the next one is read", async (_what, line, reason) => {
    const content = Buffer.concat([Buffer.from('{"a":1}\n'), Buffer.from(line), Buffer.from('\n{"b":2}\n')]);
    expect(await read("jsonl", content, 65_536)).toEqual([
      [1, { a: 1 }],
      [2, reason],
      [3, { b: 2 }],
    ]);
  });
});

test.each([
  ["jsonl", "", "has no users"],
  ["jsonl", "\uFEFF\n \r\n", "has no users"],
  ["csv", "", "is missing"],
  ["csv", "\uFEFF\n\r\n", "is missing"],
] as const)("nothing at all, as %s of %p, is no file to import", async (format, content, reason) => {
  const failed = await read(format, content, 65_536).catch((error: unknown) => error);
  expect(failed).toEqual(expect.objectContaining({ message: reason }));
});

test("a header alone is a file of nobody", async () => {
  expect(await read("csv", "email,name\n", 65_536)).toEqual([]);
});

describe("rows of CSV", () => {
  test.each(sizes)("come under their names, over lines too, in pieces of %d bytes", async (bytes) => {
    const content = '\uFEFFemail,name\r\na@b,"Ann ""the""\r\nänn, x"\r\n\r\nc@d,\n';
    expect(await read("csv", content, bytes)).toEqual([
      [2, { email: "a@b", name: 'Ann "the"\nänn, x' }],
      [5, { email: "c@d", name: "" }],
    ]);
  });

  test.each([
    ["with a quote that is not closed", 'a@b,"Ann', "has a quote that is not closed"],
    ["with a quote that is closed too early", 'a@b,"Ann" x', "has a broken quote"],
    ["with a field too few", "a@b", "has 1 fields, and the header 2"],
    ["with a field too many", "a@b,Ann,x", "has 3 fields, and the header 2"],
    ["not in UTF-8", Buffer.from([0x61, 0x2c, 0xff]), "is not UTF-8"],
    ["of ten megabytes", `a@b,${"x".repeat(10_000_000)}`, `is longer than ${lineMaxBytes} bytes`],
  ])("%s are refused by their number, and the others are read", async (_what, line, reason) => {
    const content = Buffer.concat([
      Buffer.from("email,name\nx@y,X\n"),
      Buffer.from(line),
      Buffer.from("\nc@d,C\ne@f,E\n"),
    ]);
    expect(await read("csv", content, 65_536)).toEqual([
      [2, { email: "x@y", name: "X" }],
      [3, reason],
      [4, { email: "c@d", name: "C" }],
      [5, { email: "e@f", name: "E" }],
    ]);
  });

  test.each([
    ["email,name,email\n", "email stands twice"],
    ["email,nmae\n", '"nmae" is no field of a user'],
    ["name\n", "email is missing"],
    ['email,"name\n', "has a quote that is not closed"],
    ['"email"x,name\n', "has a broken quote"],
    [Buffer.from([0xff, 0x0a]), "is not UTF-8"],
  ])("under the header %p are not read", async (header, reason) => {
    const content = Buffer.concat([Buffer.from(header), Buffer.from("a@b,Ann\n")]);
    expect(read("csv", content, 65_536)).rejects.toThrow(reason);
  });

  test.each([
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'=1",
    "''@x",
    "'x",
    "' =x",
    "x=1",
    'a"b',
    "a,b",
    " x",
  ])("keep the cell %p, which is no formula as it is written", async (cell) => {
    const row = csvRow(["a@b", cell]);
    expect(row).not.toMatch(/(^|,)"?[=+\-@\t\r]/);
    expect(await read("csv", `email,name\n${row}\n`, 65_536)).toEqual([[2, { email: "a@b", name: cell }]]);
  });
});
