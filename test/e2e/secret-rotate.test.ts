import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { parseSecretList } from "../../src/config/secret-list.ts";
import { weaknessOf } from "../../src/config/secret-strength.ts";
import { signToken, verifySignedToken } from "../../src/session/cookie.ts";
import { createClient } from "../support/client.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const rotate = (cwd: string, ...args: readonly string[]) =>
  runLatchkey(["secret", "rotate", ...args], { cwd, env: { LATCHKEY_SESSION_MAX_AGE: "7d" } });
const secretFile = (cwd: string) => join(cwd, "data", "secret");
const listIn = (cwd: string) => parseSecretList(readFileSync(secretFile(cwd), "utf8")) ?? [];
const secretsIn = (cwd: string) => listIn(cwd).map(({ secret }) => secret);
const signUp = async ({ origin }: RunningLatchkey, email: string) => {
  const client = createClient(origin);
  expect((await client.auth.signUp.email({ email, password, name: "Ann" })).error).toBeNull();
  return client.jar.header("/");
};
const signIn = async ({ origin }: RunningLatchkey, email: string) => {
  const client = createClient(origin);
  expect((await client.auth.signIn.email({ email, password })).error).toBeNull();
  return client.jar.header("/");
};
const verify = async ({ url }: RunningLatchkey, cookie: string) =>
  (await fetch(`${url}/api/auth/verify`, { headers: { cookie }, keepalive: false })).status;
/** Which of the secrets signed a cookie, from 0; -1 for none. */
const signedBy = (cookie: string, secrets: readonly string[]) => {
  const value = /session_token=([^;]+)/.exec(cookie)?.[1] ?? "";
  return verifySignedToken(decodeURIComponent(value), secrets)?.key ?? -1;
};
const eventsIn = ({ stderr }: { readonly stderr: string }) => splitLog(stderr).log;
/** Puts every instant of a list so far back. */
const age = (cwd: string, byMs: number) => {
  const text = readFileSync(secretFile(cwd), "utf8");
  const aged = text.replaceAll(/\d{4}-\S+Z/g, (instant) =>
    new Date(Date.parse(instant) - byMs).toISOString(),
  );
  expect(aged).not.toBe(text);
  writeFileSync(secretFile(cwd), aged);
};

