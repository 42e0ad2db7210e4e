import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Server } from "bun";
import { temporaryDirectory } from "../support/reaper.ts";
import { runCommand } from "./run-command.ts";

const servers: Server<undefined>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

/** A server whose `/health` answers as told; anything else is 404. @returns its port. */
function serveHealth(answer: () => Response | Promise<Response>, hostname = "127.0.0.1"): string {
  const fetch = (request: Request) =>
    new URL(request.url).pathname === "/health" ? answer() : new Response("", { status: 404 });
  const server = Bun.serve({ port: 0, hostname, fetch });
  servers.push(server);
  return String(server.port);
}

/** Containers often have none. */
const hasIpv6Loopback = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

const ready = () => Response.json({ status: "ok" });

describe("latchkey healthcheck", () => {
  test("is done when /health of HOST and PORT answers 200", async () => {
    const PORT = serveHealth(ready);
    expect(await runCommand(["healthcheck"], { env: { PORT } })).toEqual({
      exitCode: 0,
      stdout: `http://127.0.0.1:${PORT}/health is ready\n`,
      stderr: "",
    });
  });

  test.each(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"])("asks loopback when HOST is %s", async (HOST) => {
    const PORT = serveHealth(ready, "127.0.0.1");
    const { exitCode, stdout } = await runCommand(["healthcheck", "--json"], { env: { HOST, PORT } });
    expect({ exitCode, printed: JSON.parse(stdout) }).toEqual({
      exitCode: 0,
      printed: { status: "ok", url: `http://127.0.0.1:${PORT}/health` },
    });
  });

  test.skipIf(!hasIpv6Loopback).each(["::", "::1"])(
    "reaches a server on IPv6 loopback alone when HOST is %s",
    async (HOST) => {
      const PORT = serveHealth(ready, "::1");
      const { exitCode, stdout } = await runCommand(["healthcheck"], { env: { HOST, PORT } });
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `http://[::1]:${PORT}/health is ready\n` });
    },
  );

  test.each([
    { what: "a missing secret", env: { DATABASE_URL: "postgres://user@db.example.com/auth" } },
    { what: "a weak secret", env: { BETTER_AUTH_SECRET: "short" } },
    {
      what: "missing trusted proxies",
      env: { BETTER_AUTH_URL: "https://auth.example.com", HOST: "0.0.0.0" },
    },
    { what: "an unknown name", env: { LATCHKEY_BOGUS: "1" } },
    { what: "contradicting lifetimes", env: { LATCHKEY_SESSION_MAX_AGE: "1h" } },
    {
      what: "a cookie domain that hangs on a refused URL",
      env: { BETTER_AUTH_URL: "http://auth.example.com", LATCHKEY_COOKIE_DOMAIN: "example.com" },
    },
  ])("is not stopped by $what", async ({ env }) => {
    const PORT = serveHealth(ready);
    expect((await runCommand(["config"], { env: { ...env, PORT } })).exitCode).toBe(2);
    expect((await runCommand(["healthcheck"], { env: { ...env, PORT } })).exitCode).toBe(0);
  });

  test.each([
    {
      what: "503",
      answer: () =>
        Response.json(
          { checks: { database: { status: "unavailable" }, migrations: { status: "ok" } } },
          { status: 503 },
        ),
      message: "answered 503: database unavailable",
    },
    { what: "a redirect", answer: () => Response.redirect("http://127.0.0.1:1/"), message: "answered 302" },
    { what: "204", answer: () => new Response(null, { status: 204 }), message: "answered 204" },
  ])("fails on $what", async ({ answer, message }) => {
    const PORT = serveHealth(answer);
    expect(await runCommand(["healthcheck"], { env: { PORT } })).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `Error: http://127.0.0.1:${PORT}/health ${message}\nTry: latchkey doctor\n`,
    });
  });

  test("fails when nothing listens, with the reason as JSON", async () => {
    const PORT = serveHealth(ready);
    await servers.pop()?.stop(true);
    const { exitCode, stdout, stderr } = await runCommand(["healthcheck", "--json"], { env: { PORT } });
    const message = `http://127.0.0.1:${PORT}/health cannot be reached (ECONNREFUSED)`;
    expect({ exitCode, printed: JSON.parse(stdout) }).toEqual({
      exitCode: 1,
      printed: { error: { message, remedy: "latchkey doctor" } },
    });
    expect(stderr).toBe(`Error: ${message}\nTry: latchkey doctor\n`);
  });

  test("gives up a server that never answers, after 3 s unless told otherwise", async () => {
    const PORT = serveHealth(() => new Promise<Response>(() => {}));
    const { exitCode, stderr } = await runCommand(["healthcheck", "--timeout", "100"], { env: { PORT } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("did not answer within 100 ms");
    expect((await runCommand(["healthcheck", "--help"])).stdout).toContain("(default: 3000)");
  });

  test.each(["", "/", "/health"])("takes --url, whatever HOST and PORT say: …%s", async (path) => {
    const url = `http://localhost:${serveHealth(ready, "localhost")}${path}`;
    const { exitCode } = await runCommand(["healthcheck", "--url", url], { env: { PORT: "1" } });
    expect(exitCode).toBe(0);
  });

  test("asks the server whose settings an option names, and takes no address beside it", async () => {
    const cwd = temporaryDirectory("settings");
    writeFileSync(join(cwd, "latchkey.env"), `PORT=${serveHealth(ready)}\n`);
    const place = ["--env-file", "latchkey.env"];
    expect((await runCommand(["healthcheck", ...place], { env: { PORT: "1" }, cwd })).exitCode).toBe(0);
    const both = await runCommand(["healthcheck", ...place, "--url", "http://127.0.0.1:1"], { cwd });
    expect(both.exitCode).toBe(1);
    expect(both.stderr).toContain("Try: keep one of them");
  });

  test("cannot know the port that PORT=0 became", async () => {
    const { exitCode, stderr } = await runCommand(["healthcheck"], { env: { PORT: "0" } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Try: latchkey healthcheck --url http://127.0.0.1:PORT");
  });

  test.each([
    ["--timeout", "0"],
    ["--timeout", "60001"],
    ["--timeout", "1.5"],
    ["--url", "localhost:3001"],
    ["--url", "ftp://localhost"],
    ["--url", "http://user:canary@localhost"],
  ])("refuses %s %s with exit status 2", async (option, value) => {
    const { exitCode, stdout, stderr } = await runCommand(["healthcheck", option, value]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("Try: latchkey healthcheck --help");
    expect(stderr).not.toContain("canary");
  });
});
