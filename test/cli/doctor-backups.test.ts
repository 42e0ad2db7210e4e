import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backupNameAt } from "../../src/backup-folder.ts";
import { diagnoseBy } from "./doctor-run.ts";
import { freshPlace, runCommand } from "./run-command.ts";

const day = 24 * 60 * 60 * 1_000;

/** A folder with a backup of each age, in ms, and what doctor says of it. */
async function checkOf(ages: readonly number[] | null, prepare: (folder: string) => void = () => {}) {
  const { cwd, dataDir } = freshPlace();
  await runCommand(["migrate"], { cwd });
  const folder = join(cwd, "backups");
  if (ages !== null) mkdirSync(folder);
  for (const age of ages ?? []) writeFileSync(join(folder, backupNameAt(Date.now() - age)), "");
  prepare(folder);
  const { exitCode, checks } = await diagnoseBy({ cwd, env: { LATCHKEY_BACKUP_DIR: folder } });
  return { exitCode, folder, dataDir, found: checks.filter(({ name }) => name === "backups") };
}

describe("latchkey doctor on scheduled backups", () => {
  test("says nothing where none are made", async () => {
    const { cwd } = freshPlace();
    const { checks } = await diagnoseBy({ cwd });
    expect(checks.filter(({ name }) => name === "backups")).toEqual([]);
  });

  test("finds the newest, and nothing wrong with one that is as old as may be", async () => {
    const { exitCode, folder, found } = await checkOf([5 * day, 1.9 * day]);
    const detail = expect.stringMatching(/^the newest is of 20\d\d-[-\d]+T[\d:.]+Z, in /);
    expect({ exitCode, found }).toEqual({ exitCode: 0, found: [{ name: "backups", status: "ok", detail }] });
    expect(found[0]?.detail).toEndWith(folder);
  });

  test.each([
    ["no folder", null, /^there is no folder \S+: a running server makes it, where it may$/],
    ["no backup", [], /^none in \S+, and one is due every 1d$/],
    ["an old backup", [2.1 * day], /^the newest is of \S+, and one is due every 1d$/],
    ["one from the future alone", [-day], /^none in \S+, and one is due every 1d$/],
  ])("warns of %s", async (_, ages, detail) => {
    const { exitCode, found } = await checkOf(ages);
    const remedy = expect.stringMatching(/^(?:mkdir \S+\/backups, and give|see that the server runs)/);
    const warning = {
      name: "backups",
      status: "warning" as const,
      detail: expect.stringMatching(detail),
      remedy,
    };
    expect({ exitCode, found }).toEqual({ exitCode: 0, found: [warning] });
  });

  test("fails where the folder is a file", async () => {
    const { exitCode, found } = await checkOf(null, (folder) => writeFileSync(folder, ""));
    const detail = expect.stringMatching(/\/backups is not a folder$/);
    const remedy = "set LATCHKEY_BACKUP_DIR to a folder";
    expect({ exitCode, found }).toEqual({
      exitCode: 1,
      found: [{ name: "backups", status: "failure", detail, remedy }],
    });
  });

  test("fails where the server may not write to it, whoever looks", async () => {
    const isRoot = process.geteuid?.() === 0;
    const { exitCode, folder, found } = await checkOf([1], (folder) => {
      if (!isRoot) return chmodSync(folder, 0o500);
      // As root looks at a server that runs as another user, whose folder root has made.
      chownSync(join(folder, "..", "data"), 4242, 4242);
    });
    chmodSync(folder, 0o700);
    const why = isRoot
      ? "belongs to another user (0) than the data directory (4242), so that the server makes no backup"
      : "may not be written to by this user";
    const remedy = "chown it to the user that runs latchkey, or set LATCHKEY_BACKUP_DIR";
    expect(exitCode).toBe(1);
    expect(found).toEqual([{ name: "backups", status: "failure", detail: `${folder} ${why}`, remedy }]);
  });

  test.skipIf(process.geteuid?.() !== 0)(
    "takes a folder of the server's own, looked at by root",
    async () => {
      const { found } = await checkOf([1], (folder) => {
        for (const path of [folder, join(folder, "..", "data")]) chownSync(path, 4242, 4242);
      });
      expect(found.map(({ status }) => status)).toEqual(["ok"]);
    },
  );
});
