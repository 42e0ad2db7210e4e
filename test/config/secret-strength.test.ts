import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { weaknessOf } from "../../src/config/secret-strength.ts";
import { OTHER_SECRET, STRONG_SECRET } from "./load.ts";

describe("S55: weaknessOf", () => {
  test.each([
    "",
    "short",
    STRONG_SECRET.slice(0, 31),
    "better-auth-secret-12345678901234567890",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "change-me-change-me-change-me-change-me",
    "changeme1234567890changeme1234567890",
    "please-change-this-secret-in-production!!",
    "your-secret-key-here-at-least-32-characters",
    "REPLACE_ME_WITH_A_SECRET_KEY_PLACEHOLDER",
    "a".repeat(64),
    "ab".repeat(32),
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "12345678901234567890123456789012",
    "0123456789abcdef0123456789abcdef",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccccccccccc",
    "abaabbabababbabaababbaababbabaabbabaababbaababbabaab",
    "the quick brown fox jumps over the lazy dog",
    "Correct-Horse-Battery-Staple-Again",
    "dev_secret_do_not_use_in_prod_1234",
    " ".repeat(40),
  ])("refuses %j", (secret) => {
    expect(weaknessOf(secret)).toBeString();
  });

  test.each([
    STRONG_SECRET,
    OTHER_SECRET,
    "3f9a1c7be0d2458696b7c1d0e4f8a235",
    "550e8400-e29b-41d4-a716-446655440000",
    `secret_${STRONG_SECRET}`,
    "cabbage lantern orbit velvet quarry mosaic tundra piston ember walrus",
    "пQ8ж2кW5ыE9вR1фT4яY7чU3дI6",
  ])("accepts %j", (secret) => {
    expect(weaknessOf(secret)).toBeNull();
  });

  test("says what is wrong", () => {
    expect(weaknessOf("Better-Auth-Secret-12345678901234567890")).toBe("is an example that everybody knows");
    expect(weaknessOf("short")).toBe("is shorter than 32 bytes");
    expect(weaknessOf("change-me-change-me-change-me-change-me")).toBe("is a stock phrase");
    expect(weaknessOf("0123456789abcdef".repeat(2))).toBe("is too easy to guess (low entropy)");
  });

  test("takes no long time over a long text", () => {
    const started = performance.now();
    expect(weaknessOf(`${STRONG_SECRET}${"- ".repeat(500_000)}`)).toBeNull();
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test("accepts random keys in every usual encoding", () => {
    for (let run = 0; run < 2_000; run++) {
      expect(weaknessOf(randomBytes(16).toString("hex"))).toBeNull();
      expect(weaknessOf(randomBytes(32).toString("hex"))).toBeNull();
      expect(weaknessOf(randomBytes(24).toString("base64"))).toBeNull();
      expect(weaknessOf(randomBytes(32).toString("base64url"))).toBeNull();
      expect(weaknessOf(crypto.randomUUID())).toBeNull();
    }
  });
});
