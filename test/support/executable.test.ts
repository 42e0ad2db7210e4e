import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runLatchkey, spawnLatchkey } from "./executable.ts";
import { temporaryDirectory } from "./reaper.ts";

/** A program that stands in for latchkey: `body` runs under the Bun that runs the tests. */
function program(body: string): string {
  const path = join(temporaryDirectory("program"), "latchkey");
  writeFileSync(path, `#!${process.execPath}\n${body}`);
  chmodSync(path, 0o755);
  return path;
}

const listening = `
  const server = Bun.serve({ hostname: "127.0.0.1", port: Number(process.env.PORT), fetch: () => Response.json({ env: process.env, cwd: process.cwd(), args: process.argv.slice(2) }) });
  console.log("not JSON");
  console.error(JSON.stringify({ level: 30, event: "listening", msg: "listening", url: server.url.href, baseUrl: "https://auth.example.com" }));
`;

describe("spawnLatchkey", () => {
  test("gives it nothing but the environment asked for, and an empty directory", async () => {
    const executable = program(listening);
    const latchkey = await spawnLatchkey({ executable, env: { LOG_LEVEL: "debug" }, args: ["serve"] });
    const received = await (await fetch(latchkey.url)).json();
    expect(received).toEqual({
      env: { PORT: "0", LATCHKEY_LIMITS: "off", LOG_LEVEL: "debug" },
      cwd: latchkey.dir,
      args: ["serve"],
    });
    expect(readdirSync(latchkey.dir)).toEqual([]);
    await latchkey.kill();
  });

  test("tells where it listens, its public origin and its logs", async () => {
    const latchkey = await spawnLatchkey({ executable: program(listening), env: {} });
    expect(latchkey.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(latchkey.origin).toBe("https://auth.example.com");
    expect(latchkey.logs()).toEqual([expect.objectContaining({ event: "listening", level: 30 })]);
    await latchkey.kill();
    expect(latchkey.stdout()).toBe("not JSON\n");
    expect(await latchkey.exited).toBe(128 + 9);
  });

  test("stops it by SIGTERM and returns its exit code and last words", async () => {
    const executable = program(`
      process.on("SIGTERM", () => { console.error('{"event":"stopped"}'); process.exit(3); });
      ${listening}`);
    const latchkey = await spawnLatchkey({ executable, env: {} });
    expect(await latchkey.stop()).toBe(3);
    expect(latchkey.logs().at(-1)).toEqual({ event: "stopped" });
    expect(fetch(latchkey.url)).rejects.toThrow();
  });

  test("fails with what it wrote when it exits before it listens", async () => {
    const executable = program(`console.error("Error: no database"); process.exit(2);`);
    const message = await spawnLatchkey({ executable, env: {} }).then(
      () => "started",
      (error: Error) => error.message,
    );
    expect(message).toContain("exited with 2");
    expect(message).toContain("Error: no database");
  });

  test("fails with what it wrote when it never listens, and ends it", async () => {
    const directory = temporaryDirectory("silent");
    const executable = program(
      `require("node:fs").writeFileSync("pid", String(process.pid)); console.log("thinking"); setInterval(() => {}, 1000);`,
    );
    const message = await spawnLatchkey({ executable, env: {}, cwd: directory, readyTimeoutMs: 500 }).then(
      () => "started",
      (error: Error) => error.message,
    );
    expect(message).toContain("was not listening after 500 ms");
    expect(message).toContain("thinking");
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  test("is ended when its test process is killed", async () => {
    const executable = program(listening);
    const script = `import { spawnLatchkey } from ${JSON.stringify(join(import.meta.dir, "executable.ts"))};
      const { url, pid, dir } = await spawnLatchkey({ executable: ${JSON.stringify(executable)}, env: {} });
      console.log(JSON.stringify({ url, pid, dir }));`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stdin: "ignore" });
    const { value } = await child.stdout.getReader().read();
    const { url, dir } = JSON.parse(new TextDecoder().decode(value));
    expect((await fetch(url)).status).toBe(200);
    child.kill("SIGKILL");
    const deadline = Date.now() + 10_000;
    const answers = () =>
      fetch(url).then(
        () => true,
        () => false,
      );
    while (((await answers()) || existsSync(dir)) && Date.now() < deadline) await Bun.sleep(20);
    expect([await answers(), existsSync(dir)]).toEqual([false, false]);
  });
});

describe("runLatchkey", () => {
  test("passes arguments, environment and input, and returns what it wrote", async () => {
    const executable = program(`
      console.log(JSON.stringify({ env: process.env, args: process.argv.slice(2), input: await Bun.stdin.text() }));
      console.error("talk");
      process.exit(1);`);
    const result = await runLatchkey(["users", "list"], { executable, env: { A: "1" }, stdin: "secret\n" });
    expect(result).toEqual({
      exitCode: 1,
      stdout: `${JSON.stringify({ env: { A: "1" }, args: ["users", "list"], input: "secret\n" })}\n`,
      stderr: "talk\n",
    });
  });

  test("appends everything to the file LATCHKEY_TEST_LOG names", async () => {
    const log = join(temporaryDirectory("log"), "all.log");
    const script = `import { runLatchkey } from ${JSON.stringify(join(import.meta.dir, "executable.ts"))};
      await runLatchkey([], { executable: ${JSON.stringify(program(`console.log("data"); console.error("talk");`))} });`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      env: { LATCHKEY_TEST_LOG: log },
      stdin: "ignore",
    });
    expect(await child.exited).toBe(0);
    expect(readFileSync(log, "utf8").split("\n").toSorted()).toEqual(["", "data", "talk"]);
  });
});
