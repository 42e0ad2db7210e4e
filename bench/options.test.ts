import { describe, expect, test } from "bun:test";
import { isChosen, parseOptions } from "./options.ts";

const workloads = { bench: ["verify", "peers"], scale: ["postgres"] };

function chosen(...argv: string[]): string[] {
  const options = parseOptions(argv, workloads);
  const all = [{ name: "verify" }, { name: "peers", onDemand: true }];
  return all.filter((workload) => isChosen(options, workload)).map(({ name }) => name);
}

describe("isChosen", () => {
  test.each([
    [[], ["verify"]],
    [["--peers"], ["verify", "peers"]],
    [["--only", "peers"], ["peers"]],
    [["--only", "verify"], ["verify"]],
    [
      ["--only", "verify", "--peers"],
      ["verify", "peers"],
    ],
  ])("by %j takes %j", (argv, names) => {
    expect(chosen(...argv)).toEqual(names);
  });
});

describe("parseOptions", () => {
  test.each([
    [[], "full"],
    [["--peers"], "full"],
    [["--only", "peers"], "peers"],
    [["--only", "peers,verify"], "partial"],
    [["--only", "peers", "--quick"], "quick"],
    [["--only", "peers", "--name", "mine"], "mine"],
    [["--scale"], "scale"],
    [["--scale", "--quick"], "scale-quick"],
  ])("names the results of %j %s", (argv, name) => {
    expect(parseOptions(argv, workloads).name).toBe(name);
  });

  test("refuses a workload that is not there", () => {
    expect(() => parseOptions(["--only", "nothing"], workloads)).toThrow("no workload nothing");
    expect(() => parseOptions(["--scale", "--only", "verify"], workloads)).toThrow("no workload verify");
  });
});
