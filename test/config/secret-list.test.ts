import { describe, expect, test } from "bun:test";
import { formatSecretList, parseSecretList } from "../../src/config/secret-list.ts";
import { weaknessOf } from "../../src/config/secret-strength.ts";
import { OTHER_SECRET, STRONG_SECRET } from "./load.ts";

const both = [
  { secret: STRONG_SECRET, since: Date.parse("2026-11-22T10:00:00.123Z") },
  { secret: OTHER_SECRET, since: null },
];

describe("the generated secrets' file", () => {
  test("holds one alone as it always did, whatever that is", () => {
    expect(formatSecretList(both.slice(0, 1))).toBe(`${STRONG_SECRET}\n`);
    for (const secret of [STRONG_SECRET, "one of an operator's own, with blanks", "short"])
      expect(parseSecretList(`${secret}\n`)).toEqual([{ secret, since: null }]);
    for (const empty of ["", " \n"]) expect(parseSecretList(empty)).toBeNull();
  });

  test("holds several with their instants, in a form that is no secret itself", () => {
    const text = formatSecretList(both) ?? "";
    expect(parseSecretList(text)).toEqual(both);
    expect(weaknessOf(text.trim())).not.toBeNull();
    const known = both.map((one, at) => (at === 0 ? { ...one, sessionMaxAgeSeconds: 604_800 } : one));
    expect(parseSecretList(formatSecretList(known) ?? "")).toEqual(known);
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, -20)],
    ["with a line that is none", (text: string) => `${text}x\n`],
    ["with no secret", (text: string) => text.slice(0, text.indexOf(STRONG_SECRET))],
    ["with an instant that is none", (text: string) => text.replace("T10:00", "T1000")],
  ])("is refused %s", (_what, damage) => {
    expect(parseSecretList(damage(formatSecretList(both) ?? ""))).toBeNull();
  });

  test("takes no secret into a list that could not be read again", () => {
    expect(formatSecretList([{ secret: "x ".repeat(20), since: null }, ...both])).toBeNull();
  });
});
