import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };

const project = join(import.meta.dir, "..");
const exact = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

interface Lockfile {
  readonly workspaces: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly packages: Readonly<Record<string, readonly unknown[]>>;
}

/** It has commas behind the last of each, which JSON has not. */
const lockfile = async () => Bun.JSONC.parse(await Bun.file(join(project, "bun.lock")).text()) as Lockfile;

describe("S89: what is built from", () => {
  test("is named by one version each, and the lockfile agrees", async () => {
    const { workspaces } = await lockfile();
    for (const kind of ["dependencies", "devDependencies"] as const) {
      const wanted: Readonly<Record<string, string>> = packageJson[kind];
      expect(Object.entries(wanted).filter(([, version]) => !exact.test(version))).toEqual([]);
      expect(workspaces[""]?.[kind]).toEqual(wanted);
    }
    expect(packageJson.packageManager).toBe(`bun@${packageJson.engines.bun}`);
  });

  test("comes from the registry by its hash, every package of the lockfile", async () => {
    const packages = Object.entries((await lockfile()).packages);
    expect(packages.length).toBeGreaterThan(100);
    const loose = packages.filter(([, [name, registry, , hash]]) => {
      const version = String(name).slice(String(name).lastIndexOf("@") + 1);
      return !exact.test(version) || registry !== "" || !/^sha512-[\w+/]{86}==$/.test(String(hash));
    });
    expect(loose).toEqual([]);
  });

  test("is installed as the lockfile says, or not at all, by every script that installs", () => {
    const installing = Object.entries(packageJson.scripts).filter(([, script]) => script.includes("install"));
    expect(installing.map(([name]) => name)).toContain("start");
    expect(installing.filter(([, script]) => !script.includes("bun install --frozen-lockfile "))).toEqual([]);
  });
});
