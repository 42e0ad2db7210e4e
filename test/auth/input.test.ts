import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import type { AuthRouteName } from "../../src/routes.ts";
import { type Body, canonicalEmail, checkInput } from "../../src/auth/input.ts";
import { AppError } from "../../src/errors.ts";
import { inputRules as rules } from "../support/input-rules.ts";
import { createClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const signUp = "signUp";
const person = { name: "Ann", email: "ann@example.com", password: "correct horse" };

const codeOf = (route: AuthRouteName, body: Body): string => {
  try {
    checkInput(route, body, rules);
    return "accepted";
  } catch (error) {
    if (error instanceof AppError && error.status === 400) return error.code;
    throw error;
  }
};

describe("checkInput", () => {
  const emoji = (count: number) => "😀".repeat(count);
  test.each([
    ["a person", signUp, {}, "accepted"],
    ["S1: a password of 8", signUp, { password: "12 45 78" }, "accepted"],
    ["S1: a password of 7", signUp, { password: "1234567" }, "PASSWORD_TOO_SHORT"],
    ["S1: a password of 8 emoji", signUp, { password: emoji(8) }, "accepted"],
    ["S1: a password of 7 emoji, which are 14 units", signUp, { password: emoji(7) }, "PASSWORD_TOO_SHORT"],
    ["S1: a password of 128 emoji", signUp, { password: emoji(128) }, "accepted"],
    ["S1: a password of 129", signUp, { password: "x".repeat(129) }, "PASSWORD_TOO_LONG"],
    ["an empty password", signUp, { password: "" }, "PASSWORD_TOO_SHORT"],
    ["S5, S48: a password with a NUL", signUp, { password: "12345678\0" }, "VALIDATION_ERROR"],
    ["S5: a password with a lone surrogate", signUp, { password: "12345678\ud800" }, "VALIDATION_ERROR"],
    ["S54: a name of 100 emoji", signUp, { name: emoji(100) }, "accepted"],
    ["S54: a name of 101", signUp, { name: "x".repeat(101) }, "VALIDATION_ERROR"],
    ["S48: a name with a NUL", signUp, { name: "a\0" }, "VALIDATION_ERROR"],
    ["a name with half an emoji", signUp, { name: "a\udc00" }, "VALIDATION_ERROR"],
    ["S54: a name for an existing account", "updateUser", { name: "x".repeat(101) }, "VALIDATION_ERROR"],
    ["a picture", "updateUser", { image: "https://example.com/a.png" }, "accepted"],
    ["no picture", "updateUser", { image: null }, "accepted"],
    ["an empty picture", "updateUser", { image: "" }, "accepted"],
    ["a script as a picture", "updateUser", { image: "javascript:alert(1)" }, "VALIDATION_ERROR"],
    ["a script in disguise", "updateUser", { image: " jAvA\nscript:alert(1)" }, "VALIDATION_ERROR"],
    ["an embedded picture", "updateUser", { image: "data:image/svg+xml,<svg/>" }, "VALIDATION_ERROR"],
    ["a relative picture", "updateUser", { image: "/a.png" }, "VALIDATION_ERROR"],
    [
      "an endless picture",
      "updateUser",
      { image: `https://e.example/${"x".repeat(2_048)}` },
      "VALIDATION_ERROR",
    ],
    [
      "a new password of 7",
      "changePassword",
      { currentPassword: "x", newPassword: "1234567" },
      "PASSWORD_TOO_SHORT",
    ],
    [
      "a new password of 129",
      "changePassword",
      { currentPassword: "x", newPassword: "x".repeat(129) },
      "PASSWORD_TOO_LONG",
    ],
    [
      "an old password of 7",
      "changePassword",
      { currentPassword: "1234567", newPassword: "12 45 78" },
      "accepted",
    ],
    ["any password to sign in with", "signIn", { password: "1" }, "accepted"],
    ["a deletion with a password", "deleteUser", { password: "x" }, "accepted"],
    ["a deletion with an empty password", "deleteUser", { password: "" }, "VALIDATION_ERROR"],
    ["a deletion with another kind of password", "deleteUser", { password: true }, "VALIDATION_ERROR"],
    ["S48: a field nobody knows, with a NUL", "signOut", { x: "\0" }, "VALIDATION_ERROR"],
  ] as const)("%s", (_what, route, fields, code) => {
    expect(codeOf(route, { ...person, ...fields })).toBe(code);
  });

  test("refuses a deletion without a password", () => {
    expect(codeOf("deleteUser", {})).toBe("VALIDATION_ERROR");
  });

  test("S1: goes by the configured minimum", () => {
    const check = (password: string) => () =>
      checkInput(signUp, { ...person, password }, { ...rules, passwordMinLength: 15 });
    expect(check("x".repeat(14))).toThrow("Password too short");
    expect(check("x".repeat(15))).not.toThrow();
  });

  test.each([
    ["true", true],
    ["on", true],
    ["1", true],
    ["false", false],
    ["off", false],
    ["0", false],
    [true, true],
    [undefined, undefined],
  ])("reads a form's %p as %p", (given, read) => {
    const body = checkInput("signIn", { ...person, rememberMe: given, revokeOtherSessions: given }, rules);
    expect([body["rememberMe"], body["revokeOtherSessions"]]).toEqual([read, read] as unknown[]);
  });

  test.each(["maybe", "__proto__", "constructor", 1, null])("refuses %p for yes or no, in words", (given) => {
    for (const name of ["rememberMe", "revokeOtherSessions"])
      expect(() => checkInput("signIn", { ...person, [name]: given }, rules)).toThrow(
        `${name}: true or false is expected.`,
      );
  });

  test.each([
    ["signUp", "name"],
    ["signUp", "email"],
    ["signIn", "password"],
    ["changePassword", "newPassword"],
    ["revokeSession", "token"],
  ] as const)("10-A4: %s says in words that %s is missing", (route, name) => {
    const whole = { ...person, currentPassword: "x", newPassword: "another one", token: "t" };
    const { [name]: _, ...body } = whole as Record<string, string>;
    expect(() => checkInput(route, body, rules)).toThrow(`${name}: is missing.`);
  });

  test("says nothing of what was given in its answers", () => {
    const property = fc.property(
      fc.string({ minLength: 12 }),
      fc.constantFrom("password", "name", "email"),
      (value, field) => {
        const body = { ...person, [field]: `${value}\0` };
        try {
          checkInput(signUp, body, rules);
        } catch (error) {
          expect(String(error)).not.toContain(value);
        }
      },
    );
    fc.assert(property);
  });

  test("leaves what it was given as it was", () => {
    const body = Object.freeze({ ...person, email: " ANN@Example.com ", rememberMe: "on" });
    expect(checkInput(signUp, body, rules)).toEqual({ ...person, rememberMe: true });
    expect(body.email).toBe(" ANN@Example.com ");
  });
});

describe("S47: canonicalEmail", () => {
  test.each([
    ["Ann@Example.COM", "ann@example.com"],
    [" ann@example.com\n", "ann@example.com"],
    ["ann+tag@example.com", "ann+tag@example.com"],
    ["ann@müller.example", "ann@xn--mller-kva.example"],
    ["ann@MÜLLER.example", "ann@xn--mller-kva.example"],
    ["ann@xn--mller-kva.example", "ann@xn--mller-kva.example"],
    ["ann@ｅｘａｍｐｌｅ.com", "ann@example.com"],
    ['"a@b"@example.com', '"a@b"@example.com'],
  ])("of %j is %j", (given, canonical) => {
    expect(canonicalEmail(given)).toBe(canonical);
    expect(canonicalEmail(canonical)).toBe(canonical);
  });

  test.each([
    "",
    "@",
    "ann",
    "ann@",
    "@example.com",
    "änn@example.com",
    "\u212Aelvin@example.com",
    "a nn@example.com",
    "ann\r\nBcc: x@example.com",
    "ann\u001b[31m@example.com",
    "ann@exa mple.com",
    "ann@example.com/..",
    "ann@example.com?x",
    "ann@example.com#x",
    "ann@example.com:80",
    "ann@example.com\\x",
    "ann@exa\tmple.com",
    "ann@ex%61mple.com",
    "ann@[::1]",
    `${"x".repeat(243)}@example.com`,
  ])("refuses %j", (given) => {
    expect(() => canonicalEmail(given)).toThrow(
      expect.objectContaining({ status: 400, code: "INVALID_EMAIL" }),
    );
  });

  test("takes 254 characters", () => {
    expect(canonicalEmail(`${"x".repeat(242)}@example.com`)).toHaveLength(254);
  });

  test("is printable ASCII, lower case and its own canonical form, or nothing", () => {
    const emails = fc.oneof(
      fc.emailAddress(),
      fc.string({ unit: "grapheme", maxLength: 30 }),
      fc.tuple(fc.string({ unit: "binary", maxLength: 10 }), fc.domain()).map((parts) => parts.join("@")),
    );
    const property = fc.property(emails, (email) => {
      let canonical: string;
      try {
        canonical = canonicalEmail(email);
      } catch (error) {
        expect(error).toMatchObject({ status: 400, code: "INVALID_EMAIL" });
        return;
      }
      expect(canonical).toMatch(/^[\x21-\x7e]+@[\x21-\x7e]+$/);
      expect(canonical).not.toMatch(/[A-Z]/);
      expect(canonicalEmail(canonical)).toBe(canonical);
    });
    fc.assert(property, { numRuns: 2_000 });
  });
});

describe("S2: a password of any characters", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("signs up and then in, and no shorter one does", async () => {
    let people = 0;
    const passwords = fc
      .array(fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), { minLength: 8, maxLength: 128 })
      .map((characters) => characters.join("").replaceAll("\0", "0"))
      .filter((password) => password.isWellFormed());
    const property = fc.asyncProperty(passwords, async (password) => {
      const client = createClient(server.origin);
      const email = `p${(people += 1)}@example.com`;
      expect((await client.auth.signUp.email({ email, password, name: "P" })).error).toBeNull();
      const cut = [...password].slice(0, -1).join("");
      const [right, wrong] = await Promise.all([
        client.auth.signIn.email({ email, password }),
        client.auth.signIn.email({ email, password: `${cut}\u{1d400}` }),
      ]);
      expect([right.error, wrong.error?.status]).toEqual([null, 401]);
    });
    await fc.assert(property, {
      numRuns: 12,
      examples: [
        [" ".repeat(8)],
        ["\t\n\r\u001b\u007f\u0085\u2028\ufeff"],
        ["\u202e".repeat(8)],
        ["😀".repeat(128)],
      ],
    });
  });
});
