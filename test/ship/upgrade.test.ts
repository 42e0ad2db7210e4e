import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openLedger } from "../support/load-ledger.ts";
import { buildNext, downloadOf, nextTag, nextVersion, releaseKey } from "../support/next-release.ts";
import { readDocument } from "../support/readme.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { besideIn, openUpgradeMachine } from "../support/upgrade-machine.ts";

setDefaultTimeout(600_000);

const kills = Number(process.env["LATCHKEY_TEST_UPGRADE_KILLS"] ?? 20);
let next: string;
let download: string;
let key: readonly string[];
beforeAll(async () => {
  next = await buildNext();
  download = await downloadOf(next);
  key = ["--key", releaseKey().publicKey, "--timeout", "1"];
});

describe("an upgrade killed at any moment", () => {
  test.each([
    ["that goes well", {}, nextVersion],
    ["that goes back", { NEXT_FAILS: "after migration", NEXT_MIN_READER: "99" }, "0.1.0"],
  ] as const)(
    "%s leaves an executable that works, and is brought to its end by another",
    async (_, fails, end) => {
      const seen = new Map<string, number>();
      const whole = await openUpgradeMachine("sqlite");
      whole.set(fails);
      const began = performance.now();
      await whole.upgrade(download, key);
      const wholeMs = performance.now() - began;
      await whole.close();
      for (let round = 0; round < kills; round += 1) {
        const machine = await openUpgradeMachine("sqlite");
        machine.set(fails);
        const child = Bun.spawn([machine.executable, ...machine.command(download, key)], {
          env: { PATH: process.env["PATH"] ?? "" },
          stdio: ["ignore", "ignore", "ignore"],
        });
        watchProcess(child.pid, "KILL");
        await Bun.sleep((wholeMs * (round + 0.5)) / kills);
        child.kill("SIGKILL");
        await child.exited;
        forgetProcess(child.pid);
        const version = await machine.version();
        expect([`latchkey ${nextVersion}`, "latchkey 0.1.0"]).toContain(version);
        const beside = besideIn(machine.executable).map((name) => name.replace(/\.\d+-.*/, ".…"));
        const state = `${version}: ${beside.join(" ")}`;
        seen.set(state, (seen.get(state) ?? 0) + 1);
        const again = await machine.upgrade(download, key);
        expect([again.exitCode, again.stderr]).toEqual([end === nextVersion ? 0 : 1, expect.any(String)]);
        expect([await machine.version(), await machine.serving(), await machine.isSignedIn()]).toEqual([
          `latchkey ${end}`,
          end,
          true,
        ]);
        expect(besideIn(machine.executable)).toEqual(
          end === nextVersion ? ["latchkey", "latchkey.previous"] : ["latchkey"],
        );
        await machine.close();
      }
      console.log(`${kills} kills:`, Object.fromEntries(seen));
      expect(seen.size).toBeGreaterThan(1);
    },
  );
});

