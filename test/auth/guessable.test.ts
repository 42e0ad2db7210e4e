import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { join } from "node:path";
import { commonPasswords } from "../../docs/write-common-passwords.ts";
import { createGuessRules, type PasswordOwner } from "../../src/auth/guessable.ts";
import { AppError } from "../../src/errors.ts";
import { corpus } from "../support/corpus.ts";

const list = gunzipSync(
  readFileSync(join(import.meta.dir, "../../src/auth/common-passwords.txt.gz")),
).toString();
const listed = list.trim().split("\n");
const rules = { passwordCommon: "refuse", brandName: "latchkey" } as const;
const refuse = createGuessRules(rules);
const ann = { name: "Ann Example", email: "ann@example.com" };

function codeOf(password: string, owner: PasswordOwner = ann, check = refuse): string {
  try {
    check(password, owner);
    return "accepted";
  } catch (error) {
    if (error instanceof AppError && error.status === 400) return error.code;
    throw error;
  }
}

describe("S3: the list of common passwords", () => {
  test("has more than 10,000 of at least 8 characters, each in the form that is compared, once, in order", () => {
    expect(listed.length).toBeGreaterThan(20_000);
    expect(commonPasswords(listed)).toBe(list);
  });

  test("refuses each of them, as it is and in capitals", () => {
    const accepted = listed.filter((password) => codeOf(password) !== "PASSWORD_TOO_COMMON");
    expect(accepted).toEqual([]);
    const loud = listed.filter((password) => codeOf(password.toUpperCase()) !== "PASSWORD_TOO_COMMON");
    expect(loud).toEqual([]);
  });

  test.each(corpus("passwords.txt"))("refuses %j", (password) => {
    expect(codeOf(password)).toBe("PASSWORD_TOO_COMMON");
  });

  test.each(corpus("passwords-ok.txt"))("accepts %j", (password) => {
    expect(codeOf(password)).toBe("accepted");
  });

  test("is exact: nothing that is only part of it, and no two lines of it, are refused", () => {
    const parts = listed.flatMap((password) => [password.slice(1), password.slice(0, -1)]);
    const unlisted = new Set(parts).difference(new Set(listed));
    expect(unlisted.size).toBeGreaterThan(10_000);
    const refused = [...unlisted].filter((part) => part !== "latchkey" && codeOf(part, {}) !== "accepted");
    expect(refused).toEqual([]);
    expect(codeOf(listed.slice(0, 2).join("\n"))).toBe("accepted");
    expect(codeOf(`${listed[0]}\n`)).toBe("accepted");
  });

  test("refuses none of 100,000 random ones", () => {
    const random = Array.from({ length: 100_000 }, () => crypto.randomUUID().replaceAll("-", ""));
    expect(random.filter((password) => codeOf(password, {}) !== "accepted")).toEqual([]);
  });

  test("is not asked where common passwords are allowed, names are", () => {
    const allow = createGuessRules({ ...rules, passwordCommon: "allow" });
    expect(codeOf("password1", ann, allow)).toBe("accepted");
    expect(codeOf("LATCHKEY", ann, allow)).toBe("PASSWORD_IS_SITE_NAME");
    expect(codeOf("ann@example.com", ann, allow)).toBe("PASSWORD_IS_PERSONAL");
  });
});

describe("S3: a password that is the site's name", () => {
  test.each([
    ["latchkey", "latchkey"],
    ["LatchKey", "Example"],
    ["ｌａｔｃｈｋｅｙ", "Example"],
    ["latch-key", "Example"],
    ["Grüße & Küsse", "Grüße & Küsse"],
    ["GRÜSSE & KÜSSE", "Grüße & Küsse"],
    ["exampledocumentation", "Example Documentation"],
    ["Documentation", "Example Documentation"],
  ])("%j is refused of %j", (password, brandName) => {
    expect(codeOf(password, {}, createGuessRules({ ...rules, brandName }))).toBe("PASSWORD_IS_SITE_NAME");
  });

  test.each(["latchkey1", "a latchkey", "latchkeylatchkey", "documentations"])(
    "%j is accepted",
    (password) => {
      const brandName = "Example Documentation";
      expect(codeOf(password, {}, createGuessRules({ ...rules, brandName }))).toBe("accepted");
    },
  );
});

describe("S3: a password that is its owner", () => {
  const owner = { name: "Maximilian O’Muster-Groß", email: "max.imilian+news@xn--bcherei-n2a.example.com" };
  test.each([
    ["Maximilian O’Muster-Groß", "the name"],
    ["MAXIMILIAN OMUSTER GROSS", "the name, otherwise written"],
    ["maximilian", "a part of the name"],
    ["max.imilian+news@xn--bcherei-n2a.example.com", "the address"],
    ["MAX.IMILIAN+NEWS", "what stands before the @"],
    ["maximiliannews", "the same without what separates it"],
    ["bücherei.example.com", "the domain as people write it"],
    ["bücherei", "a part of it"],
    ["ｍａｘｉｍｉｌｉａｎ", "a part of the name, fullwidth"],
    ["maxi\u200bmilian", "a part of the name, with something invisible"],
  ])("%j is refused: %s", (password) => {
    expect(codeOf(password, owner)).toBe("PASSWORD_IS_PERSONAL");
  });

  test.each(["maximilian7", "maximilian muster", "my name is max", "bücherei example", "--------"])(
    "%j is accepted",
    (password) => {
      expect(codeOf(password, owner)).toBe("accepted");
    },
  );

  test("is another's affair: somebody else may have it, and nobody is asked for what is not known", () => {
    expect(codeOf("maximilian o’muster", { name: "Ann", email: "ann@example.com" })).toBe("accepted");
    expect(codeOf("undefined undefined", {})).toBe("accepted");
    expect(codeOf("[object Object]", { name: {}, email: [] })).toBe("accepted");
  });
});

test("looking a password up takes less than a millisecond, the longest too", () => {
  const passwords = Array.from({ length: 200 }, (_, at) => `${"a".repeat(124)}${at}`);
  const begun = Bun.nanoseconds();
  for (const password of passwords) refuse(password, ann);
  expect((Bun.nanoseconds() - begun) / passwords.length / 1e6).toBeLessThan(1);
});