describe("latchkey secret rotate", () => {
  test.each([
    ["one server", [{}]],
    ["two servers on one folder", [{}, {}]],
    ["two workers", [{ LATCHKEY_WORKERS: "2" }]],
  ])("S62: refuses nobody who is signed in, whenever and by whichever process: %s", async (_what, envs) => {
    const cwd = temporaryDirectory("rotate");
    const servers: RunningLatchkey[] = [];
    for (const env of envs)
      servers.push(await spawnLatchkey({ env: { LATCHKEY_SESSIONS_MAX: "10000", ...env }, cwd }));
    const [one] = servers;
    if (one === undefined) throw new Error("no server");
    await signUp(one, "ann@example.com");
    const [first = ""] = secretsIn(cwd);
    const cookies = [await signIn(one, "ann@example.com")];
    const statuses = new Set<number>();
    let isOver = false;
    let asked = 0;
    const pick = <T>(list: readonly T[], fallback: T) =>
      list[Math.floor(Math.random() * list.length)] ?? fallback;
    const verifying = async () => {
      while (!isOver) {
        statuses.add(await verify(pick(servers, one), cookies.at(-1) ?? ""));
        statuses.add(await verify(pick(servers, one), pick(cookies, "")));
        asked += 2;
      }
    };
    // A flood of forged cookies keeps every process from looking for most of each second.
    const forging = async () => {
      const forged = `better-auth.session_token=${signToken("x".repeat(32), "f".repeat(40))}`;
      while (!isOver) expect(await verify(pick(servers, one), forged)).toBe(401);
    };
    const signing = async () => {
      while (!isOver) cookies.push(await signIn(pick(servers, one), "ann@example.com"));
    };
    const load = [verifying(), verifying(), forging(), signing(), signing()];
    for (const _round of [1, 2]) {
      const { exitCode, stdout } = await rotate(cwd, "--json");
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { path: secretFile(cwd) }]);
      const before = cookies.length;
      while (cookies.length < before + 8) await Bun.sleep(10);
    }
    isOver = true;
    await Promise.all(load);
    const list = secretsIn(cwd);
    expect([[...statuses], list.length, list[2]]).toEqual([[200], 3, first]);
    expect(asked).toBeGreaterThan(100);
    // All three have signed, one after the other, but for requests that were under way.
    const signers = cookies.map((cookie) => signedBy(cookie, list));
    expect(new Set(signers)).toEqual(new Set([0, 1, 2]));
    expect(signers.slice(-4)).toEqual([0, 0, 0, 0]);
    for (const server of servers) {
      expect(server.logs().filter(({ event }) => event === "secrets_changed")).not.toEqual([]);
      expect(server.logs().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    }
    for (const server of servers) await server.stop();
  });

  test("is 503, and no 401, where the new list cannot be read for a moment, and is read once it can", async () => {
    const cwd = temporaryDirectory("rotate");
    const [one, other] = [await spawnLatchkey({ env: {}, cwd }), await spawnLatchkey({ env: {}, cwd })];
    // Over a connection that stays: it gets no other.
    const ask = async (cookie: string) =>
      (await fetch(`${one.url}/api/auth/verify`, { headers: { cookie } })).status;
    const old = await signUp(other, "ann@example.com");
    expect(await ask(old)).toBe(200);
    const limit = (descriptors: string) =>
      expect(Bun.spawnSync(["prlimit", `--pid=${one.pid}`, `--nofile=${descriptors}`]).exitCode).toBe(0);
    limit("5:4096");
    expect((await rotate(cwd)).exitCode).toBe(0);
    const fresh = await signIn(other, "ann@example.com");
    expect(signedBy(fresh, secretsIn(cwd))).toBe(0);
    // Past the second in which it does not look again.
    const statuses = [];
    for (let at = 0; at < 5; at += 1) {
      statuses.push(await ask(fresh));
      await Bun.sleep(300);
    }
    expect(statuses).toEqual([503, 503, 503, 503, 503]);
    expect(await ask(old)).toBe(200);
    limit("4096:4096");
    const later = new Set<number>();
    while (!later.has(200)) {
      later.add(await ask(fresh));
      await Bun.sleep(50);
    }
    expect([...later].toSorted()).toEqual(later.size === 1 ? [200] : [200, 503]);
    const said = one.logs().filter(({ msg }) => String(msg).includes("secrets cannot be read"));
    expect(said.map(({ level }) => level)).toEqual(["error"]);
    await Promise.all([one.stop(), other.stop()]);
  });

  test("get-session goes on with what the old one signed, and a restart knows all", async () => {
    const cwd = temporaryDirectory("rotate");
    const server = await spawnLatchkey({ env: {}, cwd });
    const cookie = await signUp(server, "ben@example.com");
    expect((await rotate(cwd)).exitCode).toBe(0);
    const session = async ({ url }: RunningLatchkey) =>
      await (await fetch(`${url}/api/auth/get-session`, { headers: { cookie } })).json();
    expect(await session(server)).toMatchObject({ user: { email: "ben@example.com" } });
    await server.stop();
    const again = await spawnLatchkey({ env: {}, cwd });
    expect(await session(again)).toMatchObject({ user: { email: "ben@example.com" } });
    expect(await verify(again, cookie)).toBe(200);
    await again.stop();
  });

  test("--drop-old is refused, with the date, until no session can need one", async () => {
    const cwd = temporaryDirectory("rotate");
    const server = await spawnLatchkey({ env: { LATCHKEY_SESSION_MAX_AGE: "7d" }, cwd });
    const old = await signUp(server, "cam@example.com");
    const nothing = await rotate(cwd, "--drop-old");
    expect([nothing.exitCode, nothing.stderr]).toEqual([2, expect.stringContaining("holds no old secret")]);
    const first = await rotate(cwd);
    expect([first.exitCode, eventsIn(first)]).toEqual([
      0,
      [
        {
          level: "info",
          time: expect.any(String),
          event: "secret_rotation",
          outcome: "success",
          operator: process.getuid?.(),
          action: "rotate",
          secrets: 2,
          msg: "secret rotation",
        },
      ],
    ]);
    for (const secret of secretsIn(cwd)) expect(first.stdout + first.stderr).not.toContain(secret);
    const fresh = await signIn(server, "cam@example.com");
    const early = await rotate(cwd, "--drop-old");
    expect([early.exitCode, early.stderr]).toEqual([2, expect.stringMatching(/may live until \d{4}-.*Z\n/)]);
    expect(eventsIn(early)).toMatchObject([
      { event: "secret_rotation", action: "drop_old", outcome: "failure", reason: "secret_needed" },
    ]);
    expect(secretsIn(cwd)).toHaveLength(2);
    age(cwd, 4 * 86_400_000);
    expect((await rotate(cwd)).exitCode).toBe(0);
    age(cwd, 4 * 86_400_000);
    const [newest, second] = secretsIn(cwd);
    const { exitCode, stdout, stderr } = await rotate(cwd, "--drop-old", "--json");
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { secrets: 2, dropped: 1 }]);
    expect(eventsIn({ stderr })).toMatchObject([
      { event: "secret_rotation", action: "drop_old", outcome: "success", secrets: 2, dropped: 1 },
    ]);
    expect(secretsIn(cwd)).toEqual([newest ?? "", second ?? ""]);
    expect(await verify(server, fresh)).toBe(200);
    age(cwd, 4 * 86_400_000);
    expect((await rotate(cwd, "--drop-old")).exitCode).toBe(0);
    // As every version reads it.
    expect(readFileSync(secretFile(cwd), "utf8")).toBe(`${newest}\n`);
    await server.stop();
    const again = await spawnLatchkey({ env: {}, cwd });
    expect(await verify(again, old)).toBe(401);
    await again.stop();
  });

  test("--drop-old goes by the longest life that a rotation knew, not by a shorter one of this shell", async () => {
    const cwd = temporaryDirectory("rotate");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    expect((await rotate(cwd)).exitCode).toBe(0);
    age(cwd, 2 * 86_400_000);
    const env = { LATCHKEY_SESSION_MAX_AGE: "1d", LATCHKEY_SESSION_EXPIRES_IN: "1d" };
    const early = await runLatchkey(["secret", "rotate", "--drop-old"], { cwd, env });
    expect([early.exitCode, early.stderr]).toEqual([2, expect.stringMatching(/may live until .*--unit/s)]);
    // What a list does not say was not known.
    writeFileSync(secretFile(cwd), readFileSync(secretFile(cwd), "utf8").replaceAll("Z 604800\n", "Z\n"));
    expect((await runLatchkey(["secret", "rotate", "--drop-old"], { cwd, env })).exitCode).toBe(0);
  });

  test("of two at once one is refused, and a killed one can be run again", async () => {
    const cwd = temporaryDirectory("rotate");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    const [first = ""] = secretsIn(cwd);
    const both = await Promise.all([rotate(cwd), rotate(cwd)]);
    expect(both.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 1]);
    expect(both.map(({ stderr }) => stderr).join()).toContain("is being rotated by another latchkey");
    expect(secretsIn(cwd).slice(1)).toEqual([first]);
    const { executable, ...rest } = {
      executable: process.env["LATCHKEY_TEST_EXECUTABLE"] ?? "dist/latchkey",
    };
    const child = Bun.spawn([executable, "secret", "rotate"], {
      cwd,
      env: rest,
      stdio: ["ignore", "ignore", "ignore"],
    });
    while (secretsIn(cwd).length < 3) await Bun.sleep(5);
    child.kill("SIGKILL");
    await child.exited;
    expect(secretsIn(cwd)[2]).toBe(first);
    expect((await rotate(cwd)).exitCode).toBe(0);
    expect(secretsIn(cwd)).toHaveLength(4);
    const { status } = JSON.parse((await runLatchkey(["doctor", "--json"], { cwd })).stdout) as {
      status: string;
    };
    expect(status).not.toBe("failure");
  });

  test("is carried by a backup, and put back by a restore", async () => {
    const cwd = temporaryDirectory("rotate");
    const server = await spawnLatchkey({ env: {}, cwd });
    const old = await signUp(server, "dan@example.com");
    expect((await rotate(cwd)).exitCode).toBe(0);
    const fresh = await signIn(server, "dan@example.com");
    const file = join(cwd, "copy.db");
    expect((await runLatchkey(["backup", file, "--with-secret"], { cwd })).exitCode).toBe(0);
    await server.stop();
    const elsewhere = temporaryDirectory("elsewhere");
    const restored = await runLatchkey(["restore", file, "--secret", `${file}.secret`], { cwd: elsewhere });
    expect([restored.exitCode, splitLog(restored.stderr).talk]).toEqual([0, ""]);
    expect(listIn(elsewhere)).toEqual(listIn(cwd) as never);
    const second = await spawnLatchkey({ env: {}, cwd: elsewhere });
    expect([await verify(second, old), await verify(second, fresh)]).toEqual([200, 200]);
    await second.stop();
  });

  test("a server goes on with what it knows when the file is damaged, and says so", async () => {
    const cwd = temporaryDirectory("rotate");
    const server = await spawnLatchkey({ env: {}, cwd });
    const cookie = await signUp(server, "eve@example.com");
    cpSync(secretFile(cwd), join(cwd, "saved"));
    writeFileSync(secretFile(cwd), "short");
    expect(await verify(server, await signIn(server, "eve@example.com"))).toBe(200);
    expect(await verify(server, cookie)).toBe(200);
    expect(server.logs().map(({ msg }) => msg)).toContain(
      "the generated secrets cannot be read any more; those from before go on",
    );
    await server.stop();
  });

  test("prints two steps where the secrets are settings, and drops none", async () => {
    const env = { BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" };
    const { exitCode, stdout } = await runLatchkey(["secret", "rotate", "--json"], { env });
    const { secret, steps } = JSON.parse(stdout) as { secret: string; steps: string[] };
    expect([exitCode, weaknessOf(secret), steps]).toEqual([
      0,
      null,
      [`BETTER_AUTH_SECRETS=1:OLD,2:${secret}`, `BETTER_AUTH_SECRETS=2:${secret},1:OLD`],
    ]);
    const strong = (letter: string) => `0f1e2d3c4b5a69788796a5b4c3d2e1f0-${letter}bCdEfGh`;
    const ring = { BETTER_AUTH_SECRETS: `3:${strong("A")},1:${strong("B")}` };
    const more = await runLatchkey(["secret", "rotate", "--json"], { env: ring });
    for (const step of (JSON.parse(more.stdout) as { steps: string[] }).steps) {
      const value = step.replace("BETTER_AUTH_SECRETS=", "").replace("OLD", ring.BETTER_AUTH_SECRETS);
      expect((await runLatchkey(["config"], { env: { BETTER_AUTH_SECRETS: value } })).exitCode).toBe(0);
    }
    const dropped = await runLatchkey(["secret", "rotate", "--drop-old"], { env });
    expect([dropped.exitCode, dropped.stderr]).toEqual([2, expect.stringContaining("BETTER_AUTH_SECRETS")]);
    const nowhere = await runLatchkey(["secret", "rotate"], {});
    expect([nowhere.exitCode, nowhere.stderr]).toEqual([
      1,
      expect.stringContaining("no generated secret at"),
    ]);
  });

  test("what it writes is no secret to a version that knows no lists", async () => {
    const cwd = temporaryDirectory("rotate");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    expect((await rotate(cwd)).exitCode).toBe(0);
    // That version took the whole file for one secret, and asked this of it.
    expect(weaknessOf(readFileSync(secretFile(cwd), "utf8").trim())).toContain("too easy to guess");
  });
});
