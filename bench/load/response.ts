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
  const length = contentLength(bytes, headEnd);
  const chunks = length === null ? readChunks(bytes, headEnd + 4) : null;
  const missing = (chunks?.end ?? headEnd + 4 + (length ?? 0)) - bytes.length;
  if (missing > 0) return false;
  into.status = ((bytes[9] ?? 0) - zero) * 100 + ((bytes[10] ?? 0) - zero) * 10 + ((bytes[11] ?? 0) - zero);
  into.bodyLength = missing === 0 ? (chunks?.length ?? length ?? 0) : -1;
  return true;
}

/** @returns null for a body in chunks; throws when the answer says neither: all targets do. */
function contentLength(bytes: Buffer, headEnd: number): number | null {
  // Bun's spelling; uvicorn's is in lower case.
  let name = bytes.indexOf("\r\nContent-Length: ");
  if (name === -1 || name > headEnd) name = bytes.indexOf("\r\ncontent-length: ");
  if (name === -1 || name > headEnd) {
    const head = bytes.toString("latin1", 0, headEnd);
    if (/^transfer-encoding: chunked$/im.test(head)) return null;
    throw new Error(`an answer without Content-Length:\n${head}`);
  }
  let length = 0;
  for (let at = name + 18; ; at += 1) {
    const digit = (bytes[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) return length;
    length = length * 10 + digit;
  }
}

/**
 * Walks the chunks that begin at `start` (RFC 9112 §7.1), without trailers: no target sends any.
 * @returns the sum of their lengths, and where the answer ends: nowhere while the last is not there.
 */
function readChunks(bytes: Buffer, start: number): { length: number; end: number } {
  let length = 0;
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return { length, end: Number.POSITIVE_INFINITY };
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!(size >= 0)) throw new Error(`a chunk of no length: ${bytes.toString("latin1", at, lineEnd)}`);
    at = lineEnd + 2 + size + 2;
    if (size === 0) return { length, end: at };
    length += size;
  }
}
