import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OTHER_SECRET, STRONG_SECRET } from "../config/load.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { freshPlace, runCommand } from "./run-command.ts";

setDefaultTimeout(30_000);

const commands = [
  ["config"],
  ["doctor"],
  ["migrate", "--status"],
  ["migrate"],
  ["healthcheck", "--timeout", "200"],
  ["version"],
];
const canary = "CaNaRy7";
const strong = `${canary}${STRONG_SECRET}`;

/** Everything that every command prints, as text and as JSON. */
async function printedBy(env: Readonly<Record<string, string>>, cwd: string): Promise<string> {
  const outputs: string[] = [];
  for (const command of commands) {
    for (const argv of [command, [...command, "--json"]]) {
      const { stdout, stderr } = await runCommand(argv, { env: { PORT: "1", ...env }, cwd });
      outputs.push(stdout, stderr);
    }
  }
  return outputs.join("\n");
}

describe("S61: the commands", () => {
  test.each<readonly [string, Readonly<Record<string, string>>]>([
    ["a strong secret", { BETTER_AUTH_SECRET: strong }],
    ["a weak secret", { BETTER_AUTH_SECRET: canary }],
    ["a ring", { BETTER_AUTH_SECRETS: `2:${strong},1:${canary}` }],
    ["contradicting secrets", { BETTER_AUTH_SECRET: strong, BETTER_AUTH_SECRETS: `1:${OTHER_SECRET}` }],
    ["a secret's file", { BETTER_AUTH_SECRET_FILE: "key" }],
    ["a secret as the file's name", { BETTER_AUTH_SECRET_FILE: strong }],
    [
      "a password of a server that is away",
      { DATABASE_URL: `postgres://user:${canary}@127.0.0.1:1/auth`, BETTER_AUTH_SECRET: strong },
    ],
    [
      "a password of a Neon server that is away",
      {
        DATABASE_URL: `postgres://user:${canary}@ep-x.neon.tech/auth`,
        LATCHKEY_NEON_PROXY: "ws://127.0.0.1:1/v2",
        BETTER_AUTH_SECRET: strong,
      },
    ],
    ["a password in a refused URL", { DATABASE_URL: `mysql://user:${canary}@db.example.com/auth` }],
    ["a password in the base URL", { BETTER_AUTH_URL: `https://user:${canary}@auth.example.com` }],
  ])("never print %s", async (_, env) => {
    const { cwd } = freshPlace();
    writeFileSync(join(cwd, "key"), `${strong}\n`);
    const printed = await printedBy(env, cwd);
    expect(printed).not.toContain(canary);
    expect(printed).not.toContain(STRONG_SECRET);
    // It was reached: the commands said something about the variable.
    for (const name of Object.keys(env)) expect(printed).toContain(name.replace(/_FILE$/, ""));
  });

  test("never print the generated secret", async () => {
    const { cwd, dataDir } = freshPlace();
    await runCommand(["migrate"], { cwd });
    const secret = readFileSync(join(dataDir, "secret"), "utf8").trim();
    expect(await printedBy({}, cwd)).not.toContain(secret);
  });

  test.each(dialects)("never print a wrong or right password on %s", async (dialect) => {
    const { env, url, close } = await openTestDatabase(dialect);
    const { cwd } = freshPlace();
    try {
      const printed = await printedBy(env, cwd);
      expect(printed).not.toContain(env["BETTER_AUTH_SECRET"] ?? "");
      if (dialect === "sqlite") return;
      expect(printed).not.toContain(new URL(url).password);
      const wrong = new URL(url);
      wrong.password = canary;
      const refused = await printedBy({ ...env, DATABASE_URL: wrong.href }, cwd);
      expect(refused).toContain("password authentication failed");
      expect(refused).not.toContain(canary);
    } finally {
      await close();
    }
  });
});
