import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { buildExecutable, runLatchkey } from "../support/executable.ts";
import { temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { startTestserver } from "../support/testserver.ts";
import { within } from "../support/within.ts";

const endTimeoutMs = 10_000;

describe("the end of a testserver", () => {
  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("by %s leaves nothing behind", async (signal) => {
    const server = await startTestserver();
    expect(existsSync(server.directory)).toBe(true);
    process.kill(server.pid, signal);
    expect(await server.exited).toBe(0);
    expect(readdirSync(server.temporary)).toEqual([]);
  });

  test("comes when its stdin is closed", async () => {
    const server = await startTestserver();
    await server.closeStdin();
    expect(await within(server.exited, endTimeoutMs)).toBe(0);
    expect(readdirSync(server.temporary)).toEqual([]);
    expect(server.stderr()).toContain('"signal":"stdin closed"');
  });

  test("comes when what started it is killed, which cannot say so", async () => {
    const temporary = temporaryDirectory("orphan");
    // It has /dev/null as stdin, and as stdout and stderr pipes of ours, which close at its own end.
    const script = `"$0" testserver --json < /dev/null & echo "started"; wait`;
    const parent = Bun.spawn(["/bin/sh", "-c", script, await buildExecutable()], {
      env: { TMPDIR: temporary },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const logged = new Response(parent.stderr).text();
    let said = "";
    const decoder = new TextDecoder();
    for await (const chunk of parent.stdout) {
      const isListening = said.includes('"url"');
      said += decoder.decode(chunk, { stream: true });
      if (isListening || !said.includes('"url"')) continue;
      expect(readdirSync(temporary)).toHaveLength(1);
      watchProcess(JSON.parse(said.slice(said.indexOf("{"))).pid, "KILL");
      parent.kill("SIGKILL");
      await parent.exited;
    }
    expect(said).toContain("started");
    expect(await logged).toContain('"signal":"parent ended"');
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("does not come of a stdin that was closed before", async () => {
    const temporary = temporaryDirectory("closed");
    // What `true` was to write has ended by the time that the server starts.
    const script = `true | (sleep 0.3; exec "$0" testserver --json)`;
    const child = Bun.spawn(["/bin/sh", "-c", script, await buildExecutable()], {
      env: { TMPDIR: temporary, PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const { value } = await child.stdout.getReader().read();
    const { url, pid } = JSON.parse(new TextDecoder().decode(value));
    // Longer than it takes to look.
    await Bun.sleep(1_000);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    process.kill(pid, "SIGTERM");
    await child.exited;
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("comes after a start that fails, too", async () => {
    const server = await startTestserver();
    const temporary = temporaryDirectory("taken");
    const env = { TMPDIR: temporary, PORT: String(server.port) };
    const { stdout, stderr, exitCode } = await runLatchkey(["testserver"], { env });
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain(`Error: port ${server.port} on 127.0.0.1 is in use\nTry: `);
    expect(readdirSync(temporary)).toEqual([]);
    await server.stop();
  });
});
