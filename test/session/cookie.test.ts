import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { createHmac } from "node:crypto";
import { parseCookies, serializeSignedCookie } from "better-call";
import * as fc from "fast-check";
import {
  createTokenReader,
  plainCookie,
  rawCookie,
  readCookie,
  sessionCookieName,
  signToken,
  verifySignedToken,
} from "../../src/session/cookie.ts";

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const name = "better-auth.session_token";
const token = "iK2rZJDpOaMimZoN4aaJGcJ7xHcqShk3";

/** node:crypto's, for comparison with Bun's hasher. */
const signatureOf = (text: string, key: string) =>
  createHmac("sha256", Buffer.from(key, "utf8")).update(text, "utf8").digest("base64");

describe("signToken", () => {
  test.each([
    // RFC 4231 §4.3, test case 2.
    {
      token: "what do ya want for nothing?",
      secret: "Jefe",
      value: "what%20do%20ya%20want%20for%20nothing%3F.W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM%3D",
    },
    {
      token,
      secret,
      value: "iK2rZJDpOaMimZoN4aaJGcJ7xHcqShk3.bVnVkWOaNVqDYZjtY9bsw3pHC9zSAOKrkIr0aymMYIo%3D",
    },
    {
      token: "tökén 😀",
      secret: "schlüssel 😀 with more than sixty-four bytes, so that HMAC hashes the key first",
      value: "t%C3%B6k%C3%A9n%20%F0%9F%98%80.IgIzxG9onTXb%2BbCIioqvtPcMc0Hq4mAAUk0EdU6cfsw%3D",
    },
  ])("makes the known answer of $token", ({ token, secret, value }) => {
    expect(signToken(token, secret)).toBe(value);
  });

  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 100 });

  test("signs as BetterAuth and node:crypto do", async () => {
    const property = fc.asyncProperty(text, text, async (token, secret) => {
      const value = signToken(token, secret);
      expect(`c=${value}`).toBe(await serializeSignedCookie("c", token, secret));
      expect(decodeURIComponent(value)).toBe(`${token}.${signatureOf(token, secret)}`);
    });
    await fc.assert(property);
  });

  test("makes what verifySignedToken takes apart, with that secret and no other", () => {
    const property = fc.property(text, text, text, (token, secret, other) => {
      fc.pre(secret !== other);
      const value = decodeURIComponent(signToken(token, secret));
      expect(verifySignedToken(value, [other, secret])).toEqual({ token, key: 1 });
      expect(verifySignedToken(value, [other])).toBeNull();
    });
    fc.assert(property);
  });
});

