import { describe, expect, test } from "bun:test";
import { load, problemsOf, STRONG_SECRET } from "./load.ts";

describe("LATCHKEY_BACKUP_DIR", () => {
  test("has backups made once a day, of which seven stay", () => {
    expect(load({ LATCHKEY_BACKUP_DIR: "backups" }).config.backups).toEqual({
      directory: "/srv/latchkey/backups",
      everySeconds: 86_400,
      keep: 7,
    });
    const env = {
      LATCHKEY_BACKUP_DIR: "/var/backups/latchkey",
      LATCHKEY_BACKUP_EVERY: "6h",
      LATCHKEY_BACKUP_KEEP: "28",
    };
    expect(load(env).config.backups).toEqual({
      directory: "/var/backups/latchkey",
      everySeconds: 21_600,
      keep: 28,
    });
  });

  test.each([
    [{ LATCHKEY_BACKUP_EVERY: "6h" }, "LATCHKEY_BACKUP_EVERY", "is set without a folder"],
    [{ LATCHKEY_BACKUP_KEEP: "3" }, "LATCHKEY_BACKUP_KEEP", "is set without a folder"],
    [{ LATCHKEY_BACKUP_DIR: "~/x" }, "LATCHKEY_BACKUP_DIR", "starts with ~"],
    [{ LATCHKEY_BACKUP_DIR: "x", LATCHKEY_BACKUP_EVERY: "24" }, "LATCHKEY_BACKUP_EVERY", "24s is too short"],
    [{ LATCHKEY_BACKUP_DIR: "x", LATCHKEY_BACKUP_EVERY: "31d" }, "LATCHKEY_BACKUP_EVERY", "too long"],
    [{ LATCHKEY_BACKUP_DIR: "x", LATCHKEY_BACKUP_KEEP: "0" }, "LATCHKEY_BACKUP_KEEP", "0 is below 1"],
    [
      {
        LATCHKEY_BACKUP_DIR: "x",
        LATCHKEY_BACKUP_KEEP: "3",
        DATABASE_URL: "postgres://app@db.example.com/auth",
        BETTER_AUTH_SECRET: STRONG_SECRET,
      },
      "LATCHKEY_BACKUP_DIR",
      "is for an embedded database",
    ],
  ])("refuses %o", (env, variable, reason) => {
    expect(problemsOf(env)).toEqual([
      { variable, reason: expect.stringContaining(reason), remedy: expect.stringMatching(/./) },
    ]);
  });
});
