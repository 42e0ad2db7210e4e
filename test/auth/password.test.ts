import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { hashPassword, verifyPassword } from "better-auth/crypto";
import { createHashSlots } from "../../src/auth/hash-slots.ts";
import { betterAuthKind, createPasswords } from "../../src/auth/password.ts";

setDefaultTimeout(30_000);

const open = (concurrency = 2, foreign = false) =>
  createPasswords({
    inTurn: createHashSlots(concurrency),
    foreignKinds: async () => (foreign ? [betterAuthKind] : []),
  });

/** Made by better-auth 1.7.7's own hashPassword for "correct horse battery staple ﬁ" (NFKC: "fi"). */
const scrypt =
  "589dd96329b6738dbd418688ca00a1c5:e08b34aa8c069e9b8718e0c543835281e3e914a108c354e4fcb8d50c94c5a0417581e3b7d57f5a40d55d9bafb3b9b6dba7a827ef01d14a2a592c886e6d54cf31";

describe("createPasswords", () => {
  test("S6: hashes with argon2id, 19 MiB, two passes, one lane, and a salt of its own", async () => {
    const { hash, isOutdated } = open();
    const hashes = await Promise.all([hash("correct horse"), hash("correct horse")]);
    for (const made of hashes) {
      expect(made).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22,}\$[A-Za-z0-9+/]{43}$/);
      expect(isOutdated(made)).toBe(false);
    }
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  test("S4: verifies the password and no other: every character counts, the last one too", async () => {
    const { hash, verify } = open();
    const password = `${"x".repeat(127)}y`;
    const stored = await hash(password);
    const others = [`${"x".repeat(127)}z`, "x".repeat(127), `${password}y`, `y${"x".repeat(126)}y`, ""];
    expect(await verify(stored, password)).toBe(true);
    expect(await Promise.all(others.map((other) => verify(stored, other)))).toEqual(others.map(() => false));
  });

  test("S4: takes the forms of Unicode for the same password", async () => {
    const { hash, verify } = open();
    const forms = ["caf\u00e9 \ufb01ne Å", "cafe\u0301 fine A\u030a", "caf\u00e9 fine \u212b"];
    const stored = await hash(forms[0] ?? "");
    expect(await Promise.all(forms.map((form) => verify(stored, form)))).toEqual([true, true, true]);
    expect(await verify(stored, "cafe fine A")).toBe(false);
    expect(await verify(scrypt, "correct horse battery staple fi")).toBe(true);
    expect(await verify(scrypt, "correct horse battery staple \ufb01")).toBe(true);
  });

  test("S6: verifies BetterAuth's scrypt hashes, and says that they are outdated", async () => {
    const { verify, isOutdated } = open();
    const fresh = await hashPassword("another one");
    expect([
      await verify(fresh, "another one"),
      await verify(fresh, "another on"),
      isOutdated(fresh),
    ]).toEqual([true, false, true]);
    expect([await verify(scrypt, "correct horse battery stapl"), isOutdated(scrypt)]).toEqual([false, true]);
  });

  test.each([
    ["argon2id with less memory", "$argon2id$v=19$m=4096,t=2,p=1$"],
    ["argon2id with one pass", "$argon2id$v=19$m=19456,t=1,p=1$"],
    ["argon2i", "$argon2i$v=19$m=19456,t=2,p=1$"],
    ["bcrypt", "$2b$10$"],
  ])("S6: says that %s is outdated", (_what, prefix) => {
    expect(open().isOutdated(`${prefix}c2FsdHNhbHRzYWx0c2E$aGFzaA`)).toBe(true);
  });

  test("verifies argon2 hashes of other, bearable parameters", async () => {
    const { verify } = open();
    const stored = await Bun.password.hash("correct horse", {
      algorithm: "argon2i",
      memoryCost: 8_192,
      timeCost: 3,
    });
    expect([await verify(stored, "correct horse"), await verify(stored, "correct hors")]).toEqual([
      true,
      false,
    ]);
  });

  const salt = "c2FsdHNhbHRzYWx0c2FsdA";
  const key = "A".repeat(43);
  test.each([
    ["nothing", ""],
    ["plain text", "correct horse"],
    ["memory of 4 GiB", `$argon2id$v=19$m=4194304,t=2,p=1$${salt}$${key}`],
    ["memory beyond seven digits", `$argon2id$v=19$m=99999999999,t=2,p=1$${salt}$${key}`],
    ["a hundred passes", `$argon2id$v=19$m=19456,t=100,p=1$${salt}$${key}`],
    ["passes beyond three digits", `$argon2id$v=19$m=8,t=4294967295,p=1$${salt}$${key}`],
    ["many lanes", `$argon2id$v=19$m=19456,t=2,p=255$${salt}$${key}`],
    ["an endless salt", `$argon2id$v=19$m=19456,t=2,p=1$${"A".repeat(10_000)}$${key}`],
    [
      "bcrypt, which would cut the password at 72 bytes",
      "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    ],
    ["bcrypt of cost 31", "$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"],
    ["half a scrypt hash", scrypt.slice(0, 100)],
    ["scrypt in capitals", scrypt.toUpperCase()],
  ])("S7: refuses a stored hash that is %s, without computing it", async (_what, stored) => {
    const computed = spyOn(Bun.password, "verify");
    expect(await open().verify(stored, "correct horse")).toBe(false);
    expect(computed).not.toHaveBeenCalled();
    computed.mockRestore();
  });

  describe("under load", () => {
    /** Hashes that end when the test says so. */
    function held() {
      const gates: PromiseWithResolvers<string>[] = [];
      const hashing = spyOn(Bun.password, "hash").mockImplementation(() => {
        const gate = Promise.withResolvers<string>();
        gates.push(gate);
        return gate.promise;
      });
      return { gates, restore: () => hashing.mockRestore() };
    }
    const settle = () => Bun.sleep(0);

    test.each([1, 3])("computes at most %d at once, in the order they came", async (concurrency) => {
      const { gates, restore } = held();
      const { hash } = open(concurrency);
      const hashes = Array.from({ length: 10 }, (_, at) => hash(`password ${at}`));
      for (let done = 0; done < 10; done += 1) {
        await settle();
        expect(gates.length).toBe(Math.min(10, done + concurrency));
        gates[done]?.resolve(`hash ${done}`);
      }
      expect(await Promise.all(hashes)).toEqual(Array.from({ length: 10 }, (_, at) => `hash ${at}`));
      restore();
    });

    test("lets verifications wait in the same line", async () => {
      const { gates, restore } = held();
      const { hash, verify } = open(1);
      const first = hash("computed");
      let isVerified = false;
      const second = verify(scrypt, "x").then(() => (isVerified = true));
      await Bun.sleep(300);
      expect(isVerified).toBe(false);
      gates[0]?.resolve("hash");
      await Promise.all([first, second]);
      restore();
    });

    test("goes on after a computation that failed", async () => {
      const { gates, restore } = held();
      const { hash } = open(1);
      const [first, second] = [hash("one").catch((error: unknown) => error), hash("two")];
      await settle();
      gates[0]?.reject(new Error("out of memory"));
      expect(await first).toMatchObject({ message: "out of memory" });
      await settle();
      gates[1]?.resolve("hash");
      expect(await second).toBe("hash");
      restore();
    });
  });

  test("computes off the event loop", async () => {
    let turns = 0;
    const hashing = open(1)
      .hash("correct horse")
      .then(() => "hashed");
    while ((await Promise.race([hashing, Bun.sleep(1)])) !== "hashed") turns += 1;
    expect(turns).toBeGreaterThan(2);
  });

  test("S10, S11: computes as much for an empty password, which nobody has", async () => {
    const { hash, verify, balance } = open();
    const stored = await hash("correct horse");
    const hashing = spyOn(Bun.password, "hash");
    const comparing = spyOn(Bun.password, "verify");
    expect(await verify(stored, "")).toBe(false);
    await balance(null, "");
    expect(comparing.mock.calls).toEqual([["\0", stored]]);
    expect(hashing.mock.calls).toEqual([["\0", expect.anything()]]);
    for (const spy of [hashing, comparing]) spy.mockRestore();
  });

  describe("S11: a refusal costs the same, whatever was compared", () => {
    const argon =
      "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
    /** What is computed while a password is refused; `null` stands for nobody. */
    const costOf = async (stored: string | null, foreign: boolean) => {
      let scrypted = 0;
      const { verify, hash, balance } = createPasswords(
        { inTurn: createHashSlots(1), foreignKinds: async () => (foreign ? [betterAuthKind] : []) },
        async (compared) => {
          scrypted += 1;
          return await verifyPassword(compared);
        },
      );
      const hashing = spyOn(Bun.password, "hash");
      const comparing = spyOn(Bun.password, "verify");
      const made = stored === null ? await hash("wrong one") : (await verify(stored, "wrong one"), stored);
      await balance(made, "wrong one");
      const cost = {
        argon: hashing.mock.calls.length + comparing.mock.calls.length,
        scrypt: scrypted,
      };
      for (const spy of [hashing, comparing]) spy.mockRestore();
      return cost;
    };

    test.each([
      ["nobody's", null],
      ["an argon2id hash", argon],
      ["BetterAuth's scrypt hash", scrypt],
      ["a hash of an unknown form", "$2b$10$abcdefghijklmnopqrstuv"],
    ] as const)("B8: %s", async (_what, stored) => {
      expect(await costOf(stored, true)).toEqual({ argon: 1, scrypt: 1 });
      if (stored !== scrypt) expect(await costOf(stored, false)).toEqual({ argon: 1, scrypt: 0 });
    });
  });
});
