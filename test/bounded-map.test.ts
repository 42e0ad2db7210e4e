import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createBoundedMap, createDoorkeeper } from "../src/bounded-map.ts";

describe("createBoundedMap", () => {
  test("lets the oldest key leave for one that is set twice, and a key that is set again stay where it is", () => {
    const map = createBoundedMap<number>(3);
    const set = (key: string, value: number) => {
      map.set(key, value);
      return ["a", "b", "c", "d"].map((name) => map.get(name));
    };
    set("a", 1);
    set("b", 2);
    expect(set("c", 3)).toEqual([1, 2, 3, undefined]);
    expect(set("a", 4)).toEqual([4, 2, 3, undefined]);
    expect(set("d", 5)).toEqual([4, 2, 3, undefined]);
    expect(set("d", 6)).toEqual([undefined, 2, 3, 6]);
  });

  test("never holds more than its bound, nor a value that was not the last one set", () => {
    const key = fc.constantFrom(..."abcdefgh");
    const step = fc.oneof(
      fc.record({ do: fc.constant("set" as const), key, value: fc.integer() }),
      fc.record({ do: fc.constant("delete" as const), key }),
      fc.record({ do: fc.constant("clear" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = createBoundedMap<number>(3);
        const last = new Map<string, number>();
        for (const one of steps) {
          if (one.do === "clear") {
            map.clear();
            last.clear();
          } else if (one.do === "delete") {
            map.delete(one.key);
            last.delete(one.key);
          } else {
            const isNew = map.get(one.key) === undefined;
            map.set(one.key, one.value);
            last.set(one.key, one.value);
            expect(isNew ? [undefined, one.value] : [one.value]).toContain(map.get(one.key));
          }
          expect(map.size).toBeLessThanOrEqual(3);
          for (const known of "abcdefgh") expect([undefined, last.get(known)]).toContain(map.get(known));
        }
      }),
    );
  });
});

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
