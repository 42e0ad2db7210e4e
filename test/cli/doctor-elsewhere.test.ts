import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import type { Check } from "../../src/doctor/check.ts";
import { readForeignEnvironment } from "../../src/doctor/foreign-environment.ts";
import { type Dialect, dialects, openTestDatabase } from "../support/databases.ts";
import { spawnLatchkey } from "../support/executable.ts";
import { workersOf } from "../support/workers.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { OTHER_SECRET, STRONG_SECRET } from "../config/load.ts";
import { diagnoseBy } from "./doctor-run.ts";
import { freshPlace, runCommand } from "./run-command.ts";

async function diagnoseElsewhere(args: readonly string[], cwd: string) {
  const { exitCode, stdout, stderr } = await runCommand(["doctor", "--json", ...args], {
    cwd,
    // The shell's own says something else.
    env: { PORT: "nonsense" },
  });
  const checks = stdout === "" ? [] : ((JSON.parse(stdout) as { checks?: Check[] }).checks ?? []);
  const only = (name: string) => checks.find((check) => check.name === name);
  return { exitCode, only, stderr };
}

describe("10-A5: doctor looks at the real server", () => {
  test("by a file of its environment", async () => {
    const { cwd } = freshPlace();
    const lines = [
      "# latchkey",
      'LATCHKEY_BRAND_NAME="Dino Docs"',
      "export PORT=4001",
      "",
      "LATCHKEY_DATA_DIR=/srv/nowhere",
      "; as systemd reads it, and Docker: only a line's beginning begins a comment",
      "LATCHKEY_BRAND_ACCENT=#ffe600",
      "BETTER_AUTH_TRUSTED_ORIGINS=https://docs.example.com,\\",
      "https://api.example.com",
      `LATCHKEY_CONTACT='https://example.com/help#"me"'`,
    ];
    writeFileSync(join(cwd, "latchkey.env"), lines.join("\n"));
    const { only } = await diagnoseElsewhere(["--env-file", "latchkey.env"], cwd);
    expect(only("configuration")).toMatchObject({
      status: "ok",
      detail: expect.stringMatching(
        /latchkey\.env: 6 of \d+ settings are set.*data directory is \/srv\/nowhere/,
      ),
    });
    expect(only("brand")?.detail).toContain("buttons #ffe600");
  });

  test("by a systemd service: its unit, its drop-ins, its files", () => {
    const cwd = temporaryDirectory("unit");
    const unit = join(cwd, "auth.service");
    mkdirSync(`${unit}.d`, { recursive: true });
    writeFileSync(join(cwd, "secrets.env"), `BETTER_AUTH_SECRET=${STRONG_SECRET}\n`);
    writeFileSync(
      unit,
      [
        "[Unit]",
        "Environment=IGNORED=1",
        "[Service]",
        'Environment=PORT=4000 "LATCHKEY_BRAND_NAME=Dino Docs" \\',
        "  LATCHKEY_SIGN_UP=open",
        `EnvironmentFile=${join(cwd, "secrets.env")}`,
        "EnvironmentFile=-/nowhere/at/all",
        "StateDirectory=auth",
        "WorkingDirectory=/srv/auth",
      ].join("\n"),
    );
    writeFileSync(join(`${unit}.d`, "10-closed.conf"), "[Service]\nEnvironment=LATCHKEY_SIGN_UP=closed\n");
    expect(readForeignEnvironment({ unit }, cwd)).toEqual({
      environment: {
        STATE_DIRECTORY: "/var/lib/auth",
        PORT: "4000",
        LATCHKEY_BRAND_NAME: "Dino Docs",
        LATCHKEY_SIGN_UP: "closed",
        BETTER_AUTH_SECRET: STRONG_SECRET,
      },
      cwd: "/srv/auth",
      from: unit,
    });
  });

  test.skipIf(process.platform !== "linux")("by its process", async () => {
    const server = await spawnLatchkey({ env: { LATCHKEY_BRAND_NAME: "Running" } });
    const { only, exitCode } = await diagnoseElsewhere(
      ["--pid", String(server.pid)],
      temporaryDirectory("shell"),
    );
    expect([exitCode, only("configuration")]).toMatchObject([
      0,
      { status: "ok", detail: expect.stringContaining(`process ${server.pid}`) },
    ]);
    expect(only("database")?.detail).toContain(join(server.dir, "data", "latchkey.db"));
    await server.stop();
  });

  test.skipIf(process.platform !== "linux")(
    "by one of its workers, for the process that started it",
    async () => {
      const server = await spawnLatchkey({ env: { LATCHKEY_BRAND_NAME: "Running", LATCHKEY_WORKERS: "2" } });
      for (const worker of workersOf(server.pid)) {
        const { only } = await diagnoseElsewhere(["--pid", String(worker)], temporaryDirectory("shell"));
        expect(only("configuration")?.detail).toContain(`process ${server.pid}`);
        expect(only("database")?.detail).toContain(join(server.dir, "data", "latchkey.db"));
      }
      await server.stop();
    },
  );

  test.each([
    [["--env-file", "absent.env"], "cannot be read"],
    [["--unit", "no-such-latchkey"], "there is no unit"],
    [["--pid", "999999999"], "cannot be looked at"],
    [["--pid", "1", "--env-file", "x"], "exclude each other"],
  ])("%j says why not, and what to do", async (args, message) => {
    const { exitCode, stderr } = await diagnoseElsewhere(args, temporaryDirectory("shell"));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`Error: .*${message}.*\\nTry: .`));
  });

  test("and says that it looks at the shell's own environment otherwise", async () => {
    const { cwd, dataDir } = freshPlace();
    const { only } = await diagnoseBy({ cwd });
    expect(only("configuration").detail).toMatch(/^no problem in this shell's environment: /);
    expect(only("configuration").detail).toContain(`the data directory is ${dataDir}`);
  });

  test("a secret file that differs from the environment's", async () => {
    const { cwd, dataDir } = freshPlace();
    await runCommand(["migrate"], { cwd });
    const { only } = await diagnoseBy({ cwd, env: { BETTER_AUTH_SECRET: OTHER_SECRET } });
    expect(only("secret")).toMatchObject({
      status: "warning",
      detail: expect.stringContaining(`another one is in ${join(dataDir, "secret")}`),
      remedy: expect.stringContaining("BETTER_AUTH_SECRETS=2:NEW,1:OLD"),
    });
  });
});

describe.each(dialects)("10-A5: doctor looks at the rows on %s", (dialect: Dialect) => {
  test("orphaned ones, and tables that would leave them", async () => {
    const database = await openTestDatabase(dialect);
    await runCommand(["migrate"], { env: database.env });
    const rows = async () => (await diagnoseBy({ env: database.env })).only("rows");
    expect(await rows()).toMatchObject({ status: "ok" });
    if (dialect === "sqlite") {
      await database.query(
        "INSERT INTO session (id, token, user_id, expires_at) VALUES ('s', 't', 'gone', 0)",
      );
      expect(await rows()).toMatchObject({
        status: "warning",
        detail: expect.stringContaining("1 sessions"),
      });
    } else {
      await database.query('ALTER TABLE session DROP CONSTRAINT "session_user_id_user_id_fk"');
      await database.query(
        "INSERT INTO session (id, token, user_id, expires_at) VALUES ('s', 't', 'gone', now())",
      );
      expect(await rows()).toMatchObject({
        status: "failure",
        detail: expect.stringContaining("session without a foreign key to user, and 1 sessions"),
      });
    }
    await database.close();
  });
});