test("the command of docs/upgrade.md for a machine without systemd exchanges the executable", async () => {
  const machine = await openUpgradeMachine("sqlite");
  const folder = temporaryDirectory("path");
  symlinkSync(machine.executable, join(folder, "latchkey"));
  const restart = machine.command(download).at(-1) ?? "";
  writeFileSync(join(folder, "sv"), `#!/bin/sh\n[ "$*" = "restart latchkey" ] || exit 1\n${restart}\n`, {
    mode: 0o755,
  });
  const { blocks } = readDocument("docs/upgrade.md");
  const code = blocks.find(({ marker }) => marker === "run: without systemd")?.code ?? "exit 1";
  const command = code
    .replace("--from", `--key ${releaseKey().publicKey} --from`)
    .replace("/etc/latchkey/latchkey.env", machine.envFile)
    .replace("latchkey-0.2.0-linux-x64", download);
  const shell = Bun.spawn(["sh", "-ec", command], {
    env: { PATH: `${folder}:${process.env["PATH"]}` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stderr = await shell.stderr.text();
  expect([await shell.exited, stderr]).toEqual([0, expect.any(String)]);
  expect([await machine.serving(), await machine.isSignedIn()]).toEqual([nextVersion, true]);
  await machine.close();
});

describe("on PostgreSQL", () => {
  test("an upgrade goes back, goes well, and keeps what the one before cannot work on", async () => {
    const machine = await openUpgradeMachine("postgres");
    machine.set({ NEXT_FAILS: "after migration" });
    const back = await machine.upgrade(download, [...key, "--no-snapshot"]);
    expect([back.exitCode, back.stderr]).toEqual([1, expect.stringContaining("0.1.0 is back, and answers")]);
    expect([await machine.serving(), await machine.isSignedIn()]).toEqual(["0.1.0", true]);
    machine.set({});
    const done = await machine.upgrade(download, [...key, "--no-snapshot", "--timeout", "20"]);
    expect([done.exitCode, await machine.serving(), await machine.isSignedIn()]).toEqual([
      0,
      nextVersion,
      true,
    ]);
    await machine.close();

    const other = await openUpgradeMachine("postgres");
    other.set({ NEXT_FAILS: "unhealthy", NEXT_MIN_READER: "99" });
    const kept = await other.upgrade(download, [...key, "--no-snapshot"]);
    expect([kept.exitCode, kept.stderr]).toEqual([1, expect.stringContaining("0.1.0 cannot take its place")]);
    expect([await other.serving(), await other.isSignedIn()]).toEqual([nextVersion, true]);
    // The older executable says the way back itself.
    const older = await runLatchkey(["serve"], { env: { ...other.database.env, PORT: "0" } });
    const says = new RegExp(`newer latchkey \\(${nextTag}\\)[\\s\\S]*into an empty database`);
    expect([older.exitCode, older.stderr]).toEqual([1, expect.stringMatching(says)]);
    await other.close();
  });
});

/**
 * Two instances, one of which is told to go first: HAProxy sends what one did not take to the other. What changes something
 * is sent on only where nobody took it.
 */
const haproxyConfiguration = (port: number, servers: readonly number[]) => `
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  retries 5
  option redispatch 1
  retry-on conn-failure empty-response
  option httpchk
  http-check send meth GET uri /health ver HTTP/1.1 hdr Host localhost
frontend all
  bind 127.0.0.1:${port}
  default_backend latchkey
backend latchkey
  balance roundrobin
  http-request disable-l7-retry if METH_POST
${servers.map((server, at) => `  server s${at} 127.0.0.1:${server} check inter 100ms fall 1 rise 1`).join("\n")}
`;

describe("a rolling upgrade of two instances on one PostgreSQL", () => {
  let running: RunningLatchkey[] = [];
  afterAll(async () => {
    for (const server of running) await server.stop();
  });

  test("under load fails no request and signs nobody out", async () => {
    const database = await openTestDatabase("postgres");
    const old = await buildExecutable();
    const ports = [freePort(), freePort()];
    const port = freePort();
    const start = (executable: string, at: number) =>
      spawnLatchkey({
        executable,
        env: {
          ...database.env,
          PORT: String(ports[at]),
          BETTER_AUTH_URL: `http://localhost:${port}`,
          LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8",
        },
      });
    running = [await start(old, 0), await start(old, 1)];
    const proxy = await startHaproxy(haproxyConfiguration(port, ports), port);
    const ledger = openLedger({ urls: [`http://127.0.0.1:${port}`], lanes: 4 });
    ledger.start();
    await ledger.more(20);
    const health = async (at: number) => {
      const answer = await fetch(`http://127.0.0.1:${ports[at]}/health`);
      return `${answer.status} ${((await answer.json()) as { version: string }).version}`;
    };
    for (const at of [0, 1]) {
      expect(await running[at]?.stop()).toBe(0);
      running[at] = await start(next, at);
      expect(await health(at)).toBe(`200 ${nextVersion}`);
      // Both versions work on the migrated database side by side.
      if (at === 0) expect(await health(1)).toBe("200 0.1.0");
      await ledger.more(20);
    }
    await ledger.stop();
    const applied = await database.query("SELECT tag FROM latchkey_migration WHERE tag = $1", [nextTag]);
    expect(applied.length).toBe(1);
    const emails = (await database.query('SELECT email FROM "user"')).map(({ email }) => String(email));
    const lost = await ledger.lost(emails);
    const report = ledger.report();
    console.log(`rolling upgrade: ${ledger.lies.length} failed`, report);
    expect([ledger.lies, lost, report.unavailable]).toEqual([[], [], 0]);
    await proxy.stop();
    await database.close();
  });
});
