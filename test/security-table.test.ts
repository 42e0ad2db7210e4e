import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./support/reaper.ts";
import { judge, numbersIn, readRequirements, readTrials, renderTable, untried } from "./security-table.ts";

test("a number is found as a word of a name, once", () => {
  const found = [
    "S13: 101 guesses",
    "on neon > S10, S11: one answer, S10 too",
    "C12, S66: a log reader",
    "XS1, S100, S0, S1x, S-1 and SHA",
  ].map(numbersIn);
  expect(found).toEqual([["S13"], ["S10", "S11"], ["S66"], []]);
});

test("the checklist has ninety requirements", () => {
  const requirements = readRequirements(
    readFileSync(join(import.meta.dir, "../docs/security-checklist.md"), "utf8"),
  );
  expect(requirements.map(({ number }) => number)).toEqual(
    Array.from({ length: 90 }, (_, at) => `S${at + 1}`),
  );
  expect(requirements[9]?.text).toStartWith("an unknown e-mail and a wrong password get the same bytes");
});

describe("a run of bun test", () => {
  /** Runs the file with the real reporter. @returns the report. */
  async function report(text: string): Promise<string> {
    const directory = temporaryDirectory("table");
    await Bun.write(join(directory, "a.test.ts"), text);
    const args = ["test", "--parallel=2", "--reporter=junit", "--reporter-outfile=report.xml"];
    const run = Bun.spawn([process.execPath, ...args], {
      cwd: directory,
      stdio: ["ignore", "ignore", "ignore"],
    });
    await run.exited;
    return await Bun.file(join(directory, "report.xml")).text();
  }

  test("is read with its names and outcomes, whatever stands in them", async () => {
    const junit = await report(`
      import { beforeAll, describe, expect, test } from "bun:test";
      describe("S1: <a> & \\"b\\"", () => {
        describe.each(["sqlite", "neon"])("on %s", () => test("&lt; </testcase><failure> 'c'", () => {}));
      });
      test("S2: fails", () => { throw new Error("<skipped />"); });
      test.skip("S3: skipped", () => {});
      test("late", async () => { await Bun.sleep(500); }, 5);
      describe("S4: a hook", () => { beforeAll(() => { throw new Error("no"); }); test("x", () => {}); });
      test("last\\n", () => {});
    `);
    expect(readTrials(junit).map(({ name, file, outcome }) => [name, file, outcome])).toEqual([
      [`on sqlite > S1: <a> & "b" > &lt; </testcase><failure> 'c'`, "a.test.ts", "passed"],
      [`on neon > S1: <a> & "b" > &lt; </testcase><failure> 'c'`, "a.test.ts", "passed"],
      ["S2: fails", "a.test.ts", "failed"],
      ["S3: skipped", "a.test.ts", "skipped"],
      ["late", "a.test.ts", "failed"],
      ["S4: a hook > (unnamed)", "a.test.ts", "failed"],
      ["last\n", "a.test.ts", "passed"],
    ]);
  });
});

describe("the table", () => {
  const requirement = (number: string) => ({ number, text: `text of ${number}` });
  const trial = (
    name: string,
    outcome: "passed" | "failed" | "skipped" = "passed",
    file = "test/a.test.ts",
  ) => ({
    name,
    file,
    outcome,
  });
  const resultOf = (number: string, ...trials: ReturnType<typeof trial>[]) =>
    judge([requirement(number)], trials)[0]?.result;

  // No name here carries a number: this file is in the table's run as well.
  test.each([
    ["one test that passed", "held", [trial("S1: x")]],
    ["one that failed", "failed", [trial("S1: x"), trial("S1: y", "failed")]],
    ["one skipped, one failed", "failed", [trial("S1: x", "skipped"), trial("S1: y", "failed")]],
    ["one that was skipped", "not tried", [trial("S1: x"), trial("S1: y", "skipped")]],
    ["another number's", "not tried", [trial("S10: x")]],
  ] as const)("with %s says %s", (_what, result, trials) => {
    expect(resultOf("S1", ...trials)).toBe(result);
  });

  test("names those that must have a test and have none", () => {
    const verdicts = judge(["S1", "S2", "S3", "S12", "S18"].map(requirement), [
      trial("S1: x"),
      trial("S3: x", "failed"),
    ]);
    expect(untried(verdicts).map(({ number }) => number)).toEqual(["S2", "S12", "S18"]);
  });

  test("has a line for each, with files, databases and result", () => {
    const trials = [
      trial("limits on sqlite > S1: x"),
      trial("limits on neon > S1: x"),
      trial("a lost PostgreSQL > S1: y", "passed", "test/e2e/b.test.ts"),
      trial("S2: postgres://neon.tech is not sqlite://x, nor x.neon.tech"),
    ];
    expect(renderTable(judge(["S1", "S2", "S18"].map(requirement), trials))).toBe(
      [
        "2 of 3 hold",
        "",
        "| number | requirement | tests | databases | result |",
        "| --- | --- | --- | --- | --- |",
        "| S1 | text of S1 | a.test.ts (2)<br>e2e/b.test.ts (1) | sqlite, postgres, neon | held |",
        "| S2 | text of S2 | a.test.ts (1) | – | held |",
        `| S18 | text of S18 | – | – | not tried |`,
        "",
      ].join("\n"),
    );
  });
});
