import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const signUp = (url: string, email: string) =>
  fetch(`${url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: "correct horse battery", name: "Signal" }),
  });

/** A keep-alive connection that has had its answer and stays. */
async function idleConnection(url: string) {
  const { hostname, port } = new URL(url);
  const answered = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { data: () => answered.resolve(), close: () => closed.resolve() },
  });
  socket.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await answered.promise;
  return { closed: closed.promise, end: () => socket.end() };
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  test("lets the requests under way finish, waits for no idle connection, and exits 0", async () => {
    const server = await spawnLatchkey({ env: {} });
    const idle = await idleConnection(server.url);
    const answers = [1, 2, 3, 4].map((index) => signUp(server.url, `s${index}@example.com`));
    // Under way: the first has been answered, the others wait for their hash.
    await answers[0];
    process.kill(server.pid, signal);
    const statuses = (await Promise.all(answers)).map((answer) => answer.status);
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(await server.exited).toBe(0);
    await idle.closed;
    expect(server.logs().map((line) => line["event"])).toContain("draining");
    expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "drained" });
    const again = await spawnLatchkey({ env: {}, cwd: server.dir });
    const verified = await signUp(again.url, "s4@example.com");
    expect(verified.status).toBe(422);
    expect(await again.stop()).toBe(0);
  });

  test("a second time ends at once", async () => {
    const server = await spawnLatchkey({ env: {} });
    // A request whose body never ends keeps the drain waiting.
    const { hostname, port } = new URL(server.url);
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data: () => {} } });
    socket.write(
      "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
    );
    await fetch(`${server.url}/health/live`);
    process.kill(server.pid, signal);
    while (!server.logs().some((line) => line["event"] === "draining")) await Bun.sleep(5);
    process.kill(server.pid, signal);
    expect(await server.exited).toBe(1);
    expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "second signal" });
    socket.end();
  });
});
