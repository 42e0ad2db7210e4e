import { Database } from "bun:sqlite";
import {
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { noDisks } from "../support/disk.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

/** Kills of a restore, from its first moment to behind its last. */
const rounds = Number(process.env["LATCHKEY_TEST_RESTORE_KILLS"] ?? 12);
const at = (...names: readonly string[]) => join(place, ...names);
const restore = (cwd: string, ...args: readonly string[]) => runLatchkey(["restore", ...args], { cwd });
const addPeople = (file: string, ...names: readonly string[]) => {
  const db = new Database(file);
  for (const name of names)
    db.run(
      "INSERT INTO user (id, name, email, email_verified, created_at, updated_at) VALUES (?1, ?1, ?1, 0, 0, 0)",
      [name],
    );
  db.close(true);
};
/** Whose accounts are in a file, once it is known to be whole. */
const peopleIn = (file: string) => {
  const db = new Database(file, { readonly: true });
  using check = db.prepare<{ integrity_check: string }, []>("PRAGMA integrity_check");
  expect(check.all()).toEqual([{ integrity_check: "ok" }]);
  using statement = db.prepare<{ id: string }, []>("SELECT id FROM user ORDER BY id");
  const people = statement.all().map(({ id }) => id);
  db.close(true);
  return people;
};
const contents = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory)
      .toSorted()
      .map((name) => [name, Bun.hash(readFileSync(join(directory, name))).toString()]),
  );

/** Has `old.db`, `new.db` and their secrets. */
let place: string;
beforeAll(async () => {
  place = temporaryDirectory("backups");
  for (const name of ["old", "new"]) {
    const cwd = temporaryDirectory(name);
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    addPeople(
      join(cwd, "data", "latchkey.db"),
      name,
      ...Array.from({ length: 2000 }, (_, n) => `${name}-${n}`),
    );
    const made = await runLatchkey(["backup", at(`${name}.db`), "--with-secret"], { cwd });
    expect(made.exitCode).toBe(0);
  }
});

/** A machine on which the old database is in use, or was. */
async function oldMachine(): Promise<{ cwd: string; data: string; file: string }> {
  const cwd = temporaryDirectory("machine");
  const data = join(cwd, "data");
  expect((await restore(cwd, at("old.db"), "--secret", at("old.db.secret"))).exitCode).toBe(0);
  return { cwd, data, file: join(data, "latchkey.db") };
}

