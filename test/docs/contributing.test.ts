import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { startProgram } from "../support/paste.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const { blocks } = readDocument("CONTRIBUTING.md");

/** A copy of the project with everything that CONTRIBUTING.md adds. */
function applyExamples(): string {
  const copy = temporaryDirectory("contributing");
  for (const name of ["src", "drizzle", "deploy", "package.json", "tsconfig.json"])
    cpSync(join(projectDirectory, name), join(copy, name), { recursive: true });
  symlinkSync(join(projectDirectory, "node_modules"), join(copy, "node_modules"));
  for (const { marker, code } of blocks) {
    const [, added, path = added, anchor] = /^(?:new: (\S+)|add: (\S+) before "(.+)")$/.exec(marker) ?? [];
    if (path === undefined) continue;
    if (anchor === undefined) writeFileSync(join(copy, path), code);
    else for (const file of new Bun.Glob(path).scanSync(copy)) insert(join(copy, file), anchor, code);
  }
  return copy;
}

/** Before the one line that begins like that. */
function insert(file: string, anchor: string, code: string): void {
  const lines = readFileSync(file, "utf8").split("\n");
  const places = lines.flatMap((line, at) => (line.trim().startsWith(anchor) ? [at] : []));
  expect([file, anchor, places.length]).toEqual([file, anchor, 1]);
  writeFileSync(file, lines.toSpliced(places[0] ?? 0, 0, code.trimEnd()).join("\n"));
}

describe("10-B7: the route, the setting and the page that CONTRIBUTING.md adds", () => {
  let copy: string;
  beforeAll(() => {
    copy = applyExamples();
  });

  test("are each there", () => {
    const added = blocks.flatMap(({ marker }) => /^(?:new|add): (\S+)/.exec(marker)?.[1] ?? []);
    expect(added.filter((path) => path === "src/routes.ts")).toHaveLength(1);
    expect(added).toContain("src/routes/page-routes.ts");
    expect(added).toContain("src/config/settings.ts");
  });

  test("satisfy the compiler", () => {
    const config = join(copy, "tsconfig.src.json");
    writeFileSync(config, JSON.stringify({ extends: "./tsconfig.json", include: ["src"] }));
    const { exitCode, stdout } = Bun.spawnSync([
      process.execPath,
      join(projectDirectory, "node_modules/typescript/bin/tsc"),
      "--noEmit",
      "--project",
      config,
    ]);
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
  });

  test("work", async () => {
    const url = `http://localhost:${freePort()}`;
    const env = { PORT: new URL(url).port, LATCHKEY_PING: "off" };
    const command = `${process.execPath} src/main.ts`;
    const server = await startProgram(command, { cwd: copy, url, env });
    const ping = await fetch(`${url}/ping`);
    expect([ping.status, await ping.json()]).toMatchObject([200, { status: "ok" }]);
    expect((await fetch(`${url}/ping`, { method: "POST" })).status).toBe(405);
    const page = await fetch(`${url}/about`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await page.text()).toContain("<h1>latchkey knows who is signed in.</h1>");
    const description = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(description.paths)).toContain("/ping");
    await server.stop();
    const config = Bun.spawnSync([process.execPath, "src/main.ts", "config"], {
      cwd: copy,
      env: { LATCHKEY_PING: "perhaps" },
    });
    expect([config.exitCode, config.stderr.toString()]).toEqual([
      2,
      expect.stringMatching(/LATCHKEY_PING.*"perhaps"/),
    ]);
  });
});
