/**
 * The form of a filter file, in pages of 4,096 bytes, whole numbers little-endian. Each page ends with the CRC-32 of all
 * that stands before it there.
 *
 * - Page 0, the header: the magic, at 16 the version (u32), at 24 the number of hashes (u64), at 32 the lowest count that
 *   was taken (u64), and zeros.
 * - Pages from 1: the first 64 bits of each SHA-1 (u64), ascending over all pages and each once, 511 a page, then the
 *   page's number (u32). What the last page does not need is zeros.
 *
 * Of n hashes, a password that is not among them is taken for one with a probability of n / 2^64: 1 in 18 billion at a
 * billion hashes.
 */
export const pageBytes = 4_096;
export const hashBytes = 8;
export const hashesInPage = 511;
const numberAt = hashesInPage * hashBytes;
const checksumAt = pageBytes - 4;
const magic = "latchkey-breach\n";
const version = 1;

export interface FilterHeader {
  /** How many hashes the file has, at least 1. */
  readonly hashes: number;
  /** How often each was seen at least. */
  readonly minCount: number;
}

export function pagesFor(hashes: number): number {
  return Math.ceil(hashes / hashesInPage);
}

/** The whole length of a file with so many hashes, in bytes. */
export function fileBytes(hashes: number): number {
  return (1 + pagesFor(hashes)) * pageBytes;
}

export function headerPage({ hashes, minCount }: FilterHeader): Buffer {
  const page = Buffer.alloc(pageBytes);
  page.write(magic, "latin1");
  page.writeUInt32LE(version, 16);
  page.writeBigUInt64LE(BigInt(hashes), 24);
  page.writeBigUInt64LE(BigInt(minCount), 32);
  return sealed(page);
}

/** Ends a page of hashes with its number, from 1, and its checksum. */
export function sealedPage(page: Buffer, number: number): Buffer {
  page.writeUInt32LE(number, numberAt);
  return sealed(page);
}

/** @returns what is in a header, or what is wrong with it. */
export function readHeader(page: Buffer): FilterHeader | string {
  if (page.length < pageBytes || page.toString("latin1", 0, magic.length) !== magic)
    return "is no file that latchkey passwords build made";
  if (!isSound(page)) return "is damaged: its header's checksum is wrong";
  const found = page.readUInt32LE(16);
  if (found !== version) return `has the form ${found}, and this latchkey reads ${version}`;
  return { hashes: Number(page.readBigUInt64LE(24)), minCount: Number(page.readBigUInt64LE(32)) };
}

/** Whether it is the page of that number, as it was written. */
export function isPage(page: Buffer, number: number): boolean {
  return page.length === pageBytes && page.readUInt32LE(numberAt) === number && isSound(page);
}

function sealed(page: Buffer): Buffer {
  page.writeUInt32LE(Bun.hash.crc32(page.subarray(0, checksumAt)), checksumAt);
  return page;
}

function isSound(page: Buffer): boolean {
  return page.readUInt32LE(checksumAt) === Bun.hash.crc32(page.subarray(0, checksumAt));
}
