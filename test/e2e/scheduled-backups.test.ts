import { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { backupNameAt } from "../../src/backup-folder.ts";
import { createClient } from "../support/client.ts";
import { noDisks } from "../support/disk.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { metricsUrlOf, scrape } from "../support/metrics.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { isAlive } from "../support/workers.ts";

setDefaultTimeout(60_000);

const dayMs = 86_400_000;
const until = async (holds: () => boolean) => {
  while (!holds()) await Bun.sleep(10);
};
const eventsOf = (server: RunningLatchkey, event: string) =>
  server.logs().filter((line) => line["event"] === event);
const madeBy = (server: RunningLatchkey) => eventsOf(server, "backup_made");
const start = (cwd: string, env: Readonly<Record<string, string>> = {}) =>
  spawnLatchkey({ env: { LATCHKEY_BACKUP_DIR: "backups", LOG_LEVEL: "debug", ...env }, cwd });
const listed = (cwd: string) => readdirSync(join(cwd, "backups")).toSorted();
/** Adds so many users that a backup takes its time. */
const fill = (cwd: string, users: number) => {
  const db = new Database(join(cwd, "data", "latchkey.db"));
  db.run(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${users})
    INSERT INTO user (id, name, email, email_verified, created_at, updated_at)
    SELECT 'user-' || i, hex(randomblob(200)), i || '@example.com', 0, 0, 0 FROM n`);
  db.close(true);
};

describe("LATCHKEY_BACKUP_DIR", () => {
  test("has serve make a backup that restores, and the next one when that is old enough", async () => {
    const cwd = temporaryDirectory("scheduled");
    const server = await start(cwd);
    await until(() => madeBy(server).length === 1);
    const [scheduled] = eventsOf(server, "backups_scheduled");
    const [made] = madeBy(server);
    expect(made).toMatchObject({ level: "info", removed: 0, users: 0, sessions: 0, session: "none" });
    const path = String(made?.["path"]);
    expect([listed(cwd), (statSync(path).mode & 0o777).toString(8)]).toEqual([
      [path.split("/").at(-1) ?? ""],
      "600",
    ]);
    expect(made?.["bytes"]).toBe(statSync(path).size);
    await server.stop();
    const again = await start(cwd);
    await until(() => eventsOf(again, "backups_scheduled").length === 1);
    const [due] = eventsOf(again, "backups_scheduled");
    const at = Date.parse(/\/latchkey-([^/]*)\.db$/.exec(path)?.[1]?.replace(/T(..)-(..)-/, "T$1:$2:") ?? "");
    expect(Date.parse(String(due?.["due"])) - at).toBe(dayMs);
    expect(Date.parse(String(scheduled?.["due"]))).toBeLessThanOrEqual(at);
    await again.stop();
    expect([madeBy(again), listed(cwd)]).toEqual([[], [path.split("/").at(-1) ?? ""]]);
    const elsewhere = temporaryDirectory("restored");
    expect((await runLatchkey(["restore", path], { cwd: elsewhere })).exitCode).toBe(0);
  });

  test("removes the oldest, and goes by the names, not by the future's", async () => {
    const cwd = temporaryDirectory("scheduled");
    mkdirSync(join(cwd, "backups"));
    const names = [3, 2, 1, -5].map((days) => backupNameAt(Date.now() - days * dayMs));
    for (const name of names) writeFileSync(join(cwd, "backups", name), "x");
    // Copied back from another machine today.
    utimesSync(join(cwd, "backups", names[0] ?? ""), new Date(), new Date());
    const server = await start(cwd, { LATCHKEY_BACKUP_KEEP: "3" });
    await until(() => madeBy(server).length === 1);
    expect(madeBy(server)[0]).toMatchObject({ removed: 2 });
    const newest = String(madeBy(server)[0]?.["path"]).split("/").at(-1) ?? "";
    expect(listed(cwd)).toEqual([names[2] ?? "", newest, names[3] ?? ""]);
    await server.stop();
  });

  test.each(["1", "2"])("is among the figures of a server with %s workers", async (workers) => {
    const cwd = temporaryDirectory("scheduled");
    mkdirSync(join(cwd, "backups"));
    const server = await start(cwd, {
      LATCHKEY_METRICS_LISTEN: "127.0.0.1:0",
      LATCHKEY_WORKERS: workers,
      LATCHKEY_BACKUP_EVERY: "1h",
    });
    await until(() => madeBy(server).length === 1);
    const figures = await scrape(metricsUrlOf(server));
    const path = String(madeBy(server)[0]?.["path"]);
    expect(figures.value("latchkey_backup_size_bytes")).toBe(statSync(path).size);
    expect(figures.value("latchkey_backup_failures_total")).toBe(0);
    const age = Date.now() / 1_000 - figures.value("latchkey_backup_last_made_timestamp_seconds");
    expect(age >= 0 && age < 60).toBe(true);
    await server.stop();
  });

  test("is among the figures where it fails", async () => {
    const cwd = temporaryDirectory("scheduled");
    writeFileSync(join(cwd, "backups"), "no folder");
    const server = await start(cwd, { LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" });
    await until(() => eventsOf(server, "backup_failed").length === 1);
    const figures = await scrape(metricsUrlOf(server));
    expect(figures.value("latchkey_backup_failures_total")).toBe(1);
    expect(figures.values.has("latchkey_backup_last_made_timestamp_seconds")).toBe(false);
    await server.stop();
  });

  test("makes one for all: two servers, one of them with workers, on one file", async () => {
    const cwd = temporaryDirectory("scheduled");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    fill(cwd, 20_000);
    const servers = await Promise.all([start(cwd), start(cwd, { LATCHKEY_WORKERS: "2" })]);
    const skipped = (server: RunningLatchkey) => server.logs().filter((line) => "skipped" in line);
    const settled = (server: RunningLatchkey) => madeBy(server).length + skipped(server).length > 0;
    // One that was started once the other's was there has nothing to skip.
    const due = (server: RunningLatchkey) =>
      Date.parse(String(eventsOf(server, "backups_scheduled")[0]?.["due"])) > Date.now();
    await until(() => servers.every((server) => settled(server) || due(server)));
    await until(() => servers.flatMap(madeBy).length >= 1);
    expect(listed(cwd)).toHaveLength(1);
    for (const server of servers) await server.stop();
    expect([servers.flatMap(madeBy).length, listed(cwd).length]).toEqual([1, 1]);
  });

  test("disturbs no verify, and a server that stops takes the backup with it", async () => {
    const cwd = temporaryDirectory("scheduled");
    const first = await spawnLatchkey({ env: {}, cwd });
    const ann = createClient(first.origin);
    const signUp = await ann.auth.signUp.email({
      email: "ann@x.example",
      password: "correct horse battery",
      name: "A",
    });
    expect(signUp.error).toBeNull();
    await first.stop();
    fill(cwd, 150_000);
    const server = await start(cwd);
    const headers = { cookie: ann.jar.header("/") };
    const during: number[] = [];
    while (madeBy(server).length === 0)
      during.push((await fetch(`${server.url}/api/auth/verify`, { headers })).status);
    expect([new Set(during), during.length > 50]).toEqual([new Set([200]), true]);
    await server.stop();
    rmSync(join(cwd, "backups"), { recursive: true });
    const second = await start(cwd);
    await until(
      () =>
        statSync(join(cwd, "backups"), { throwIfNoEntry: false }) !== undefined &&
        listed(cwd).some((name) => name.endsWith(".tmp")),
    );
    expect(await second.stop()).toBe(0);
    expect([listed(cwd), eventsOf(second, "backup_failed"), madeBy(second)]).toEqual([[], [], []]);
  });

  test("after a kill begins anew, and removes what was left", async () => {
    const cwd = temporaryDirectory("scheduled");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    fill(cwd, 150_000);
    const server = await start(cwd);
    await until(
      () =>
        statSync(join(cwd, "backups"), { throwIfNoEntry: false }) !== undefined &&
        listed(cwd).some((name) => name.endsWith(".tmp")),
    );
    const maker = Number(/\.db\.(\d+)-/.exec(listed(cwd).join())?.[1]);
    await server.kill();
    await until(() => !isAlive(maker));
    expect(listed(cwd).filter((name) => !name.includes(".tmp"))).toEqual([]);
    expect(listed(cwd)).not.toEqual([]);
    const again = await start(cwd);
    await until(() => madeBy(again).length === 1);
    expect(listed(cwd)).toEqual([expect.stringMatching(/\.db$/)]);
    await again.stop();
  });

  test("says what is wrong with the folder, serves on, and tries again", async () => {
    const cwd = temporaryDirectory("scheduled");
    writeFileSync(join(cwd, "backups"), "a file");
    const server = await start(cwd);
    await until(() => eventsOf(server, "backup_failed").length === 1);
    const [failed] = eventsOf(server, "backup_failed");
    expect(failed).toMatchObject({
      level: "error",
      directory: join(cwd, "backups"),
      reason: `${join(cwd, "backups")} is not a folder`,
      remedy: expect.stringContaining("folder"),
      failures: 1,
      nextTry: expect.stringMatching(/Z$/),
    });
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    rmSync(join(cwd, "backups"));
    await until(() => madeBy(server).length === 1);
    expect(listed(cwd)).toHaveLength(1);
    await server.stop();
  });
});

const noMounts = noDisks();
test.skipIf(noMounts !== undefined)(
  `a folder that is full is a failure that leaves nothing behind${noMounts === undefined ? "" : ` (${noMounts})`}`,
  async () => {
    const cwd = temporaryDirectory("scheduled");
    mkdirSync(join(cwd, "backups"));
    const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin;";
    const mounting = `mount -t tmpfs -o size=64k none ${join(cwd, "backups")}`;
    const server = await spawnLatchkey({
      executable: "/bin/sh",
      args: [
        "-c",
        `${path} exec unshare --mount /bin/sh -c '${path} ${mounting} && exec "$0"' "$0"`,
        await buildExecutable(),
      ],
      env: { LATCHKEY_BACKUP_DIR: "backups" },
      cwd,
    });
    await until(() => eventsOf(server, "backup_failed").length === 1);
    expect(eventsOf(server, "backup_failed")[0]).toMatchObject({
      reason: "the disk is full; nothing was written",
      remedy: expect.stringMatching(/^free \d+ bytes/),
    });
    expect(readdirSync(`/proc/${server.pid}/root${join(cwd, "backups")}`)).toEqual([]);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await server.stop();
  },
);
