import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readSecretKey } from "../release/minisign-key.ts";
import { parsePublicKey, type PublicKey, verifySignature } from "../src/upgrade/minisign.ts";
import { findMinisign, type Minisign, requireBothWays, signedContent } from "./support/minisign.ts";

setDefaultTimeout(60_000);

const found = await findMinisign();
const minisign = (): Minisign => {
  if (typeof found === "string") throw new Error(found);
  return found;
};

describe.skipIf(typeof found === "string")(
  `signatures${typeof found === "string" ? ` (${found})` : ""}`,
  () => {
    test("of ours are good to minisign, and to us", async () => {
      await requireBothWays(minisign(), null);
    });

    test("of minisign's are good to us, and anything else is not", async () => {
      const { folder, read, publicKey } = await minisign().makePair(null);
      const other = await minisign().makePair(null);
      const sign = (...args: string[]) =>
        minisign().run(["-S", "-s", "key.sec", "-m", "SHA256SUMS", ...args], folder);
      expect((await sign("-t", "a comment")).code).toBe(0);
      const signature = read("SHA256SUMS.minisig");
      const check = (
        text: string,
        of: Uint8Array = signedContent,
        keys: readonly PublicKey[] = [publicKey],
      ) => {
        const verdict = verifySignature(text, of, keys);
        return verdict.ok ? "good" : verdict.reason;
      };
      expect(check(signature)).toBe("good");
      expect(check(signature, signedContent, [other.publicKey, publicKey])).toBe("good");
      expect(check(signature, Buffer.from("other"))).toContain("not of this content");
      expect(check(signature.replace("a comment", "another"))).toContain("not of this content");
      expect(check(signature, signedContent, [other.publicKey])).toContain(
        `trusted is ${other.publicKey.id}`,
      );
      expect(check("")).toContain("no minisign signature");
      // Of the same number, which anybody can write.
      const forged = { ...other.publicKey, id: publicKey.id };
      expect(check(signature, signedContent, [forged])).toContain("not of this content");
      expect((await sign("-l", "-x", "old.minisig")).code).toBe(0);
      expect(check(read("old.minisig"))).toContain("minisign -l");
    });
  },
);

test("what is no key is refused", () => {
  expect(parsePublicKey("untrusted comment: x\nRWQ")).toBeNull();
  expect(() => readSecretKey("untrusted comment: x\nRWQ", null)).toThrow("no minisign secret key");
});
