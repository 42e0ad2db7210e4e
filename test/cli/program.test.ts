import { describe, expect, test } from "bun:test";
import { settingList } from "../../src/config/settings.ts";
import { runCommand } from "./run-command.ts";

const commands = [
  "serve",
  "migrate",
  "doctor",
  "config",
  "healthcheck",
  "secret",
  "testserver",
  "version",
  "backup",
  "restore",
  "upgrade",
  "users",
  "invite",
  "mail",
  "passwords",
  "events",
  "install",
  "uninstall",
] as const;

describe("the command line", () => {
  test.each(["--version", "-V", "version"])("prints the version for %s", async (argument) => {
    expect(await runCommand([argument])).toEqual({ exitCode: 0, stdout: "latchkey 1.2.3\n", stderr: "" });
  });

  test.each(["--json", "--env-file", "--unit", "--pid"])(
    "names %s once in the help of what users can do",
    async (option) => {
      const { stdout } = await runCommand(["users", "create", "--help"]);
      expect(stdout.match(new RegExp(`^ +${option} `, "gm"))).toHaveLength(1);
    },
  );

  test.each([{ argv: ["version", "--json"] }, { argv: ["--json", "version"] }])(
    "takes --json on either side of the command: $argv",
    async ({ argv }) => {
      const { exitCode, stdout, stderr } = await runCommand(argv);
      expect({ exitCode, stderr, printed: JSON.parse(stdout) }).toEqual({
        exitCode: 0,
        stderr: "",
        printed: { version: "1.2.3", bun: Bun.version },
      });
    },
  );

  test.each([
    { argv: ["bogus"], message: "unknown command 'bogus'", remedy: "latchkey --help" },
    {
      argv: ["migrat"],
      message: "unknown command 'migrat' (did you mean migrate?)",
      remedy: "latchkey --help",
    },
    { argv: ["help", "bogus"], message: "unknown command 'bogus'", remedy: "latchkey --help" },
    { argv: ["--bogus"], message: "unknown option '--bogus'", remedy: "latchkey --help" },
    {
      argv: ["config", "--jsn"],
      message: "unknown option '--jsn' (Did you mean --json?)",
      remedy: "latchkey config --help",
    },
    {
      argv: ["secret", "extra"],
      message: "too many arguments for 'secret'. Expected 0 arguments but got 1: extra.",
      remedy: "latchkey secret --help",
    },
  ])("refuses $argv with exit status 2", async ({ argv, message, remedy }) => {
    expect(await runCommand(argv)).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `Error: ${message}\nTry: ${remedy}\n`,
    });
  });

  test("prints a usage error as JSON too when asked to", async () => {
    const { exitCode, stdout, stderr } = await runCommand(["bogus", "--json"]);
    expect({ exitCode, printed: JSON.parse(stdout) }).toEqual({
      exitCode: 2,
      printed: { error: { message: "unknown command 'bogus'", remedy: "latchkey --help" } },
    });
    expect(stderr).toStartWith("Error: unknown command");
  });

  test("serves by default, and says every problem of its configuration", async () => {
    const env = { PORT: "x", LATCHKEY_SIGN_UP: "maybe" };
    const { exitCode, stdout, stderr } = await runCommand(["--json"], { env });
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).problems.map((problem: { variable: string }) => problem.variable)).toEqual([
      "PORT",
      "LATCHKEY_SIGN_UP",
    ]);
    expect(stderr).toMatch(/^Error: PORT: .*\nTry: .*\nError: LATCHKEY_SIGN_UP: .*\nTry: .*\n$/);
  });
});

describe("help", () => {
  test("lists every command, the configuration and the documents", async () => {
    const { exitCode, stdout, stderr } = await runCommand(["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const [, listed = ""] = /Commands:\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
    const names = [...listed.matchAll(/^ {2}(\w+)/gm)].map((match) => match[1] ?? "");
    expect(names).toEqual([...commands, "help"]);
    expect(stdout).toContain("Configuration comes from the environment");
    expect(stdout).toContain("README.md");
  });

  test("names only variables that are read", async () => {
    const texts = await Promise.all([[], ...commands.map((name) => [name])].map(helpOf));
    const named = texts.join("\n").match(/\b(?:PORT|HOST|[A-Z]+(?:_[A-Z]+)+)\b/g) ?? [];
    const known: readonly string[] = settingList.map(({ name }) => name);
    expect(named.filter((name) => !known.includes(name) && name !== "FILE")).toEqual([]);
    expect(named.length).toBeGreaterThan(6);
  });

  test.each(commands)("of %s goes to stdout and offers --json", async (name) => {
    const { exitCode, stdout, stderr } = await runCommand([name, "--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toStartWith(`Usage: latchkey ${name} [options]`);
    expect(stdout).toContain("--json");
    expect(stdout).toContain("With --json");
    expect((await runCommand(["help", name])).stdout).toBe(stdout);
  });

  test.each([
    { argv: ["invite", "list"], usage: "latchkey invite list [options]", keys: ["invitations", "expiresAt"] },
    { argv: ["invite", "withdraw"], usage: "latchkey invite withdraw [options] <id>", keys: ["id"] },
    { argv: ["secret", "rotate"], usage: "latchkey secret rotate [options]", keys: ["secrets", "dropFrom"] },
  ])("of $argv is its own, and tells the keys of its JSON", async ({ argv, usage, keys }) => {
    const text = await helpOf(argv);
    expect(text).toStartWith(`Usage: ${usage}\n`);
    const claimed = text.split("With --json").slice(1).join("");
    for (const key of keys) expect(claimed).toContain(`"${key}":`);
    expect(await helpOf(argv.slice(0, 1))).toMatch(new RegExp(`^ {2}${argv[1]} `, "m"));
  });

  test.each([
    { argv: ["version"], keys: ["version", "bun"] },
    { argv: ["secret"], keys: ["secret"] },
    { argv: ["migrate"], keys: ["driver", "applied"] },
    { argv: ["doctor"], keys: ["status", "checks"] },
  ])("tells the keys of the JSON that $argv prints", async ({ argv, keys }) => {
    const { stdout } = await runCommand([...argv, "--json"]);
    expect(Object.keys(JSON.parse(stdout))).toEqual([...keys]);
    const claimed = (await helpOf(argv)).split("With --json").slice(1).join("");
    for (const key of keys) expect(claimed).toContain(`"${key}":`);
  });
});

async function helpOf(argv: readonly string[]): Promise<string> {
  return (await runCommand([...argv, "--help"])).stdout;
}
