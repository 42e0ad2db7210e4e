import { Writable } from "node:stream";
import { expect, test } from "bun:test";
import { createFront, type FrontDeps } from "../src/front.ts";
import { openLog } from "../src/log.ts";
import { createLogWriter } from "../src/log-writer.ts";
import { load } from "./config/load.ts";

const peers = { requestIP: () => ({ address: "203.0.113.9", family: "IPv4", port: 1 }) as const };
const request = (path: string) =>
  new Request(`http://localhost:3001${path}`, { headers: { host: "localhost:3001" } });

function open(loadApp: FrontDeps["load"]) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const writer = createLogWriter(stream, String);
  return {
    lines,
    ...createFront({
      config: load({}).config,
      version: "1",
      log: openLog({ level: "info", format: "json" }, writer),
      verify: () => ({ refusal: "NO_CREDENTIALS" }),
      readSession: () => ({ isKnown: false }),
      health: async () => Response.json({ status: "ok" }),
      load: loadApp,
    }),
  };
}

test("verify and health are answered without the application; it is loaded once, for all who wait for it", async () => {
  let loads = 0;
  const { fetch, routes } = open(async () => {
    loads += 1;
    await Bun.sleep(5);
    return async () => new Response("the application");
  });
  const ask = async (path: string) => (await routes[path]?.GET(request(path), peers))?.status;
  expect([await ask("/api/auth/verify"), await ask("/health"), await ask("/health/live"), loads]).toEqual([
    401, 200, 200, 0,
  ]);
  const answers = await Promise.all(
    ["/signin", "/", "/api/auth/sign-in/email"].map((path) => fetch(request(path), peers)),
  );
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(Array(3).fill("the application"));
  await fetch(request("/signin"), peers);
  expect(loads).toBe(1);
});

test("an application that could not be loaded is tried again, and the log says why", async () => {
  let loads = 0;
  const { fetch, lines } = open(async () => {
    loads += 1;
    if (loads === 1) throw new Error("no memory");
    return async () => new Response("the application");
  });
  expect(await fetch(request("/signin"), peers).catch(String)).toBe("Error: no memory");
  expect(lines.join("")).toContain("no memory");
  expect(await (await fetch(request("/signin"), peers)).text()).toBe("the application");
});
