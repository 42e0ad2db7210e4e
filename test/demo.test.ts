import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "./support/free-port.ts";
import { temporaryDirectory } from "./support/reaper.ts";
import { buildExecutable } from "./support/executable.ts";

const main = join(import.meta.dir, "..", "demo", "main.ts");

/** What it says when it does not even begin. */
async function refusal(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}) {
  const child = Bun.spawn([process.execPath, main, "--data-dir", temporaryDirectory("demo"), ...args], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await child.stderr.text();
  return { status: await child.exited, stderr };
}

describe("bun run demo, test/ship/demo.test.ts aside", () => {
  test("names the port that is taken, and how to take another", async () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      using taken = Bun.listen({ hostname, port: 0, socket: { data: () => {} } });
      const { status, stderr } = await refusal([
        "--docs-port",
        String(freePort()),
        "--latchkey-port",
        String(taken.port),
      ]);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr:
          `Error: Port ${taken.port} is taken: another program listens there.\n` +
          `Try: end it (\`ss -ltnp 'sport = :${taken.port}'\` or \`lsof -i :${taken.port}\` shows which), ` +
          `or take another port: bun run demo --latchkey-port ${taken.port + 100}\n`,
      });
    }
  });

  test("says what is no option, and no port", async () => {
    const usage =
      "Try: bun run demo [--docs-port 3000] [--latchkey-port 3001] [--api-port 8000] [--data-dir data/demo]\n";
    const unknown = await refusal(["--port", "3001"]);
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toContain("--port");
    expect(unknown.stderr).toEndWith(usage);
    expect((await refusal(["--api-port", "http"])).stderr).toBe(
      `Error: --api-port takes a port from 1 to 65535, not http.\n${usage}`,
    );
    expect((await refusal(["--api-port", "3001"])).stderr).toBe(
      `Error: Each needs a port of its own.\n${usage}`,
    );
  });

  test("says how to get Python where there is none", async () => {
    await buildExecutable();
    const ports = ["--docs-port", freePort(), "--latchkey-port", freePort(), "--api-port", freePort()];
    const { status, stderr } = await refusal(ports.map(String), { PATH: temporaryDirectory("empty-path") });
    expect(status).toBe(1);
    expect(stderr).toStartWith("Error: The API, examples/fastapi, needs Python 3.11 or later:\n");
    expect(stderr).toContain("apt-get install python3 python3-venv");
    expect(stderr).toEndWith("\nTry: bun run demo, once that is mended\n");
  });
});
