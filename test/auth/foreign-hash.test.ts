import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { pbkdf2Sync } from "node:crypto";
import { areBearable, foreignHashOf, someHashOf, takeForeignHash } from "../../src/auth/foreign-hash.ts";

setDefaultTimeout(30_000);

/** What a hash of another program's becomes, or why it does not. */
const taken = (written: string) => {
  const found = takeForeignHash(written);
  return "stored" in found ? found : { stored: "", kind: found.problem };
};
const compare = async (written: string, password: string) =>
  await foreignHashOf(taken(written).stored)?.compare(password);

const password = "correct horse";
const key = (digest: string, bytes: number, salt: string | Buffer) =>
  pbkdf2Sync(password, salt, 1_000, bytes, digest).toString("base64");
const salt = Buffer.from("fbff00010203040506070809", "hex");
const adapted = (text: string) => text.replaceAll("=", "").replaceAll("+", ".");

describe("another program's hash", () => {
  test.each([
    ["PBKDF2 as Django writes it", `pbkdf2_sha256$1000$saltsalt$${key("sha256", 32, "saltsalt")}`, password],
    [
      "PBKDF2 with SHA-1 as Django writes it",
      `pbkdf2_sha1$1000$saltsalt$${key("sha1", 20, "saltsalt")}`,
      password,
    ],
    [
      "PBKDF2 as passlib writes it",
      `$pbkdf2-sha512$1000$${adapted(salt.toString("base64"))}$${adapted(key("sha512", 64, salt))}`,
      password,
    ],
    [
      "PBKDF2 with SHA-1 as passlib writes it",
      `$pbkdf2$1000$${adapted(salt.toString("base64"))}$${adapted(key("sha1", 20, salt))}`,
      password,
    ],
    [
      "PBKDF2 as Kratos writes it, with a key of several blocks",
      `$pbkdf2-sha256$i=1000,l=128$${salt.toString("base64")}$${key("sha256", 128, salt)}`,
      password,
    ],
    // The example of https://github.com/firebase/scrypt.
    [
      "Firebase's scrypt",
      "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
      "user1password",
    ],
  ])("S6: of %s is verified, and only with its password", async (_what, written, its) => {
    expect([
      await compare(written, its),
      await compare(written, `${its} `),
      await compare(written, ""),
    ]).toEqual([true, false, false]);
  });

  test.each(["$2a$", "$2b$", "$2y$"])(
    "S6: of bcrypt as %s counts the first 72 bytes, as elsewhere",
    async (prefix) => {
      const long = "ä".repeat(36);
      const made = (await Bun.password.hash(long, { algorithm: "bcrypt", cost: 4 })).replace("$2b$", prefix);
      expect([
        await compare(made, long),
        await compare(made, `${long}and more`),
        await compare(made, long.slice(0, 35)),
      ]).toEqual([true, true, false]);
    },
  );

  test("S4: of an empty password lets nobody in", async () => {
    const made = `pbkdf2_sha256$1000$salt$${pbkdf2Sync("", "salt", 1_000, 32, "sha256").toString("base64")}`;
    expect(await compare(made, "")).toBe(false);
    const nul = `pbkdf2_sha256$1000$salt$${pbkdf2Sync("\0", "salt", 1_000, 32, "sha256").toString("base64")}`;
    expect(await compare(nul, "")).toBe(false);
  });

  test("S4: is verified with the password as it was typed, not as latchkey would write it", async () => {
    const made = (text: string) =>
      `pbkdf2_sha256$1000$salt$${pbkdf2Sync(text, "salt", 1_000, 32, "sha256").toString("base64")}`;
    expect([await compare(made("\ufb01ne"), "\ufb01ne"), await compare(made("\ufb01ne"), "fine")]).toEqual([
      true,
      false,
    ]);
  });

  const b64 = (bytes: number) => "A".repeat(Math.ceil((bytes * 4) / 3));
  const signerKey = `${b64(64)}==`;
  test.each([
    ["$2b$14$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "costly"],
    ["$2b$31$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "costly"],
    [`$argon2id$v=19$m=4194304,t=1,p=1$${b64(16)}$${b64(32)}`, "costly"],
    [`$argon2id$v=19$m=262144,t=9,p=1$${b64(16)}$${b64(32)}`, "costly"],
    [`$argon2id$v=19$m=65536,t=3,p=33$${b64(16)}$${b64(32)}`, "costly"],
    [`$pbkdf2-sha256$i=99999999,l=32$${b64(16)}$${b64(32)}`, "costly"],
    [`$pbkdf2-sha256$i=2000000,l=128$${b64(16)}$${"A".repeat(171)}`, "costly"],
    [`$pbkdf2-sha256$i=1000,l=999$${b64(16)}$${b64(32)}`, "costly"],
    [`pbkdf2_sha512$9999999$salt$${b64(64)}`, "costly"],
    [`$fbscrypt$v=1,n=20,r=8,p=1,ss=Bw==,sk=${signerKey}$${b64(8)}$${signerKey}`, "costly"],
    [`$fbscrypt$v=1,n=14,r=99,p=1,ss=Bw==,sk=${signerKey}$${b64(8)}$${signerKey}`, "costly"],
    ["$2b$32$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "unknown"],
    ["$2b$00$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "unknown"],
    ["$2x$10$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "unknown"],
    [`$argon2id$v=16$m=4096,t=2,p=1$${b64(16)}$${b64(32)}`, "unknown"],
    [`$argon2id$v=19$m=99999999999,t=2,p=1$${b64(16)}$${b64(32)}`, "unknown"],
    [`$fbscrypt$v=1,n=14,r=8,p=9,ss=Bw==,sk=${signerKey}$${b64(8)}$${signerKey}`, "unknown"],
    ["pbkdf2_md5$1000$salt$AAAAAAAAAAAAAAAAAAAAAA==", "unknown"],
    ["$6$rounds=5000$salt$hash", "unknown"],
    ["correct horse", "unknown"],
    ["import:$2b$04$abcdefghijklmnopqrstuuwdE7JY4IXwhQn8VRnmr9hHqJqlDTpLe", "unknown"],
  ])("S7: %s is not taken (%s), nor computed where it is stored", async (written, problem) => {
    expect(taken(written).kind).toBe(problem);
    expect(foreignHashOf(`import:${written}`)).toBeUndefined();
  });

  test.each([
    "$2b$10$",
    "$argon2i$v=19$m=8192,t=3,p=4$",
    "$pbkdf2-sha1$i=1000,l=20$",
    "$pbkdf2-sha256$i=1000,l=128$",
    "$pbkdf2-sha512$i=1000,l=64$",
    "$fbscrypt$v=1,n=14,r=8,p=1$",
  ])("S11: of the kind %s is there to be computed in vain", async (kind) => {
    const some = someHashOf(kind);
    expect([some?.kind, await some?.compare(password)]).toEqual([kind, false]);
  });

  test("S7: is of no kind more than a refusal can compute one each of", () => {
    const kinds = ["scrypt", "$2b$10$", "$2b$13$", "$2b$12$"];
    expect(areBearable(kinds)).toBe(true);
    expect(
      areBearable([...kinds, "$argon2id$v=19$m=262144,t=3,p=1$", "$argon2i$v=19$m=262144,t=3,p=1$"]),
    ).toBe(false);
  });
});
