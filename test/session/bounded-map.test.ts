import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createBoundedMap } from "../../src/session/bounded-map.ts";

describe("createBoundedMap", () => {
  test("lets the oldest key leave first, and a key that is set again stay where it is", () => {
    const map = createBoundedMap<number>(3);
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["c", 3],
      ["a", 4],
      ["d", 5],
    ] as const)
      map.set(key, value);
    expect(["a", "b", "c", "d"].map((key) => map.get(key))).toEqual([undefined, 2, 3, 5]);
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
            map.set(one.key, one.value);
            last.set(one.key, one.value);
            expect(map.get(one.key)).toBe(one.value);
          }
          expect(map.size).toBeLessThanOrEqual(3);
          for (const known of "abcdefgh") expect([undefined, last.get(known)]).toContain(map.get(known));
        }
      }),
    );
  });
});
