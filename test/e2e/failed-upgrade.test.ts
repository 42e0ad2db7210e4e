import { Database } from "bun:sqlite";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { settleFailure } from "../../src/database/migration-snapshot.ts";
import { createClient } from "../support/client.ts";
import { noDisks } from "../support/disk.ts";
import { buildExecutable, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const rounds = Number(process.env["LATCHKEY_TEST_UPGRADE_KILLS"] ?? 12);
/** What an executable without the last four migrations left. */
const undo = `
  DROP TABLE latchkey_mail;
  DROP TABLE latchkey_lock;
  DROP TABLE latchkey_limit;
  DROP INDEX account_foreign_hash_idx;
  DELETE FROM latchkey_migration WHERE tag IN ('0003_foreign_hash', '0004_limits', '0005_locks', '0006_mail')`;
const snapshotName = "latchkey.db.before-0003_foreign_hash";

const change = (file: string, sql: string) => {
  const db = new Database(file);
  db.run(sql);
  db.close(true);
};
const tagsIn = (file: string) => {
  const db = new Database(file, { readonly: true });
  using check = db.prepare<{ integrity_check: string }, []>("PRAGMA integrity_check");
  expect(check.all()).toEqual([{ integrity_check: "ok" }]);
  using statement = db.prepare<{ tag: string }, []>("SELECT tag FROM latchkey_migration ORDER BY tag");
  const tags = statement.all().map(({ tag }) => tag.slice(0, 4));
  db.close(true);
  return tags;
};
const isUpgraded = (file: string) => {
  try {
    return tagsIn(file).length === current.length;
  } catch {
    // It is being written.
    return false;
  }
};
const [former, current] = [
  ["0000", "0001", "0002"],
  ["0000", "0001", "0002", "0003", "0004", "0005", "0006"],
];

/** A folder of a former executable's, with Ann, who is signed in, and 4,000 others. */
let place: string;
let jar: ReturnType<typeof createClient>["jar"];
beforeAll(async () => {
  place = temporaryDirectory("former");
  const server = await spawnLatchkey({ env: {}, cwd: place });
  const ann = createClient(server.origin);
  const { error } = await ann.auth.signUp.email({ email: "ann@example.com", password, name: "Ann" });
  expect(error).toBeNull();
  jar = ann.jar;
  await server.stop();
  change(
    join(place, "data", "latchkey.db"),
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
     INSERT INTO user (id, name, email, email_verified, created_at, updated_at)
     SELECT 'user-' || i, hex(randomblob(40)), i || '@example.com', 0, 0, 0 FROM n`,
  );
  change(join(place, "data", "latchkey.db"), undo);
});
const machine = () => {
  const cwd = temporaryDirectory("upgrade");
  cpSync(place, cwd, { recursive: true });
  return { cwd, data: join(cwd, "data"), file: join(cwd, "data", "latchkey.db") };
};
const annLives = async (cwd: string) => {
  const server = await spawnLatchkey({ env: {}, cwd });
  const { status } = await createClient(server.origin, { jar }).fetch("/api/auth/verify");
  await server.stop();
  return status === 200;
};

describe("an upgrade of an embedded database", () => {
  test("keeps what it was before, says how to go back, and going back works", async () => {
    const { cwd, data, file } = machine();
    writeFileSync(join(data, "latchkey.db.before-0001_indexes"), "of an upgrade long ago");
    writeFileSync(join(data, `${snapshotName}.1-x.tmp`), "of a start that was killed");
    const server = await spawnLatchkey({ env: {}, cwd });
    await server.stop();
    const snapshot = join(data, snapshotName);
    const lines = server.logs().filter((line) => line["snapshot"] === snapshot);
    expect(lines[0]).toMatchObject({ event: "migration", applied: expect.any(Array), snapshot });
    expect(lines.map(({ msg }) => msg)).toEqual([
      "schema migrated",
      `to go back: end this one, and latchkey restore ${snapshot} by the one before`,
    ]);
    expect(readdirSync(data).toSorted()).toEqual(["latchkey.db", snapshotName, "secret"]);
    expect([tagsIn(file), tagsIn(snapshot)]).toEqual([current, former]);
    const back = await runLatchkey(["restore", snapshot], { cwd });
    expect([back.exitCode, tagsIn(file)]).toEqual([0, former]);
    expect(await annLives(cwd)).toBe(true);
  });

  test("makes no copy where nothing is pending, or nobody has an account", async () => {
    const { cwd, data, file } = machine();
    change(file, "DELETE FROM user");
    const { exitCode, stdout, stderr } = await runLatchkey(["migrate", "--json"], { cwd });
    const applied = ["0003_foreign_hash", "0004_limits", "0005_locks", "0006_mail"];
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, { driver: "sqlite", applied }]);
    expect(splitLog(stderr)).toMatchObject({
      talk: "",
      log: [{ event: "migration", outcome: "success", operator: process.getuid?.(), applied }],
    });
    expect((await runLatchkey(["migrate"], { cwd })).stdout).toBe("the schema is up to date\n");
    expect(readdirSync(data)).toEqual(expect.not.arrayContaining([snapshotName]));
  });

  test("of several starts at once makes one copy, from before", async () => {
    const { cwd, data } = machine();
    const results = await Promise.all([1, 2, 3].map(() => runLatchkey(["migrate", "--json"], { cwd })));
    const snapshots = results.map(({ stdout }) => (JSON.parse(stdout) as { snapshot?: string }).snapshot);
    expect(snapshots.filter((path) => path !== undefined)).toEqual([join(data, snapshotName)]);
    expect(tagsIn(join(data, snapshotName))).toEqual(former);
  });

  test("that fails leaves the database as it was, and no copy of it", async () => {
    const { cwd, data, file } = machine();
    // The migration makes a table of that name.
    change(file, "CREATE VIEW latchkey_limit AS SELECT 1 AS one");
    const { exitCode, stderr } = await runLatchkey(["serve"], { cwd, env: { PORT: "0" } });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`${file} is as it was`)]);
    const migrated = await runLatchkey(["migrate"], { cwd });
    expect([migrated.exitCode, splitLog(migrated.stderr).log]).toMatchObject([
      1,
      [{ event: "migration", outcome: "failure", reason: "failed" }],
    ]);
    expect(tagsIn(file)).toEqual(former);
    expect(readdirSync(data).filter((name) => name.includes("before"))).toEqual([]);
    change(file, "DROP VIEW latchkey_limit");
    expect(await annLives(cwd)).toBe(true);
  });

  test("killed at any moment, is right at the next start", async () => {
    const executable = await buildExecutable();
    const began = performance.now();
    expect((await runLatchkey(["migrate"], { cwd: machine().cwd })).exitCode).toBe(0);
    const wholeMs = performance.now() - began;
    const seen = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      const { cwd, data, file } = machine();
      const child = Bun.spawn([executable, "migrate"], {
        cwd,
        env: {},
        stdio: ["ignore", "ignore", "ignore"],
      });
      if (round < rounds - 1) await Bun.sleep((wholeMs * 1.1 * round) / rounds);
      // The last one as soon as its work can be seen, however long that takes here.
      else while (child.exitCode === null && !isUpgraded(file)) await Bun.sleep(1);
      child.kill("SIGKILL");
      await child.exited;
      seen.add(tagsIn(file).length === former.length ? "before" : "after");
      expect(await annLives(cwd)).toBe(true);
      expect(tagsIn(file)).toEqual(current);
      expect(tagsIn(join(data, snapshotName))).toEqual(former);
      expect(readdirSync(data).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
    expect([...seen].toSorted()).toEqual(["after", "before"]);
  });
});

const noMounts = noDisks();
describe.skipIf(noMounts !== undefined)(
  `an upgrade on a disk that fills${noMounts === undefined ? "" : ` (${noMounts})`}`,
  () => {
    test("at any point leaves what was there, whole, and is made once there is room", async () => {
      const cwd = temporaryDirectory("full");
      cpSync(join(place, "data"), join(cwd, "model"), { recursive: true });
      // The copy has room on some of these, and the migration's own pages on fewer.
      const script = `
        mkdir data
        mount -t tmpfs -o size=16m none data
        for free in 0 8 400 $(seq 740 4 860) 1200; do
          rm -rf data/*; cp model/* data/
          avail=$(df -k --output=avail data | tail -n 1)
          dd if=/dev/zero of=data/filler bs=1k count=$((avail - free)) status=none
          "$0" migrate >> said 2>&1; code=$?
          (cd data && ls) > listed-$free
          cp data/latchkey.db after-$free.db
          echo "$free $code" >> exits
        done
        rm data/filler; "$0" migrate; echo "room $?" >> exits; cp data/latchkey.db room.db`;
      const child = Bun.spawn(["unshare", "--mount", "/bin/sh", "-c", script, await buildExecutable()], {
        cwd,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        stdout: "ignore",
        stderr: "pipe",
      });
      expect(await child.stderr.text()).not.toContain("dd:");
      const exits = readFileSync(join(cwd, "exits"), "utf8").trim().split("\n");
      expect(exits.at(-1)).toBe("room 0");
      expect(tagsIn(join(cwd, "room.db"))).toEqual(current);
      const outcomes = new Set<string>();
      for (const line of exits.slice(0, -1)) {
        const [free, code] = line.split(" ");
        const listed = readFileSync(join(cwd, `listed-${free}`), "utf8");
        outcomes.add(String(code));
        expect([code, tagsIn(join(cwd, `after-${free}.db`))]).toEqual([
          code,
          code === "0" ? current : former,
        ]);
        expect([code, listed.includes(snapshotName)]).toEqual([code, code === "0"]);
        expect(listed).not.toContain(".tmp");
      }
      expect([...outcomes].toSorted()).toEqual(["0", "1"]);
      const said = readFileSync(join(cwd, "said"), "utf8");
      expect(said).toContain("could not be copied before its schema changes: the disk is full");
      expect(said).toContain("could not be brought up to date:");
      expect(said).toContain("is as it was");
    });
  },
);

describe("settleFailure", () => {
  test("puts the copy back where the database is damaged, and keeps what became of it", async () => {
    const { data, file } = machine();
    cpSync(file, join(data, snapshotName));
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0x5a, 4096 * 3, 4096 * 9));
    const error = await settleFailure(file, join(data, snapshotName), new Error("of the disk"));
    expect(error.message).toContain("of the disk; what it was before was put back");
    expect(tagsIn(file)).toEqual(former);
    expect(existsSync(`${file}.before-restore`)).toBe(true);
  });
});
