import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildFilter } from "../../../src/auth/breached/filter-build.ts";
import { openFilterFile } from "../../../src/auth/breached/filter-file.ts";
import { fileBytes, headerPage, pageBytes } from "../../../src/auth/breached/filter-page.ts";
import { sha1Digits, sha1Of } from "../../support/range-server.ts";
import { temporaryDirectory } from "../../support/reaper.ts";

const newPath = () => join(temporaryDirectory("filter"), "breached.filter");
const wordsOf = (count: number, name = "word") => Array.from({ length: count }, (_, at) => `${name} ${at}`);
const lineOf = (word: string, at: number) => `${sha1Digits(word)}:${(at % 9) + 1}`;

/** A list, cut into pieces of a length that no line has. */
async function* cut(text: string, bytes = 61) {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

async function build(text: string, { minCount = 1, inMemory = 1_000, bytes = 61 } = {}) {
  const path = newPath();
  const built = await buildFilter(path, { list: cut(text, bytes), minCount, inMemory });
  return { path, ...built };
}

/** Which of these are in the file. */
async function found(path: string, words: readonly string[]) {
  const file = openFilterFile(path);
  const answers = await Promise.all(words.map((word) => file.has(sha1Of(word))));
  await file.close();
  return words.filter((_, at) => answers[at]);
}

describe("a file of breached passwords", () => {
  test.each([1, 2, 510, 511, 512, 1_022, 1_023, 20_000])(
    "has each of %d hashes, and no other",
    async (count) => {
      const words = wordsOf(count);
      const { path, hashes, lines } = await build(words.map(lineOf).join("\r\n"), { bytes: 65_536 });
      expect([hashes, lines, statSync(path).size]).toEqual([count, count, fileBytes(count)]);
      expect(await found(path, words)).toEqual(words);
      expect(await found(path, wordsOf(5_000, "other"))).toEqual([]);
      expect(readdirSync(join(path, ".."))).toEqual(["breached.filter"]);
    },
  );

  test("is the same of a list that is sorted, one that is not, and however much is sorted at once", async () => {
    const lines = wordsOf(7_000).map(lineOf);
    const sorted = readFileSync((await build(`${lines.toSorted().join("\n")}\n`)).path);
    for (const inMemory of [1, 2, 999, 7_000, 10_000])
      expect(readFileSync((await build(`${lines.join("\n")}\n`, { inMemory })).path).equals(sorted)).toBe(
        true,
      );
    const twice = [...lines, ...lines].join("\n").toLowerCase();
    expect(readFileSync((await build(`\uFEFF${twice}`)).path).equals(sorted)).toBe(true);
  });

  test("finds the lowest and the highest hash there can be, and hashes that are crowded together", async () => {
    const edges = ["0".repeat(40), "F".repeat(40)];
    const crowd = Array.from(
      { length: 3_000 },
      (_, at) => `00000000${at.toString(16).padStart(8, "0")}${"A".repeat(24)}`,
    );
    const { path, hashes } = await build([...edges, ...crowd].map((digits) => `${digits}:1`).join("\n"));
    // The lowest one's first 64 bits are those of the crowd's first.
    expect(hashes).toBe(3_001);
    const file = openFilterFile(path);
    const has = (digits: string) => file.has(Buffer.from(digits, "hex"));
    expect((await Promise.all([...edges, ...crowd].map(has))).includes(false)).toBe(false);
    expect(
      await Promise.all(
        ["00000000FFFFFFFF", "0000000100000000", "FFFFFFFFFFFFFFFE"].map((start) =>
          has(start.padEnd(40, "0")),
        ),
      ),
    ).toEqual([false, false, false]);
    await file.close();
  });

  test("leaves out what was seen less often than wanted, and padding", async () => {
    const list = [
      `${sha1Digits("often")}:10`,
      `${sha1Digits("seldom")}:9`,
      `${sha1Digits("padding")}:0`,
    ].join("\n");
    expect(await found((await build(list)).path, ["often", "seldom", "padding"])).toEqual([
      "often",
      "seldom",
    ]);
    const { path, hashes } = await build(list, { minCount: 10 });
    expect([hashes, await found(path, ["often", "seldom"])]).toEqual([1, ["often"]]);
  });

  const good = `${sha1Digits("good")}:1`;
  test.each([
    ["a letter that is no digit", `${good.slice(0, 39)}G:1`, "is not a SHA-1 hash"],
    ["no count", sha1Digits("x"), "without a colon"],
    ["an empty count", `${sha1Digits("x")}:`, "is not a SHA-1 hash"],
    ["a count of letters", `${sha1Digits("x")}:1a`, "is not a SHA-1 hash"],
    ["a negative count", `${sha1Digits("x")}:-1`, "is not a SHA-1 hash"],
    ["a hash of NTLM", `${"A".repeat(32)}:3`, "NTLM"],
    ["a line of a range", `${"A".repeat(35)}:3`, "files of one range"],
    ["a byte beyond ASCII", `é${good.slice(1)}`, "is not a SHA-1 hash"],
    ["a line without an end", "A".repeat(1_000), "is "],
  ])("is not made of a list with %s, which is named by its number", async (_, line, reason) => {
    for (const bytes of [7, 65_536])
      for (const text of [`${good}\n\n${line}\n${good}`, `${good}\n\n${line}`]) {
        const path = newPath();
        const building = buildFilter(path, { list: cut(text, bytes), minCount: 1 });
        const error = await building.catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          name: "BadLineError",
          line: 3,
          reason: expect.stringContaining(reason),
        });
        expect(existsSync(path)).toBe(false);
      }
  });

  test("that is damaged at any page is refused, with the reason", async () => {
    const { path } = await build(wordsOf(2_000).map(lineOf).join("\n"));
    const sound = readFileSync(path);
    const damaged = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(sound);
      change(bytes);
      writeFileSync(path, bytes);
      return () => openFilterFile(path);
    };
    for (const at of [20, 24, 4_092, pageBytes, 2 * pageBytes + 4_088, 3 * pageBytes + 77, sound.length - 1])
      expect(damaged((bytes) => bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at))).toThrow(/is damaged/);
    const swapped = damaged((bytes) => {
      bytes.copyWithin(pageBytes, 2 * pageBytes, 3 * pageBytes);
    });
    expect(swapped).toThrow("page 1 of 4 is not as it was written");
    expect(damaged((bytes) => bytes.write("sqlite format 3"))).toThrow(
      "is no file that latchkey passwords build made",
    );
    expect(damaged(() => truncateSync(path))).not.toThrow();
    truncateSync(path, sound.length - pageBytes);
    expect(() => openFilterFile(path)).toThrow(/is damaged: it has 16384 bytes, and should have 20480/);
    truncateSync(path, 100);
    expect(() => openFilterFile(path)).toThrow("is no file that latchkey");
    expect(() => openFilterFile(`${path}.missing`)).toThrow("is not there");
    expect(() => openFilterFile(join(path, ".."))).toThrow(/is no file|cannot be read/);
  });

  test("of another form is refused, however sound it is", () => {
    const path = newPath();
    const page = headerPage({ hashes: 1, minCount: 1 });
    page.writeUInt32LE(2, 16);
    page.writeUInt32LE(Bun.hash.crc32(page.subarray(0, 4_092)), 4_092);
    writeFileSync(path, page);
    expect(() => openFilterFile(path)).toThrow("has the form 2, and this latchkey reads 1");
  });

  test("that is damaged while it is open gives no answer rather than a wrong one", async () => {
    const { path } = await build(wordsOf(100).map(lineOf).join("\n"));
    const file = openFilterFile(path);
    expect(await file.has(sha1Of("word 7"))).toBe(true);
    const bytes = readFileSync(path);
    bytes.fill(0, pageBytes, pageBytes + 800);
    writeFileSync(path, bytes);
    await expect(file.has(sha1Of("word 7"))).rejects.toThrow("is not as it was written");
    await file.close();
  });
});
