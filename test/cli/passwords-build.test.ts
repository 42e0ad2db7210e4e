import { describe, expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFilterFile } from "../../src/auth/breached/filter-file.ts";
import { createProgress } from "../../src/cli/import/progress.ts";
import { openRangeServer, sha1Digits, sha1Of } from "../support/range-server.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { diagnoseBy } from "./doctor-run.ts";
import { runCommand } from "./run-command.ts";

const words = ["P@ssw0rd1!", "letmein2024", "correct horse battery staple"];
const listOf = (texts: readonly string[]) =>
  texts.map((text, at) => `${sha1Digits(text)}:${at + 1}\r\n`).join("");

function place(list = listOf(words)) {
  const cwd = temporaryDirectory("passwords");
  writeFileSync(join(cwd, "list.txt"), list);
  const build = (...args: string[]) => runCommand(["passwords", "build", ...args], { cwd });
  return { cwd, build, file: join(cwd, "breached.filter") };
}

describe("latchkey passwords build", () => {
  test("makes a file in which each password of the list is found", async () => {
    const { build, file, cwd } = place();
    expect(await build("list.txt", "breached.filter")).toEqual({
      exitCode: 0,
      stdout: `${file}: 3 hashes of 3 lines, 8192 bytes\n`,
      stderr: "",
    });
    expect(readdirSync(cwd).toSorted()).toEqual(["breached.filter", "list.txt"]);
    const opened = openFilterFile(file);
    for (const word of words) expect(await opened.has(sha1Of(word))).toBe(true);
    expect(await opened.has(sha1Of("another"))).toBe(false);
    await opened.close();
  });

  test("leaves out what was seen less often than --min-count, and prints JSON", async () => {
    const { build, file } = place();
    const { exitCode, stdout } = await build("list.txt", file, "--min-count", "2", "--json");
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      { path: file, lines: 3, hashes: 2, minCount: 2, bytes: 8_192 },
    ]);
    expect((await runCommand(["passwords", "build", "--help"])).stdout).toContain(
      '{"path":…,"lines":…,"hashes":…,"minCount":…,"bytes":…}',
    );
  });

  test.each([
    ["a bad line", `${listOf(words)}hunter2\n`, "line 4: is not a SHA-1 hash"],
    ["a list of NTLM hashes", `${"A".repeat(32)}:1\n`, "line 1: has an NTLM hash"],
    ["a list without a line", "", "the list has no lines"],
    ["blank lines alone", "\n\n", "none of the 2 lines has a hash"],
  ])("leaves nothing of %s, with exit status 2", async (_, list, message) => {
    const { build, cwd } = place(list);
    const { exitCode, stdout, stderr } = await build("list.txt", "breached.filter");
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(`Error: ${message}`)]);
    expect(stderr).toMatch(/\nTry: .+\n$/);
    expect(stderr).not.toContain("hunter2");
    expect(readdirSync(cwd)).toEqual(["list.txt"]);
    const asked = await build("list.txt", "breached.filter", "--json");
    expect([asked.exitCode, JSON.parse(asked.stdout).error.message]).toEqual([
      2,
      expect.stringContaining(message),
    ]);
  });

  test("overwrites nothing, and of two at once one makes it", async () => {
    const { build, file, cwd } = place();
    writeFileSync(file, "mine");
    const taken = {
      exitCode: 2,
      stderr: expect.stringContaining("is there already, and is not overwritten"),
    };
    expect(await build("list.txt", file)).toMatchObject(taken);
    expect(readFileSync(file, "utf8")).toBe("mine");
    const both = await Promise.all([build("list.txt", "one"), build("list.txt", "one")]);
    expect(both.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 2]);
    expect(both.find(({ exitCode }) => exitCode === 2)).toMatchObject(taken);
    expect(readdirSync(cwd).toSorted()).toEqual(["breached.filter", "list.txt", "one"]);
  });

  test.each([
    [["missing.txt", "x"], 2, "there is no file"],
    [[".", "x"], 2, "is a folder"],
    [["list.txt", "nowhere/x"], 1, "ENOENT"],
    [["list.txt", "x", "--min-count", "0"], 2, "It is no whole number from 1"],
    [["list.txt"], 2, "missing required argument 'file'"],
  ])("refuses %j", async (args, status, message) => {
    const { build, cwd } = place();
    const { exitCode, stderr } = await build(...args);
    expect([exitCode, stderr]).toEqual([status, expect.stringContaining(message)]);
    expect(readdirSync(cwd)).toEqual(["list.txt"]);
  });

  test("says how far it is, in lines", () => {
    const shown: string[] = [];
    let at = 0;
    const progress = createProgress(
      { isTerminal: true, prompt: (text) => shown.push(text) },
      () => at,
      "lines",
    );
    at = 1_000;
    progress.show(4_000_000, 0.415);
    progress.end();
    expect(shown).toEqual(["\r41 %, 4000000 lines, 4000000 a second\x1b[K", "\n"]);
  });

  test.each([[], ["rebuild"]])("is all that `latchkey passwords` does: %j", async (...words) => {
    const { exitCode, stderr } = await runCommand(["passwords", ...words]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringMatching(/name what to do: build|unknown command 'passwords rebuild'/),
    ]);
  });
});

