import { describe, expect, test } from "bun:test";
import { type ParsedResponse, parseResponse } from "./response.ts";

function parse(text: string): ParsedResponse | "incomplete" {
  const into = { status: 0, bodyLength: 0 };
  return parseResponse(Buffer.from(text), into) ? into : "incomplete";
}

const head = "HTTP/1.1 401 Unauthorized\r\nX: y\r\nContent-Length: 12\r\nDate: today\r\n\r\n";

describe("parseResponse", () => {
  test("reads status and body length", () => {
    expect(parse(`${head}{"a":"bcde"}`)).toEqual({ status: 401, bodyLength: 12 });
  });

  test("knows the length in lower case", () => {
    expect(parse("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")).toEqual({ status: 200, bodyLength: 2 });
  });

  test.each([head.slice(0, 20), head, `${head}{"a":"bcde"`])("waits for the rest of %j", (text) => {
    expect(parse(text)).toBe("incomplete");
  });

  test("gives no length to an answer with bytes behind its end", () => {
    expect(parse(`${head}{"a":"bcde"}H`)).toEqual({ status: 401, bodyLength: -1 });
  });

  test("adds up a body in chunks", () => {
    const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const body = `3\r\nabc\r\n10\r\n${"x".repeat(16)}\r\n0\r\n\r\n`;
    expect(parse(head + body)).toEqual({ status: 200, bodyLength: 19 });
    expect(parse(`${head}${body}H`)).toEqual({ status: 200, bodyLength: -1 });
    const parts = Array.from({ length: body.length }, (_, end) => parse(head + body.slice(0, end)));
    expect(new Set(parts)).toEqual(new Set(["incomplete"]));
  });

  test("refuses an answer that does not say its length, whatever its body says", () => {
    expect(() => parse("HTTP/1.1 200 OK\r\n\r\n\r\nContent-Length: 1\r\n")).toThrow("without Content-Length");
  });
});
