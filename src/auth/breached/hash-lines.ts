/** A line that is no hash with its count. */
export class BadLineError extends Error {
  override readonly name = "BadLineError";
  constructor(
    /** The first is 1. */
    readonly line: number,
    readonly reason: string,
  ) {
    super(`line ${line}: ${reason}`);
  }
}

/** Reads hashes out of a list's bytes, wherever they are cut. */
export interface HashLines {
  /** @throws BadLineError */
  take(chunk: Uint8Array): void;
  /** Reads a last line without a line feed. @throws BadLineError */
  end(): void;
  /** Lines that were read. */
  count(): number;
}

const digits = 40;
/** A carriage return before the line feed, and as many digits as a count ever has. */
const lineMaxBytes = 64;
const [lineFeed, carriageReturn, colon] = [0x0a, 0x0d, 0x3a];
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** The value of a hexadecimal digit, by its byte; negative for what is none. */
const valueOf = Int8Array.from({ length: 256 }, (_, byte) => {
  const value = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return byte < 0x80 ? value : -1;
});

/** @param take gets the first 64 bits of each hash that was seen often enough, in two halves. */
export function createHashLines(minCount: number, take: (high: number, low: number) => void): HashLines {
  let rest: Uint8Array = new Uint8Array(0);
  let count = 0;
  const read = (bytes: Uint8Array): number => {
    let at = 0;
    for (let end = bytes.indexOf(lineFeed, at); end !== -1; end = bytes.indexOf(lineFeed, at)) {
      count += 1;
      readLine(bytes, at, bytes[end - 1] === carriageReturn && end > at ? end - 1 : end);
      at = end + 1;
    }
    return at;
  };
  const readLine = (bytes: Uint8Array, from: number, to: number) => {
    if (from === to) return;
    const isShaped = to - from >= digits + 2 && to - from <= lineMaxBytes && bytes[from + digits] === colon;
    if (!isShaped) throw new BadLineError(count, faultOf(bytes, from, to));
    let [high, low, sign, seen] = [0, 0, 0, 0];
    for (let at = from; at < from + 8; at += 1) {
      const value = valueOf[bytes[at] ?? 0] ?? -1;
      sign |= value;
      high = (high << 4) | value;
    }
    for (let at = from + 8; at < from + 16; at += 1) {
      const value = valueOf[bytes[at] ?? 0] ?? -1;
      sign |= value;
      low = (low << 4) | value;
    }
    for (let at = from + 16; at < from + digits; at += 1) sign |= valueOf[bytes[at] ?? 0] ?? -1;
    for (let at = from + digits + 1; at < to; at += 1) {
      const value = valueOf[bytes[at] ?? 0] ?? -1;
      if (value > 9) sign = -1;
      sign |= value;
      seen = seen * 10 + value;
    }
    if (sign < 0) throw new BadLineError(count, faultOf(bytes, from, to));
    if (seen >= minCount) take(high >>> 0, low >>> 0);
  };
  return {
    take(chunk) {
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (count === 0 && byteOrderMark.equals(bytes.subarray(0, 3))) bytes = bytes.subarray(3);
      // A copy: a stream may use its memory again.
      rest = bytes.slice(read(bytes));
      if (rest.length > lineMaxBytes) throw new BadLineError(count + 1, "is longer than a hash and a count");
    },
    end() {
      if (rest.length > 0) read(Buffer.concat([rest, Buffer.from([lineFeed])]));
      rest = new Uint8Array(0);
    },
    count: () => count,
  };
}

/** What people are likely to have downloaded instead. */
function faultOf(bytes: Uint8Array, from: number, to: number): string {
  const line = Buffer.from(bytes.subarray(from, Math.min(to, from + lineMaxBytes))).toString("latin1");
  if (/^[0-9a-f]{32}:\d+$/i.test(line)) return "has an NTLM hash; the list of SHA-1 hashes is needed";
  if (/^[0-9a-f]{35}:\d+$/i.test(line))
    return "has a part of a hash, as files of one range do; the list in one file is needed";
  if (/^[0-9a-f]{40}$/i.test(line)) return "has a hash without a colon and its count";
  return "is not a SHA-1 hash of 40 hexadecimal digits, a colon and a count";
}