describe("doctor's check of breached passwords", () => {
  const name = "breached passwords";

  test("is not there where they are not looked up", async () => {
    expect((await diagnoseBy({ env: {} })).checks.some((check) => check.name === name)).toBe(false);
  });

  test("tells whether the range API answers, which a server does without", async () => {
    const server = openRangeServer([]);
    const env = { LATCHKEY_PASSWORD_BREACHED: "api", LATCHKEY_PASSWORD_BREACHED_URL: server.url };
    const well = (await diagnoseBy({ env })).only(name);
    expect(well).toEqual({
      name,
      status: "ok",
      detail: expect.stringMatching(/\/range answered within \d+ ms, with a range of 800 hashes$/),
    });
    expect(server.asked.map(({ prefix }) => prefix)).toEqual(["5BAA6"]);
    server.behave("page");
    expect((await diagnoseBy({ env })).only(name)).toMatchObject({
      status: "warning",
      detail: expect.stringContaining(
        "the answer is no range of hashes; while that is so, every new password is taken",
      ),
    });
    await server.stop();
    expect((await diagnoseBy({ env })).only(name).status).toBe("warning");
  });

  test("reads all of the file", async () => {
    const { build, file, cwd } = place();
    await build("list.txt", file, "--min-count", "2");
    const env = { LATCHKEY_PASSWORD_BREACHED: "file", LATCHKEY_PASSWORD_BREACHED_FILE: "breached.filter" };
    expect((await diagnoseBy({ env, cwd })).only(name)).toEqual({
      name,
      status: "ok",
      detail: `${file} has 2 hashes, seen 2 times or more; all of its 8192 bytes are sound`,
    });
    const bytes = readFileSync(file);
    bytes.writeUInt8(1, 5_000);
    writeFileSync(file, bytes);
    const damaged = await diagnoseBy({ env, cwd });
    expect([damaged.exitCode, damaged.only(name)]).toEqual([
      1,
      {
        name,
        status: "failure",
        detail: `LATCHKEY_PASSWORD_BREACHED_FILE: ${file} is damaged: page 1 of 1 is not as it was written`,
        remedy: expect.stringContaining("latchkey passwords build"),
      },
    ]);
  });

  test("says what is wrong with the setting", async () => {
    const env = { LATCHKEY_PASSWORD_BREACHED: "file" };
    expect((await diagnoseBy({ env })).only(name)).toMatchObject({
      status: "failure",
      detail: expect.stringContaining("LATCHKEY_PASSWORD_BREACHED_FILE is not set"),
    });
  });
});
