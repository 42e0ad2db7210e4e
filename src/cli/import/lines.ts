import type { Fault } from "../../auth/user-record.ts";

/** A line of a file, without its end. */
export interface Line {
  /** The first is 1. */
  readonly number: number;
  readonly text: string;
}

export interface BadLine {
  readonly number: number;
  readonly fault: Fault;
}

/** No user takes as much. */
export const lineMaxBytes = 65_536;
const lineFeed = 0x0a;

/**
 * Cuts a stream into lines of UTF-8, as many at once as came, and holds no more than one that is too long. A byte order mark
 * at the start is no part of the first, nor a carriage return of any.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly (Line | BadLine)[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let number = 0;
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  const take = (part: Uint8Array) => {
    restBytes += part.length;
    if (restBytes <= lineMaxBytes) rest.push(part);
    else rest = [];
  };
  const end = (): Line | BadLine => {
    number += 1;
    const bytes = rest.length === 1 && rest[0] !== undefined ? rest[0] : Buffer.concat(rest);
    const isTooLong = restBytes > lineMaxBytes;
    [rest, restBytes] = [[], 0];
    if (isTooLong) return bad(number, `is longer than ${lineMaxBytes} bytes`, "write one user a line");
    try {
      const text = decoder.decode(bytes);
      return { number, text: (number === 1 ? text.replace(/^\uFEFF/, "") : text).replace(/\r$/, "") };
    } catch {
      return bad(number, "is not UTF-8", "write the file in UTF-8");
    }
  };
  for await (const chunk of chunks) {
    const lines: (Line | BadLine)[] = [];
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at !== -1; at = chunk.indexOf(lineFeed, from)) {
      take(chunk.subarray(from, at));
      lines.push(end());
      from = at + 1;
    }
    // A copy: a stream may use its memory again.
    if (from < chunk.length) take(chunk.slice(from));
    if (lines.length > 0) yield lines;
  }
  if (restBytes > 0) yield [end()];
}

export function bad(number: number, reason: string, remedy: string, field: string | null = null): BadLine {
  return { number, fault: { field, reason, remedy } };
}
