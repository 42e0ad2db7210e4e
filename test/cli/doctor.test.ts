import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, closeSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { judgeFreeSpace } from "../../src/doctor/file-check.ts";
import { OTHER_SECRET, STRONG_SECRET } from "../config/load.ts";
import { diagnoseBy } from "./doctor-run.ts";
import { freshPlace, runCommand } from "./run-command.ts";

/** A migrated embedded database as a server leaves it. */
async function migratedPlace() {
  const place = freshPlace();
  await runCommand(["migrate"], { cwd: place.cwd });
  const db = new Database(place.database);
  db.run("PRAGMA journal_mode = WAL");
  db.close();
  return place;
}

describe("latchkey doctor", () => {
  test("finds nothing wrong with a fresh local set-up, and leaves nothing behind", async () => {
    const { cwd, dataDir } = await migratedPlace();
    const before = readdirSync(dataDir).toSorted();
    const { exitCode, stdout, stderr } = await runCommand(["doctor"], { cwd });
    expect({ exitCode, problems: stdout.match(/^(?:warning|failure).*/gm) }).toEqual({
      exitCode: 0,
      problems: null,
    });
    expect(stderr).toMatch(/^\d+ checks: 0 failed, 0 with a warning\n$/);
    expect(readdirSync(dataDir).toSorted()).toEqual(before);
  });

  test("makes nothing where there is nothing yet", async () => {
    const { cwd } = freshPlace();
    const { exitCode, only } = await diagnoseBy({ cwd });
    expect({ exitCode, database: only("database").status, schema: only("schema").status }).toEqual({
      exitCode: 0,
      database: "warning",
      schema: "warning",
    });
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("names every problem of a configuration, and still checks what does not hang on them", async () => {
    const { cwd } = await migratedPlace();
    const env = { PORT: "x", BETTER_AUTH_URL: "http://auth.example.com", LATCHKEY_SIGN_UP: "maybe" };
    const { exitCode, named, only } = await diagnoseBy({ env, cwd });
    expect(exitCode).toBe(1);
    expect(named("configuration").map(({ detail }) => detail.split(":")[0])).toEqual([
      "PORT",
      "BETTER_AUTH_URL",
      "LATCHKEY_SIGN_UP",
    ]);
    expect(
      ["secret", "database", "schema", "integrity", "clock", "disk"].map((name) => only(name).status),
    ).toEqual(Array(6).fill("ok"));
    expect(only("cookies")).toEqual({
      name: "cookies",
      status: "failure",
      detail: expect.stringContaining("could not be checked: BETTER_AUTH_URL is plain http"),
      remedy: expect.stringContaining("https://auth.example.com"),
    });
  });

  test("prints failures with what to do, and the first remedy last", async () => {
    const { cwd, dataDir } = await migratedPlace();
    rmSync(join(dataDir, "secret"));
    const { exitCode, stdout, stderr } = await runCommand(["doctor"], { cwd });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^failure {2}secret: .* is missing\n {9}Try: restore /m);
    expect(stderr).toMatch(/^Error: \d+ checks: 1 failed, 0 with a warning\nTry: restore .*\n$/);
  });

  test("shows the configuration's warnings as its own", async () => {
    const { exitCode, only } = await diagnoseBy({ env: { HOST: "0.0.0.0" } });
    expect(exitCode).toBe(0);
    expect(only("configuration").status).toBe("warning");
  });
});

describe("doctor's secret check", () => {
  const server = { DATABASE_URL: "postgres://user@127.0.0.1:1/auth" };

  test.each([
    { what: "one", env: { BETTER_AUTH_SECRET: STRONG_SECRET }, detail: "from BETTER_AUTH_SECRET, strong" },
    {
      what: "a ring",
      env: { BETTER_AUTH_SECRETS: `2:${STRONG_SECRET},1:${OTHER_SECRET}` },
      detail: "from BETTER_AUTH_SECRETS: 2 strong secrets, the first signs and all verify",
    },
  ])("says where $what comes from", async ({ env, detail }) => {
    const { only } = await diagnoseBy({ env: { ...server, ...env } });
    expect(only("secret")).toEqual({ name: "secret", status: "ok", detail });
  });

  test("warns of a weak old key", async () => {
    const env = { ...server, BETTER_AUTH_SECRETS: `2:${STRONG_SECRET},1:short` };
    const { only } = await diagnoseBy({ env });
    expect(only("secret")).toMatchObject({
      status: "warning",
      detail: expect.stringContaining("secret 2 of 2"),
    });
  });

  test("fails on a weak or missing one", async () => {
    for (const env of [server, { ...server, BETTER_AUTH_SECRET: "short" }]) {
      const { exitCode, only } = await diagnoseBy({ env });
      expect({ exitCode, status: only("secret").status }).toEqual({ exitCode: 1, status: "failure" });
    }
  });

  test("fails on a generated one that was cut short", async () => {
    const { cwd, dataDir } = await migratedPlace();
    writeFileSync(join(dataDir, "secret"), "abc\n");
    expect((await diagnoseBy({ cwd })).only("secret").status).toBe("failure");
  });
});

describe("doctor's file checks", () => {
  test.each([
    { file: "secret", mode: 0o644, status: "failure" },
    { file: "latchkey.db", mode: 0o604, status: "failure" },
    { file: "latchkey.db", mode: 0o640, status: "warning" },
    { file: "latchkey.db", mode: 0o600, status: "ok" },
  ] as const)("say $status of mode $mode on $file", async ({ file, mode, status }) => {
    const { cwd, dataDir } = await migratedPlace();
    chmodSync(join(dataDir, file), mode);
    const check = (await diagnoseBy({ cwd })).only("file modes");
    expect(check.status).toBe(status);
    if (status !== "ok") expect(check.remedy).toBe(`chmod 600 ${join(dataDir, file)}`);
  });

  test("warn of a data directory that others may enter", async () => {
    const { cwd, dataDir } = await migratedPlace();
    chmodSync(dataDir, 0o755);
    expect((await diagnoseBy({ cwd })).only("data directory")).toMatchObject({
      status: "warning",
      remedy: `chmod 700 ${dataDir}`,
    });
  });

  test("fail on a database's directory that is missing", async () => {
    const { cwd } = freshPlace();
    const env = { DATABASE_URL: "file:./elsewhere/x.db" };
    const { exitCode, only } = await diagnoseBy({ env, cwd });
    expect({ exitCode, remedy: only("database directory").remedy }).toEqual({
      exitCode: 1,
      remedy: `mkdir -m 700 -p ${join(cwd, "elsewhere")}`,
    });
  });

  test.each([
    [10, "failure"],
    [100, "warning"],
    [1000, "ok"],
  ] as const)("say of %i MiB free: %s", (mebibytes, status) => {
    expect(judgeFreeSpace("/data", mebibytes * 1024 * 1024).status).toBe(status);
  });
});

describe("doctor's checks of the embedded file", () => {
  test("find damaged pages", async () => {
    const { cwd, database } = await migratedPlace();
    const descriptor = openSync(database, "r+");
    // Page 1 keeps its header; what the tables' own pages held is gone.
    for (const page of [2, 3, 4, 5]) writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
    closeSync(descriptor);
    const { exitCode, only } = await diagnoseBy({ cwd });
    expect({ exitCode, status: only("integrity").status }).toEqual({ exitCode: 1, status: "failure" });
  });

  test("fail on a file that is no database", async () => {
    const { cwd, database } = await migratedPlace();
    writeFileSync(database, "hello, this is no database\n".repeat(100));
    const { exitCode, only } = await diagnoseBy({ cwd });
    expect({ exitCode, status: only("database").status }).toEqual({ exitCode: 1, status: "failure" });
  });

  test("warn of a rollback journal", async () => {
    const { cwd } = freshPlace();
    await runCommand(["migrate"], { cwd });
    const db = new Database(join(cwd, "data", "latchkey.db"));
    db.run("PRAGMA journal_mode = DELETE");
    db.close();
    expect((await diagnoseBy({ cwd })).only("journal").status).toBe("warning");
  });
});
