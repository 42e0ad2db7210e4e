/** The part of an HTTP/1.1 answer that the generator looks at; filled in place, as one is parsed per request. */
export interface ParsedResponse {
  status: number;
  bodyLength: number;
}

const zero = 48;

/**
 * Reads status and body length of the answer that `bytes` begin with.
 * @returns false while it is not complete. Bytes behind its end make `bodyLength` -1: nothing was pipelined.
 */
export function parseResponse(bytes: Buffer, into: ParsedResponse): boolean {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return false;
  const bodyLength = contentLength(bytes, headEnd);
  const missing = headEnd + 4 + bodyLength - bytes.length;
  if (missing > 0) return false;
  into.status = ((bytes[9] ?? 0) - zero) * 100 + ((bytes[10] ?? 0) - zero) * 10 + ((bytes[11] ?? 0) - zero);
  into.bodyLength = missing === 0 ? bodyLength : -1;
  return true;
}

/** @throws when the answer does not say: all targets do. */
function contentLength(bytes: Buffer, headEnd: number): number {
  // Bun's spelling; uvicorn's is in lower case.
  let name = bytes.indexOf("\r\nContent-Length: ");
  if (name === -1 || name > headEnd) name = bytes.indexOf("\r\ncontent-length: ");
  if (name === -1 || name > headEnd) {
    throw new Error(`an answer without Content-Length:\n${bytes.toString("latin1", 0, headEnd)}`);
  }
  let length = 0;
  for (let at = name + 18; ; at += 1) {
    const digit = (bytes[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) return length;
    length = length * 10 + digit;
  }
}
