import { beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Config } from "../src/config/config.ts";
import { giveToOwner } from "../src/durable-file.ts";
import { CommandError } from "../src/errors.ts";
import {
  generateSecret,
  loadOrCreateSecret,
  orphanedSecret,
  prepareDataDirectory,
  secretPath,
} from "../src/data-directory.ts";
import { temporaryDirectory } from "./support/reaper.ts";

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

let directory: string;
let databasePath: string;
beforeEach(() => {
  directory = join(temporaryDirectory("secret"), "data");
  databasePath = join(directory, "latchkey.db");
  mkdirSync(directory, { mode: 0o700 });
});

const failure = async (work: () => unknown): Promise<unknown> => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return "no failure";
};

test.skipIf(process.getuid?.() !== 0)("root gives the user a file, and nothing that a link leads to", () => {
  const [given, link, target] = ["given", "link", "target"].map((name) => join(directory, name));
  for (const file of [given, target]) writeFileSync(file ?? "", "");
  symlinkSync(target ?? "", link ?? "");
  chownSync(directory, 4321, 8765);
  for (const file of [given, link]) giveToOwner(file ?? "", directory);
  expect([given, target].map((file) => statSync(file ?? "").uid)).toEqual([4321, 0]);
});

describe("generateSecret", () => {
  test("makes 256 random bits in base64, never the same", () => {
    const secrets = Array.from({ length: 100 }, generateSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(Buffer.from(secret, "base64")).toHaveLength(32);
  });
});

describe("loadOrCreateSecret", () => {
  test("makes a secret once, for its owner's eyes, and nothing else", async () => {
    const secret = await loadOrCreateSecret(directory, databasePath);
    expect(Buffer.from(secret, "base64")).toHaveLength(32);
    expect(readFileSync(secretPath(directory), "utf8")).toBe(`${secret}\n`);
    expect([readdirSync(directory), modeOf(secretPath(directory))]).toEqual([["secret"], "600"]);
    writeFileSync(databasePath, "x");
    expect([
      await loadOrCreateSecret(directory, databasePath),
      await loadOrCreateSecret(directory, databasePath),
    ]).toEqual([secret, secret]);
  });

  test("keeps the file's mode whatever the umask", async () => {
    const script = `
      process.umask(0);
      const { loadOrCreateSecret } = await import(${JSON.stringify(join(import.meta.dir, "../src/data-directory.ts"))});
      await loadOrCreateSecret(${JSON.stringify(directory)}, ${JSON.stringify(databasePath)});`;
    expect(Bun.spawnSync([process.execPath, "-e", script]).exitCode).toBe(0);
    expect(modeOf(secretPath(directory))).toBe("600");
  });

  test("lets one of many first starts win, and the others read its secret", async () => {
    const gate = join(directory, "..", "go");
    const script = `
      const { existsSync } = require("node:fs");
      const { loadOrCreateSecret } = await import(${JSON.stringify(join(import.meta.dir, "../src/data-directory.ts"))});
      process.stdout.write("ready\\n");
      for (const end = Date.now() + 20_000; !existsSync(${JSON.stringify(gate)}) && Date.now() < end; );
      process.stdout.write(await loadOrCreateSecret(${JSON.stringify(directory)}, ${JSON.stringify(databasePath)}) + "\\n");`;
    const ready: Promise<void>[] = [];
    const secrets = Array.from({ length: 6 }, async () => {
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
      const isReady = Promise.withResolvers<void>();
      ready.push(isReady.promise);
      let text = "";
      for await (const chunk of child.stdout) {
        text += new TextDecoder().decode(chunk);
        if (text.startsWith("ready\n")) isReady.resolve();
      }
      return text.split("\n")[1] ?? "";
    });
    await Promise.all(ready);
    writeFileSync(gate, "");
    const made = new Set(await Promise.all(secrets));
    expect(made).toEqual(new Set([readFileSync(secretPath(directory), "utf8").trim()]));
    expect([...made][0]).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(readdirSync(directory)).toEqual(["secret"]);
  });

  test("refuses a database whose secret is gone, makes no new one, and says what to do", async () => {
    writeFileSync(databasePath, "x");
    const error = await failure(() => loadOrCreateSecret(directory, databasePath));
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({
      message: expect.stringContaining(secretPath(directory)),
      remedy: expect.stringMatching(/restore .*BETTER_AUTH_SECRET/),
    });
    expect(existsSync(secretPath(directory))).toBe(false);
  });

  test.each([
    ["empty", ""],
    ["blank", " \n"],
    ["cut short", "abc\n"],
    ["of 31 bytes", "x".repeat(31)],
  ])("refuses a secret that is %s, without repeating or replacing it", async (_what, content) => {
    writeFileSync(secretPath(directory), content);
    const error = await failure(() => loadOrCreateSecret(directory, databasePath));
    expect(error).toBeInstanceOf(CommandError);
    if (content.trim() !== "") expect(String(error)).not.toContain(content.trim());
    expect(readFileSync(secretPath(directory), "utf8")).toBe(content);
  });

  test("is not troubled by what a start left behind that was killed while it wrote", async () => {
    const left = `${secretPath(directory)}.1234-5678.tmp`;
    writeFileSync(left, "half a sec", { mode: 0o600 });
    const secret = await loadOrCreateSecret(directory, databasePath);
    expect(secret).not.toContain("half");
    expect([await loadOrCreateSecret(directory, databasePath), readFileSync(left, "utf8")]).toEqual([
      secret,
      "half a sec",
    ]);
  });

  test("reads a secret with or without its line feed", async () => {
    const secret = generateSecret();
    writeFileSync(secretPath(directory), `  ${secret}\r\n`, { mode: 0o600 });
    expect(await loadOrCreateSecret(directory, databasePath)).toBe(secret);
  });

  describe("B11: refuses a secret that latchkey did not make, or that others may read or replace", () => {
    const put = (content: string, mode = 0o600) => {
      writeFileSync(secretPath(directory), `${content}\n`);
      chmodSync(secretPath(directory), mode);
    };

    test.each([0o640, 0o600, 0o400])("not one of mode %o", async (mode) => {
      const secret = generateSecret();
      put(secret, mode);
      expect(await loadOrCreateSecret(directory, databasePath)).toBe(secret);
    });

    test.each([
      [0o644, "may be read by everybody"],
      [0o660, "may be written to by others"],
      [0o602, "may be written to by others"],
    ])("one of mode %o", async (mode, reason) => {
      put(generateSecret(), mode);
      expect(await failure(() => loadOrCreateSecret(directory, databasePath))).toMatchObject({
        message: expect.stringContaining(reason),
        remedy: expect.stringContaining("600"),
      });
    });

    test("one that can be guessed, and says how to get out of it", async () => {
      put("A".repeat(44));
      const error = await failure(() => loadOrCreateSecret(directory, databasePath));
      expect(error).toMatchObject({
        message: expect.stringContaining("too easy to guess"),
        remedy: expect.stringMatching(/BETTER_AUTH_SECRETS=2:NEW,1:OLD/),
      });
      expect(String(error)).not.toContain("AAAA");
    });

    // Only root gives files away.
    test.skipIf(process.geteuid?.() !== 0)("one of another owner", async () => {
      put(generateSecret());
      chownSync(secretPath(directory), 1_234, 1_234);
      expect(await failure(() => loadOrCreateSecret(directory, databasePath))).toMatchObject({
        message: expect.stringContaining("belongs to another user (1234)"),
        remedy: "chown it to 0",
      });
    });
  });

  test.skipIf(process.geteuid?.() !== 0)(
    "root reads the secret of a server that runs as the folder's owner",
    async () => {
      const made = await loadOrCreateSecret(directory, databasePath);
      for (const path of [directory, secretPath(directory)]) chownSync(path, 1_234, 1_234);
      expect(await loadOrCreateSecret(directory, databasePath)).toBe(made);
    },
  );

  test("B11: a secret without its database is said", () => {
    const config = {
      secrets: [],
      dataDir: directory,
      database: { driver: "sqlite", path: databasePath },
    } as const;
    const orphaned = () => orphanedSecret(config as unknown as Config);
    expect(orphaned()).toBeUndefined();
    writeFileSync(secretPath(directory), "x");
    expect(orphaned()).toContain("its database");
    writeFileSync(databasePath, "x");
    expect(orphaned()).toBeUndefined();
  });

  test("leaves nothing, and no half secret, where it may not write", async () => {
    const gone = join(directory, "gone");
    expect(await failure(() => loadOrCreateSecret(gone, databasePath))).toMatchObject({ code: "ENOENT" });
    expect(existsSync(gone)).toBe(false);
  });

  test("leaves nothing of a secret that it could not write whole", () => {
    const script = `
      const { loadOrCreateSecret } = await import(${JSON.stringify(join(import.meta.dir, "../src/data-directory.ts"))});
      await loadOrCreateSecret(${JSON.stringify(directory)}, ${JSON.stringify(databasePath)});`;
    // With SIGXFSZ ignored, a write beyond the limit is EFBIG, as it is ENOSPC on a full disk.
    const limited = `trap "" XFSZ; ulimit -f 0; exec "$0" -e "$1"`;
    const { exitCode, stderr } = Bun.spawnSync(["/bin/sh", "-c", limited, process.execPath, script]);
    expect({ exitCode, stderr: stderr.toString() }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining("EFBIG"),
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test("does not write through a link that dangles in its place", async () => {
    const target = join(directory, "..", "elsewhere");
    symlinkSync(target, secretPath(directory));
    await failure(() => loadOrCreateSecret(directory, databasePath));
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(directory)).toEqual(["secret"]);
  });
});

describe("prepareDataDirectory", () => {
  test("makes it for its owner alone, with what is missing above it", async () => {
    const made = join(directory, "a", "b");
    expect(prepareDataDirectory(made)).toBeUndefined();
    expect([modeOf(made), modeOf(join(directory, "a"))]).toEqual(["700", "700"]);
    expect(prepareDataDirectory(made)).toBeUndefined();
  });

  test.each([0o755, 0o750, 0o701, 0o707])(
    "warns of one that others may enter (%d), and leaves it",
    async (mode) => {
      chmodSync(directory, mode);
      expect(prepareDataDirectory(directory)).toContain(`mode ${mode.toString(8)}`);
      expect(modeOf(directory)).toBe(mode.toString(8));
    },
  );

  test("says what to do when it cannot be made", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    expect(await failure(() => prepareDataDirectory(join(file, "data")))).toMatchObject({
      name: "CommandError",
      message: expect.stringContaining(join(file, "data")),
      remedy: expect.stringContaining("LATCHKEY_DATA_DIR"),
    });
  });
});
