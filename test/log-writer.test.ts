import { describe, expect, test } from "bun:test";
import { createLogWriter } from "../src/log-writer.ts";

/** A stream whose reader the test plays. */
function open() {
  const written: string[] = [];
  const pending: (() => void)[] = [];
  const stream = {
    write(chunk: string, done: () => void) {
      written.push(chunk);
      pending.push(done);
      return true;
    },
  };
  const writer = createLogWriter(stream as never, (count) => `${count} dropped\n`);
  const read = () => pending.shift()?.();
  return { writer, written, read };
}

const kibibyte = `${"x".repeat(1_023)}\n`;

describe("createLogWriter", () => {
  test("writes lines in order, one chunk at a time, what waited together", () => {
    const { writer, written, read } = open();
    for (const line of ["a\n", "b\n", "c\n"]) writer.write(line);
    expect(written).toEqual(["a\n"]);
    read();
    expect(written).toEqual(["a\n", "b\nc\n"]);
    read();
    writer.write("d\n");
    expect(written).toEqual(["a\n", "b\nc\n", "d\n"]);
  });

  test("S66: keeps 1 MiB for a reader who has stopped, drops the rest and says how many, in its place", () => {
    const { writer, written, read } = open();
    for (let at = 0; at < 3_000; at += 1) writer.write(kibibyte);
    writer.write("late\n");
    while (written.at(-1) !== "1975 dropped\n") {
      const before = written.length;
      read();
      if (written.length === before) break;
    }
    const lines = written.join("").split("\n").slice(0, -1);
    // One was on its way, 1,025 waited.
    expect([lines.length, lines.at(-1)]).toEqual([1_026 + 1, "1975 dropped"]);
    read();
    writer.write("again\n");
    expect(written.at(-1)).toBe("again\n");
  });

  test("says how many were dropped before what came after them", () => {
    const { writer, written, read } = open();
    for (let at = 0; at < 1_100; at += 1) writer.write(kibibyte);
    read();
    read();
    writer.write("after\n");
    for (let more = 0; more < 40; more += 1) read();
    expect(written.join("").split("\n").slice(-3, -1)).toEqual([
      expect.stringMatching(/^\d+ dropped$/),
      "after",
    ]);
  });

  test("flushes what waits, and no longer than it is told to", async () => {
    const { writer, read } = open();
    writer.write("a\n");
    const before = performance.now();
    await writer.flush(30);
    expect(performance.now() - before).toBeGreaterThan(25);
    const flushed = writer.flush(10_000);
    read();
    await flushed;
    await writer.flush(10_000);
  });
});
