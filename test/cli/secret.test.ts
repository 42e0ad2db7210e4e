import { describe, expect, test } from "bun:test";
import { weaknessOf } from "../../src/config/secret-strength.ts";
import { runCommand } from "./run-command.ts";

describe("latchkey secret", () => {
  test("prints 256 bits in base64 and nothing else", async () => {
    const { exitCode, stdout, stderr } = await runCommand(["secret"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(Buffer.from(stdout.trim(), "base64").byteLength).toBe(32);
  });

  test("prints another one each time, in JSON as well", async () => {
    const printed = await Promise.all([1, 2, 3].map(() => runCommand(["secret", "--json"])));
    const secrets = printed.map(({ stdout }) => JSON.parse(stdout).secret as string);
    expect(new Set(secrets).size).toBe(3);
  });

  test("makes one that the configuration accepts, and needs no sound configuration itself", async () => {
    const { exitCode, stdout } = await runCommand(["secret"], { env: { PORT: "x" } });
    expect(exitCode).toBe(0);
    expect(weaknessOf(stdout.trim())).toBeNull();
    const env = { BETTER_AUTH_SECRET: stdout.trim(), DATABASE_URL: "postgres://user@localhost/auth" };
    expect((await runCommand(["config"], { env })).exitCode).toBe(0);
  });
});
