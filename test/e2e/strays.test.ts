import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { buildExecutable, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(60_000);

const person = { email: "stray@example.com", password: "correct horse battery", name: "Stray" };

test("S88: a promise that nobody hears, or a throw beside every request, ends nothing and is logged", async () => {
  // Bun runs it before latchkey, in the same process: what a library's fault would be.
  const fault = join(temporaryDirectory("stray"), "fault.js");
  await Bun.write(
    fault,
    `process.on("SIGUSR2", () => {
       Promise.reject(new Error("a stray rejection"));
       setTimeout(() => { throw new Error("a stray throw"); }, 1);
     });`,
  );
  const server = await spawnLatchkey({ env: { BUN_OPTIONS: `--preload=${fault}` } });
  const client = createClient(server.origin);
  expect((await client.auth.signUp.email(person)).error).toBeNull();
  const strays = () => server.logs().filter(({ event }) => event === "stray_error");
  for (let round = 1; round <= 3; round += 1) {
    const verified = client.fetch("/api/auth/verify");
    process.kill(server.pid, "SIGUSR2");
    const deadline = Date.now() + 5_000;
    while (strays().length < 2 * round && Date.now() < deadline) await Bun.sleep(5);
    expect((await verified).status).toBe(200);
  }
  expect(strays().map(({ level }) => level)).toEqual(Array.from({ length: 6 }, () => "error"));
  expect((await client.auth.getSession()).data?.user.email).toBe(person.email);
  expect(await server.stop()).toBe(0);
});

test("S66: a log on a full disk stops neither requests nor the end", async () => {
  const child = Bun.spawn(["sh", "-c", `exec "$0" serve --json 2>/dev/full`, await buildExecutable()], {
    cwd: temporaryDirectory("full-log"),
    env: { PORT: "0", PATH: process.env["PATH"] ?? "", LATCHKEY_LIMITS: "off", LOG_LEVEL: "trace" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  watchProcess(child.pid, "KILL");
  const reader = child.stdout.getReader();
  const line = new TextDecoder().decode((await reader.read()).value);
  expect(line).toContain('"listening"');
  const client = createClient((JSON.parse(line) as { readonly baseUrl: string }).baseUrl);
  expect((await client.auth.signUp.email(person)).error).toBeNull();
  for (let round = 0; round < 200; round += 1)
    expect((await client.auth.signOut()).error ?? "none").toEqual("none");
  expect((await client.auth.signIn.email(person)).error).toBeNull();
  expect((await client.fetch("/api/auth/verify")).status).toBe(200);
  child.kill("SIGTERM");
  expect(await within(child.exited, 10_000)).toBe(0);
});
