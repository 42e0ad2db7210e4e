import { afterEach, describe, expect, test } from "bun:test";
import { type LoadSpec, problemsOf } from "./protocol.ts";
import { runLoad } from "./run-load.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const requests = ["/a", "/b"].map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));

/** Answers with what `answer` says to the n-th request, counted from 0. */
function startServer(answer: (path: string, count: number) => Response): LoadSpec {
  let count = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => answer(new URL(url).pathname, count++),
  });
  cleanups.push(() => server.stop(true));
  return {
    url: server.url.origin,
    requests: "",
    connections: 4,
    until: { requests: 100 },
    expect: { 200: 2 },
    serverPid: process.pid,
  };
}

describe("runLoad", () => {
  test("sends the requests in rotation and counts every answer", async () => {
    const paths: string[] = [];
    const spec = startServer((path) => {
      paths.push(path);
      return new Response("ok");
    });
    const result = await runLoad({ ...spec, keepLatencies: true }, requests);
    expect(problemsOf(result, spec.expect)).toEqual([]);
    expect([result.answers, result.statuses, result.latenciesMs?.length]).toEqual([100, { 200: 100 }, 100]);
    expect(paths.filter((path) => path === "/a")).toHaveLength(50);
  });

  test("sends as many at an even pace", async () => {
    const spec = startServer(() => new Response("ok"));
    const result = await runLoad({ ...spec, pace: 2_000 }, requests);
    expect([result.answers, problemsOf(result, spec.expect)]).toEqual([100, []]);
  });

  test("sends as many at random moments, over all connections in turn", async () => {
    const spec = startServer(() => new Response("ok"));
    const startedAt = performance.now();
    const result = await runLoad({ ...spec, pace: 1_000, isRandom: true, keepLatencies: true }, requests);
    expect([result.answers, result.allAnswers, problemsOf(result, spec.expect)]).toEqual([100, 100, []]);
    // A hundred gaps of 1 ms in the mean; a tenth of that is one in more than 10^40.
    expect(performance.now() - startedAt).toBeGreaterThan(10);
    expect(result.databaseCpuMicros).toBeNull();
  });

  test("reports statuses, lengths and breaks that may not come", async () => {
    const spec = startServer((_path, count) => {
      if (count === 10) return new Response("no", { status: 503 });
      return new Response(count === 20 ? "longer" : "ok");
    });
    expect(problemsOf(await runLoad(spec, requests), spec.expect)).toEqual([
      "1 answers with status 503",
      "1 bodies of an unexpected length",
    ]);
  });

  test("reports connections that break, and ends when none is left", async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    cleanups.push(() => listener.stop(true));
    const spec = { ...startServer(() => new Response("ok")), url: `http://127.0.0.1:${listener.port}` };
    expect(problemsOf(await runLoad(spec, requests), spec.expect)).toEqual([
      "4 connections broke (closed by the server)",
    ]);
  });
});