describe("latchkey restore", () => {
  test("keeps what was there, with its log and the secret, under names that are free", async () => {
    const { cwd, data, file } = await oldMachine();
    const oldSecret = readFileSync(join(data, "secret"), "utf8");
    const server = await spawnLatchkey({ env: {}, cwd });
    addPeople(file, "in-the-log");
    await server.kill();
    expect(readdirSync(data)).toContain("latchkey.db-wal");
    const first = await restore(cwd, at("new.db"), "--secret", at("new.db.secret"));
    expect([first.exitCode, splitLog(first.stderr)]).toMatchObject([
      0,
      {
        talk: "",
        log: [
          {
            event: "restore",
            outcome: "success",
            path: at("new.db"),
            kept: `${file}.before-restore`,
            keptSecret: join(data, "secret.before-restore"),
          },
        ],
      },
    ]);
    expect(first.stdout).toContain(`${file}.before-restore: what was there\n`);
    expect(readdirSync(data).toSorted()).toEqual([
      "latchkey.db",
      "latchkey.db.before-restore",
      "secret",
      "secret.before-restore",
    ]);
    expect(peopleIn(file)).toEqual(peopleIn(at("new.db")));
    expect(peopleIn(`${file}.before-restore`)).toEqual([...peopleIn(at("old.db")), "in-the-log"].toSorted());
    expect(readFileSync(join(data, "secret.before-restore"), "utf8")).toBe(oldSecret);
    expect(readFileSync(join(data, "secret"), "utf8")).toBe(readFileSync(at("new.db.secret"), "utf8"));
    const second = await restore(cwd, at("old.db"), "--json");
    expect(JSON.parse(second.stdout)).toMatchObject({ users: 2001, kept: `${file}.before-restore-2` });
    expect(peopleIn(`${file}.before-restore-2`)).toEqual(peopleIn(at("new.db")));
    const again = await spawnLatchkey({ env: {}, cwd });
    expect((await fetch(`${again.url}/health`)).status).toBe(200);
    expect(await again.stop()).toBe(0);
  });

  test("is refused beside a running server, which does not notice", async () => {
    const { cwd, data, file } = await oldMachine();
    const server = await spawnLatchkey({ env: {}, cwd });
    const before = readdirSync(data).toSorted();
    const { exitCode, stdout, stderr } = await restore(cwd, at("new.db"), "--secret", at("new.db.secret"));
    expect([exitCode, stdout, stderr]).toEqual([1, "", expect.stringContaining("is in use")]);
    expect(stderr).toContain("Try: end it");
    expect(splitLog(stderr).log).toMatchObject([
      { event: "restore", outcome: "failure", reason: "failed", path: at("new.db") },
    ]);
    expect(readdirSync(data).toSorted()).toEqual(before);
    expect(readFileSync(join(data, "secret"), "utf8")).toBe(readFileSync(at("old.db.secret"), "utf8"));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(server.logs().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    await server.stop();
    expect((await restore(cwd, at("new.db"))).exitCode).toBe(0);
    expect(peopleIn(file)).toEqual(peopleIn(at("new.db")));
  });

  const damaged = (name: string, harm: (file: string) => void) => {
    copyFileSync(at("new.db"), at(name));
    harm(at(name));
  };
  const change = (sql: string) => (file: string) => {
    const db = new Database(file);
    db.run(sql);
    db.close(true);
  };
  const middle = (file: string) => {
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096 * 12, 4096 * 20);
    writeFileSync(file, bytes);
  };
  const indexedOtherwise = (file: string) => {
    const bytes = readFileSync(file);
    bytes.write("nEw-1234", bytes.indexOf("new-1234"));
    writeFileSync(file, bytes);
  };
  test.each([
    ["missing", () => {}, "there is no file"],
    ["empty", (file: string) => writeFileSync(file, ""), "is empty"],
    [
      "of another kind",
      (file: string) => writeFileSync(file, "hello ".repeat(9000)),
      "is not a SQLite database",
    ],
    ["cut short", (file: string) => truncateSync(file, 4096 * 15), "is damaged"],
    ["damaged within", middle, "is damaged"],
    ["not what its indexes say", indexedOtherwise, "is damaged: row"],
    ["without latchkey's tables", change("DROP TABLE verification"), "has no table verification"],
    ["of another service", change("DROP TABLE latchkey_migration"), "has no table latchkey_migration"],
    [
      "of a newer latchkey",
      change("INSERT INTO latchkey_migration VALUES ('9999_later', 'x', 1, 0)"),
      "was made by a newer latchkey (9999_later)",
    ],
  ])("a source that is %s is refused, and nothing is changed", async (what, harm, says) => {
    const { cwd, data } = await oldMachine();
    const name = `${what.replaceAll(/\W/g, "-")}.db`;
    if (what !== "missing") damaged(name, harm);
    const before = contents(data);
    const { exitCode, stdout, stderr } = await restore(cwd, at(name));
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(says)]);
    expect(stderr).toMatch(/^Try: .+\n$/m);
    expect(splitLog(stderr).log).toMatchObject([{ outcome: "failure", reason: "unusable_backup" }]);
    expect(contents(data)).toEqual(before);
    const nowhere = temporaryDirectory("nowhere");
    expect((await restore(nowhere, at(name))).exitCode).toBe(2);
    expect(readdirSync(nowhere)).toEqual([]);
  });

  test("the database itself, and a secret that is none, are refused too", async () => {
    const { cwd, data, file } = await oldMachine();
    const before = contents(data);
    writeFileSync(at("short.secret"), "short\n");
    for (const [args, says] of [
      [[file], "is the database that latchkey works on"],
      [[at("new.db"), "--secret", at("short.secret")], "holds no secret"],
      [[at("new.db"), "--secret", at("none.secret")], "is not a file"],
    ] as const) {
      const { exitCode, stderr } = await restore(cwd, ...args);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(says)]);
    }
    expect(contents(data)).toEqual(before);
  });

  test.skipIf(process.getuid?.() !== 0)("as root leaves everything to the owner of the folder", async () => {
    const cwd = temporaryDirectory("owned");
    const data = join(cwd, "data");
    mkdirSync(data, { mode: 0o700 });
    chownSync(data, 65_534, 65_534);
    for (const name of ["old", "new"])
      expect((await restore(cwd, at(`${name}.db`), "--secret", at(`${name}.db.secret`))).exitCode).toBe(0);
    expect(readdirSync(data).map((name) => statSync(join(data, name)).uid)).toEqual([
      65_534, 65_534, 65_534, 65_534,
    ]);
  });

  test("what is left of a database that is gone is not played into the new one", async () => {
    const { cwd, data, file } = await oldMachine();
    const server = await spawnLatchkey({ env: {}, cwd });
    addPeople(file, "in-the-log");
    await server.kill();
    renameSync(file, join(cwd, "moved.db"));
    for (const [gone, says] of [
      ["latchkey.db-open", "is kept as"],
      ["latchkey.db-wal", "its log"],
      ["latchkey.db-shm", "latchkey.db-shm of it is there"],
    ] as const) {
      const { exitCode, stderr } = await restore(cwd, at("new.db"));
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(says)]);
      expect(stderr).toContain(`rm -f `);
      rmSync(join(data, gone));
    }
    expect((await restore(cwd, at("new.db"))).exitCode).toBe(0);
    expect(peopleIn(file)).toEqual(peopleIn(at("new.db")));
  });

  test("a database that is damaged is kept, as the message says", async () => {
    const { cwd, file } = await oldMachine();
    writeFileSync(file, "x".repeat(8192));
    const { exitCode, stderr } = await restore(cwd, at("new.db"));
    expect(exitCode).toBe(1);
    const way = /then: (.+); and restore again/.exec(stderr)?.[1] ?? "";
    expect(Bun.spawnSync(["/bin/sh", "-euc", way]).exitCode).toBe(0);
    expect((await restore(cwd, at("new.db"))).exitCode).toBe(0);
    expect(peopleIn(file)).toEqual(peopleIn(at("new.db")));
    expect(existsSync(`${file}.damaged`)).toBe(true);
  });
});