describe("verifySignedToken", () => {
  const signature = signatureOf(token, secret);
  const value = `${token}.${signature}`;

  test("says which secret signed", () => {
    expect(verifySignedToken(value, ["x", "y", secret])).toEqual({ token, key: 2 });
  });

  test("splits at the last dot", () => {
    const dotted = `a.b.${token}`;
    expect(verifySignedToken(`${dotted}.${signatureOf(dotted, secret)}`, [secret])?.token).toBe(dotted);
  });

  test.each([
    ["nothing", ""],
    ["no signature", token],
    ["an empty signature", `${token}.`],
    ["an empty token", `.${signatureOf("", secret)}`],
    ["another token", `x${value.slice(1)}`],
    ["another's signature", `${token}.${signatureOf("x", secret)}`],
    ["a cut signature", value.slice(0, -1)],
    ["a signature of 45 characters", `${token}.A${signature}`],
    ["no padding", `${value.slice(0, -1)}A`],
    ["base64url", `${token}.${signatureOf(token, secret).replace(/[+/]/g, "-")}-`],
    ["a line feed behind", `${value}\n`],
    ["a blank before the signature", `${token}. ${signature.slice(1)}`],
    ["an encoded value", encodeURIComponent(value)],
  ])("refuses %s", (_what, presented) => {
    expect(verifySignedToken(presented, [secret])).toBeNull();
  });

  test("refuses every value but the signed one, whatever single character changes", () => {
    const property = fc.property(
      fc.nat(value.length - 2),
      fc.string({ minLength: 1, maxLength: 1 }),
      (at, character) => {
        // The last character before the padding carries two bits that upstream ignores too.
        fc.pre(value[at] !== character && at !== value.length - 2);
        const changed = value.slice(0, at) + character + value.slice(at + 1);
        expect(verifySignedToken(changed, [secret])).toBeNull();
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test("knows nothing without a secret", () => {
    expect(verifySignedToken(value, [])).toBeNull();
  });
});

describe("sessionCookieName", () => {
  test("S27: has the prefix that browsers enforce exactly behind https", () => {
    expect([sessionCookieName(false), sessionCookieName(true)]).toEqual([name, `__Secure-${name}`]);
  });
});

/** Headers of the kind that arrive, and worse: what a parser may trip over, in every order. */
const pieces = fc.constantFrom(
  name,
  name,
  `__Secure-${name}`,
  `x${name}`,
  `${name}x`,
  "=",
  "=",
  ";",
  "; ",
  " ",
  '"',
  "%3D",
  "%",
  "%zz",
  "%c3%a9",
  "%E0%A4%A",
  "é",
  "\t",
  ".",
  "a",
  token,
  signToken(token, secret),
);
const headers = fc.oneof(
  fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join("")),
  fc
    .array(fc.tuple(fc.constantFrom(name, `x${name}`, "a", " a", ""), fc.array(pieces, { maxLength: 3 })), {
      maxLength: 5,
    })
    .map((pairs) => pairs.map(([key, value]) => `${key}=${value.join("")}`).join("; ")),
);

describe("readCookie", () => {
  test("reads what BetterAuth's parser reads, in any header", () => {
    const property = fc.property(headers, (header) => {
      const upstream = parseCookies(header);
      for (const wanted of [name, `x${name}`, "a"])
        expect(readCookie(header, wanted)).toBe(upstream.get(wanted) as string);
    });
    fc.assert(property, { numRuns: 3_000 });
  });

  test.each([
    ["a=1; b=2", "b", "2"],
    ["a=1; a=2", "a", "1"],
    ['a="x y"', "a", "x y"],
    ["a=x%2By", "a", "x+y"],
    ["a=x%", "a", "x%"],
    ["a=b=c", "a", "b=c"],
    ["a", "a", undefined],
    ["", "a", undefined],
    ["aa=1", "a", undefined],
    ["b=a=1", "a", undefined],
  ])("reads %j's %s as %j", (header, wanted, value) => {
    expect(readCookie(header, wanted)).toBe(value as string);
  });
});

describe("plainCookie", () => {
  test("returns undefined, or exactly what rawCookie returns", () => {
    let plain = 0;
    const property = fc.property(headers, (header) => {
      const found = plainCookie(header, name);
      if (found !== undefined) {
        plain += 1;
        expect(found).toBe(rawCookie(header, name) as string);
      }
    });
    fc.assert(property, { numRuns: 5_000 });
    expect(plain).toBeGreaterThan(300);
  });

  test.each([
    [`${name}=v`, "v"],
    [`a=1; ${name}=v; b=2`, "v"],
    [`${name}=`, ""],
    [`${name}=v;`, "v"],
    [`a=1;${name}=v`, undefined],
    [`a=${name}=v`, undefined],
    [`a=; x${name}=v`, undefined],
    [`${name}x=v`, undefined],
    [`${name} =v`, undefined],
    ["a=1", undefined],
  ])("of %j is %j", (header, value) => {
    expect(plainCookie(header, name)).toBe(value as string);
  });
});

describe("createTokenReader", () => {
  /** More than are kept. */
  const most = 20_000;
  const signed = (count: number) => signToken(String(count).padStart(32, "t"), secret);
  const spy = spyOn(Bun.CryptoHasher.prototype, "digest");
  afterEach(() => {
    spy.mockClear();
  });
  /** How many HMACs reading a value costs. */
  const cost = (read: ReturnType<typeof createTokenReader>, value: string) => {
    const before = spy.mock.calls.length;
    read(value);
    return spy.mock.calls.length - before;
  };

  test("reads a value in every form that stands in a header", () => {
    const read = createTokenReader([secret]);
    const value = signToken(token, secret);
    const forms = [value, decodeURIComponent(value), `"${value}"`, ` ${value} `, value.toLowerCase()];
    expect(forms.map((form) => read(form))).toEqual([token, token, token, token, null]);
  });

  test("computes a known value's signature once", () => {
    const read = createTokenReader([secret]);
    expect([cost(read, signed(0)), cost(read, signed(0)), read(signed(0))]).toEqual([
      1,
      0,
      "0".padStart(32, "t"),
    ]);
  });

  test("keeps no value that does not verify, and drops none for it", () => {
    const read = createTokenReader([secret]);
    read(signed(0));
    for (let count = 0; count < most; count += 1)
      expect(read(`${String(count).padStart(32, "t")}.${"A".repeat(43)}=`)).toBeNull();
    expect(cost(read, signed(0))).toBe(0);
    const bad = `${token}.${"A".repeat(43)}=`;
    expect([cost(read, bad), cost(read, bad)]).toEqual([1, 1]);
  });

  test("keeps more values than the bench rotates, fewer than would cost memory, and forgets the oldest", () => {
    const read = createTokenReader([secret]);
    read(signed(0));
    let kept = 0;
    for (let count = 1; kept === 0 && count <= most; count += 1) {
      // In a full memory what comes twice is kept, more or less.
      while (cost(read, signed(count)) > 0) continue;
      if (cost(read, signed(0)) > 0) kept = count;
    }
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect([cost(read, signed(kept)), cost(read, signed(2))]).toEqual([0, 0]);
    // What comes once drives nothing out.
    for (let count = 1; count <= most; count += 1) read(signed(-count));
    expect([cost(read, signed(kept)), cost(read, signed(2))]).toEqual([0, 0]);
  });

  test("keeps no value longer than any that latchkey makes", () => {
    const read = createTokenReader([secret]);
    const long = signToken("t".repeat(300), secret);
    expect([cost(read, long), cost(read, long), read(long)]).toEqual([1, 1, "t".repeat(300)]);
  });
});
