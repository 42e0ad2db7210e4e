import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OTHER_SECRET, STRONG_SECRET } from "../config/load.ts";
import { freshPlace, runCommand } from "./run-command.ts";

describe("latchkey config", () => {
  test("prints each value and its source, and makes nothing", async () => {
    const { cwd, dataDir } = freshPlace();
    writeFileSync(join(cwd, "key"), `${STRONG_SECRET}\n`, { mode: 0o600 });
    const env = {
      PORT: "4000",
      BETTER_AUTH_SECRET_FILE: "key",
      CORS_ALLOWED_ORIGINS: "http://localhost:5173",
      DATABASE_URL: "postgres://user:hunter2@localhost/auth",
    };
    const { exitCode, stdout, stderr } = await runCommand(["config"], { env, cwd });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual(["NAME", "VALUE", "SOURCE"]);
    expect(rows).toContainEqual(["PORT", "4000", "environment"]);
    expect(rows).toContainEqual(["HOST", "127.0.0.1", "default"]);
    expect(rows).toContainEqual(["BETTER_AUTH_SECRET", "********", "file (BETTER_AUTH_SECRET_FILE)"]);
    expect(rows).toContainEqual(["DATABASE_URL", "postgres://user:********@localhost/auth", "environment"]);
    expect(rows).toContainEqual(["LATCHKEY_COOKIE_DOMAIN", "-", "default"]);
    const origins = rows.find(([name]) => name === "BETTER_AUTH_TRUSTED_ORIGINS");
    expect(origins?.[2]).toBe("environment (CORS_ALLOWED_ORIGINS)");
    expect(existsSync(dataDir)).toBe(false);
  });

  test("prints a JSON array, and warnings on stderr alone", async () => {
    const env = { HOST: "0.0.0.0", BETTER_AUTH_SECRETS: `2:${STRONG_SECRET},1:${OTHER_SECRET}` };
    const { exitCode, stdout, stderr } = await runCommand(["config", "--json"], { env });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toContainEqual({
      name: "BETTER_AUTH_SECRETS",
      value: "********,********",
      source: "environment",
      variable: "BETTER_AUTH_SECRETS",
    });
    expect(stderr).toStartWith("Warning: HOST=0.0.0.0 is open to other machines");
  });

  test("prints the settings of a server that an option names, and not the shell's", async () => {
    const { cwd } = freshPlace();
    const unit = join(cwd, "auth.service");
    writeFileSync(
      unit,
      "[Service]\nEnvironment=PORT=4001\nEnvironmentFile=settings.env\n".replace(
        "=settings",
        `=${cwd}/settings`,
      ),
    );
    writeFileSync(join(cwd, "settings.env"), "HOST=::1\n");
    for (const [option, port, host] of [
      [["--unit", unit], "4001", "::1"],
      [["--env-file", "settings.env"], "3001", "::1"],
      [[], "5000", "127.0.0.1"],
    ] as const) {
      const { stdout } = await runCommand(["config", "--json", ...option], { env: { PORT: "5000" }, cwd });
      const valueOf = (name: string) =>
        (JSON.parse(stdout) as { name: string; value: string }[]).find((one) => one.name === name)?.value;
      expect([valueOf("PORT"), valueOf("HOST")]).toEqual([port, host]);
    }
    const { exitCode, stderr } = await runCommand(["config", "--unit", "no-such-latchkey"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("there is no unit no-such-latchkey");
  });

  test("prints every problem, with exit status 2", async () => {
    const env = { PORT: "99999", BETTER_AUTH_SECRET: "short", LATCHKEY_COOKY_DOMAIN: "example.com" };
    const { exitCode, stdout, stderr } = await runCommand(["config"], { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr.match(/^Error: \w+/gm)).toEqual([
      "Error: LATCHKEY_COOKY_DOMAIN",
      "Error: PORT",
      "Error: BETTER_AUTH_SECRET",
    ]);
    expect(stderr.match(/^Try: ./gm)).toHaveLength(3);
    const asJson = await runCommand(["config", "--json"], { env });
    expect(JSON.parse(asJson.stdout).problems).toHaveLength(3);
    expect(asJson.exitCode).toBe(2);
  });
});
