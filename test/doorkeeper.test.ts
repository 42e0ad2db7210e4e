import { describe, expect, test } from "bun:test";
import { createDoorkeeper } from "../src/doorkeeper.ts";

describe("createDoorkeeper", () => {
  test("knows what it saw before, and nothing else", () => {
    const { isKnown } = createDoorkeeper();
    expect(["a", "b", "a", "b", "c", ""].map((text) => isKnown(text))).toEqual([
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  test("comes to know each of ten thousand that come in turn, whichever share a place", () => {
    const { isKnown } = createDoorkeeper();
    let unknown = Array.from({ length: 10_000 }, (_, at) => `token-${at}`);
    for (let round = 0; round < 60 && unknown.length > 0; round += 1)
      unknown = unknown.filter((text) => !isKnown(text));
    expect(unknown).toEqual([]);
  });

  test("takes few of those for known that come once", () => {
    const { isKnown } = createDoorkeeper();
    let mistaken = 0;
    for (let at = 0; at < 200_000; at += 1) if (isKnown(`once-${at}`)) mistaken += 1;
    expect(mistaken).toBeLessThan(200);
  });
});