const noMounts = noDisks();
describe("a disk that is full", () => {
  test.skipIf(noMounts !== undefined)(
    `is left as it was by both${noMounts === undefined ? "" : ` (${noMounts})`}`,
    async () => {
      const cwd = temporaryDirectory("full");
      const script = `
        mkdir data
        mount -t tmpfs -o size=2m none data
        "$0" restore ${at("old.db")} --secret ${at("old.db.secret")}
        dd if=/dev/zero of=data/filler bs=4k status=none
        (cd data && sha256sum *) > before
        "$0" restore ${at("new.db")}; echo $? >> exits
        "$0" backup data/copy.db --with-secret; echo $? >> exits
        (cd data && sha256sum *) > after`;
      const child = Bun.spawn(["unshare", "--mount", "/bin/sh", "-c", script, await buildExecutable()], {
        cwd,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        stdout: "ignore",
        stderr: "pipe",
      });
      expect(
        (await child.stderr.text()).match(/^Error: the disk is full; nothing was written$/gm),
      ).toHaveLength(2);
      const read = (name: string) => readFileSync(join(cwd, name), "utf8");
      expect(read("exits")).toBe("1\n1\n");
      expect(read("before")).toContain("latchkey.db\n");
      expect(read("after")).toBe(read("before"));
    },
  );
});

describe("latchkey restore that is killed", () => {
  test("leaves the old database or the new one, whole, and can be run again", async () => {
    const model = await oldMachine();
    const server = await spawnLatchkey({ env: {}, cwd: model.cwd });
    addPeople(model.file, "in-the-log");
    await server.kill();
    const old = [...peopleIn(at("old.db")), "in-the-log"].toSorted();
    const fresh = peopleIn(at("new.db"));
    const executable = await buildExecutable();
    const { cwd: another } = await oldMachine();
    const begun = performance.now();
    expect((await restore(another, at("new.db"))).exitCode).toBe(0);
    const wholeMs = performance.now() - begun;
    const found = { old: 0, new: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const cwd = join(temporaryDirectory("killed"), "machine");
      cpSync(model.cwd, cwd, { recursive: true });
      const file = join(cwd, "data", "latchkey.db");
      rmSync(`${file}-open`);
      linkSync(file, `${file}-open`);
      const child = Bun.spawn([executable, "restore", at("new.db")], { cwd, env: {}, stderr: "ignore" });
      // Every other one at the exchange itself, which is over in no time.
      if (round % 2 === 0) await Bun.sleep(wholeMs * 3 * (round / rounds));
      else while (child.exitCode === null && !existsSync(`${file}.before-restore`)) await Bun.sleep(0);
      child.kill("SIGKILL");
      await child.exited;
      const started = await spawnLatchkey({ env: {}, cwd });
      expect((await fetch(`${started.url}/health`)).status).toBe(200);
      await started.stop();
      const people = peopleIn(file);
      expect([old, fresh]).toContainEqual(people);
      found[people.includes("in-the-log") ? "old" : "new"] += 1;
      expect((await restore(cwd, at("new.db"))).exitCode).toBe(0);
      expect(peopleIn(file)).toEqual(fresh);
    }
    expect(found.old).toBeGreaterThan(0);
    expect(found.new).toBeGreaterThan(0);
  });
});

describe.each(dialects.filter((dialect) => dialect !== "sqlite"))("backup and restore on %s", (dialect) => {
  let database: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
  });
  afterAll(() => database.close());

  test.each([
    ["backup", "pg_dump --format=custom --no-owner --file="],
    ["restore", "pg_restore --clean --if-exists --no-owner --single-transaction --dbname="],
  ])("%s is refused with PostgreSQL's command, without the password", async (command, says) => {
    const url = new URL(database.url);
    url.password = "s3cret-of-the-database";
    url.search = "?sslmode=disable&sslpassword=s3cret-too";
    const env = { ...database.env, DATABASE_URL: url.href };
    const cwd = temporaryDirectory("server");
    const { exitCode, stdout, stderr } = await runLatchkey([command, "x.dump"], { env, cwd });
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(`Try: ${says}`)]);
    expect(stderr).toContain(`${url.host}${url.pathname}?sslmode=disable`);
    expect(stderr).toContain("PGPASSWORD or ~/.pgpass");
    expect(stderr).not.toContain("s3cret");
    expect(readdirSync(cwd)).toEqual([]);
  });
});
