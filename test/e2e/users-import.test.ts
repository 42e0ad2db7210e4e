import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hashPassword } from "better-auth/crypto";
import { createClient } from "../support/client.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { parseObject } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const password = "correct horse battery staple";
/** Of `password`, by the programs that are named; docs/moving.md says of each form whose it is. */
const hashes: Readonly<Record<string, string>> = {
  latchkey: await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 }),
  betterAuth: await hashPassword(password),
  bcrypt2b: await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 }),
  /** By libargon2 20171227. */
  argon2i: "$argon2i$v=19$m=4096,t=2,p=4$c29tZXNhbHRzb21lc2FsdA$UToKglmwOnQyRSTcm3BEQ6JZmEkn3mxcucLiFstY4T4",
  argon2d: "$argon2d$v=19$m=4096,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$eT5syteNCPKsFJ61iU5jbx0Q3uUe26TwISTgxnDlP7Q",
  argon2id:
    "$argon2id$v=19$m=4096,t=2,p=16$c29tZXNhbHRzb21lc2FsdA$/EglcwNUwNOU3ryEAaC/XdbwAAv+mXikD9bigP1ineI",
};

interface Place {
  readonly database: TestDatabase;
  readonly server: RunningLatchkey;
}

async function openPlace(dialect: Dialect): Promise<Place> {
  const database = await openTestDatabase(dialect);
  return { database, server: await spawnLatchkey({ env: database.env }) };
}

async function closePlace({ database, server }: Place): Promise<void> {
  await server.stop();
  await database.close();
}

const run = ({ database }: Place, args: readonly string[], stdin?: string) =>
  runLatchkey(["users", ...args], { env: database.env, ...(stdin === undefined ? {} : { stdin }) });

/** Imports, and @returns what it prints as JSON with the exit status. */
async function importText(place: Place, text: string, args: readonly string[] = []) {
  const { exitCode, stdout, stderr } = await run(place, ["import", "-", "--json", ...args], text);
  return { exitCode, stderr, ...JSON.parse(stdout) };
}

const lines = (records: readonly object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

async function signIn({ server }: Place, email: string, tried = password) {
  const client = createClient(server.origin);
  const { error, data } = await client.auth.signIn.email({ email, password: tried });
  return { status: error?.status, id: data?.user.id };
}

const storedOf = async ({ database }: Place, email: string) =>
  (
    await database.query(
      `SELECT password FROM account a JOIN "user" u ON u.id = a.user_id WHERE u.email = $1`,
      [email],
    )
  )[0]?.["password"];

describe.each(dialects)("latchkey users import beside a running server on %s", (dialect) => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace(dialect);
  });
  afterAll(async () => await closePlace(place));
  let made = 0;
  const newEmail = () => `import${(made += 1)}@example.com`;

  test.each(Object.entries(hashes))(
    "keeps a hash of %s, and makes it anew at the first sign-in",
    async (_kind, hash) => {
      const email = newEmail();
      const { exitCode, imported } = await importText(place, lines([{ email, passwordHash: hash }]));
      expect({ exitCode, imported }).toEqual({ exitCode: 0, imported: 1 });
      expect((await signIn(place, email, `${password} `)).status).toBe(401);
      expect((await signIn(place, email)).status).toBeUndefined();
      while (!String(await storedOf(place, email)).startsWith("$argon2id$v=19$m=19456,t=2,p=1$"))
        await Bun.sleep(20);
      expect((await signIn(place, email)).status).toBeUndefined();
    },
  );

  test("takes every field, and of what is missing what a sign-up would give", async () => {
    const [full, bare] = [newEmail(), newEmail()];
    const record = {
      id: `full-${made}`,
      email: full.toUpperCase(),
      name: 'Ann, "the" Änn',
      emailVerified: true,
      image: "https://example.com/ann.png",
      createdAt: "2020-01-02T03:04:05.678Z",
      updatedAt: "2021-01-02 03:04:05.678+00",
    };
    expect(await importText(place, lines([record, { email: bare }]))).toMatchObject({
      imported: 2,
      refused: 0,
    });
    const shown = async (email: string) => JSON.parse((await run(place, ["show", email, "--json"])).stdout);
    expect(await shown(full)).toEqual({
      user: { ...record, lockedAt: null, email: full, updatedAt: "2021-01-02T03:04:05.678Z" },
      hasPassword: false,
      sessions: 0,
    });
    const { user } = await shown(bare);
    expect(user).toEqual({
      id: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
      email: bare,
      name: bare.split("@")[0],
      emailVerified: false,
      image: null,
      lockedAt: null,
      createdAt: expect.stringMatching(/^\d{4}-/),
      updatedAt: user.createdAt,
    });
  });

  test("goes on where it was cut short, and leaves those alone who are there", async () => {
    const records = Array.from({ length: 30 }, () => ({
      email: newEmail(),
      passwordHash: hashes["bcrypt2b"],
    }));
    expect(await importText(place, lines(records.slice(0, 10)))).toMatchObject({ imported: 10, there: 0 });
    await signIn(place, records[0]?.email ?? "");
    expect(await importText(place, lines(records))).toMatchObject({
      exitCode: 0,
      imported: 20,
      there: 10,
      refused: 0,
    });
    expect(await importText(place, lines(records))).toMatchObject({
      exitCode: 0,
      imported: 0,
      there: 30,
      refused: 0,
    });
    expect((await signIn(place, records[29]?.email ?? "")).status).toBeUndefined();
  });

  test("refuses by the line who has an account already, and twins, and imports the others", async () => {
    const [taken, twin, fine] = [newEmail(), newEmail(), newEmail()];
    const client = createClient(place.server.origin);
    await client.auth.signUp.email({ email: taken, password, name: "Ann" });
    const before = await storedOf(place, taken);
    const records = [
      { email: taken, passwordHash: hashes["argon2i"] },
      { id: `twin-${made}`, email: twin },
      { id: `twin-${made}`, email: newEmail() },
      { email: twin, passwordHash: hashes["argon2i"] },
      { email: fine },
    ];
    const { exitCode, imported, refusals } = await importText(place, lines(records));
    expect({ exitCode, imported, lines: refusals.map(({ line, field }: never) => [line, field]) }).toEqual({
      exitCode: 2,
      imported: 2,
      lines: [
        [1, "email"],
        [3, "id"],
        [4, "email"],
      ],
    });
    expect(await storedOf(place, taken)).toBe(before);
  });

  test("imports all or nobody with --atomic, and nobody with --dry-run", async () => {
    const [first, second] = [newEmail(), newEmail()];
    const file = join(temporaryDirectory("import"), "users.jsonl");
    for (const text of [
      lines([{ email: first }, { email: "bogus" }]),
      lines([
        { id: "a1", email: first },
        { id: "a1", email: second },
      ]),
    ]) {
      writeFileSync(file, text);
      for (const args of [
        ["import", file, "--atomic"],
        ["import", "-", "--atomic"],
      ]) {
        const { exitCode, stdout, stderr } = await run(place, args, args[1] === "-" ? text : undefined);
        expect({ exitCode, stdout }).toEqual({
          exitCode: 2,
          stdout: expect.stringMatching(/^0 imported, \d there already, 1 refused; nothing was imported\n$/),
        });
        expect(stderr).toContain("line 2: ");
        expect(stderr.split("\n").flatMap(parseObject)[0]).toMatchObject({
          event: "account_import",
          outcome: "failure",
          reason: "refused_lines",
          imported: 0,
        });
      }
    }
    writeFileSync(file, lines([{ email: first }, { email: second }]));
    const dry = await run(place, ["import", file, "--dry-run"]);
    expect(dry).toEqual({
      exitCode: 0,
      stdout: "2 would be imported, 0 there already, 0 refused\n",
      stderr: "",
    });
    expect((await run(place, ["show", first])).exitCode).toBe(2);
    const { exitCode, stdout } = await run(place, ["import", file, "--atomic"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "2 imported, 0 there already, 0 refused\n" });
    expect((await run(place, ["show", second])).exitCode).toBe(0);
  });
});

describe.each(dialects)("latchkey users export on %s", (dialect) => {
  test.each(["jsonl", "csv"])(
    "moves everybody to another database by %s, where all sign in",
    async (format) => {
      const next = dialects[(dialects.indexOf(dialect) + 1) % dialects.length] ?? dialect;
      const [from, to] = [await openPlace(dialect), await openPlace(next)];
      const records = Object.entries(hashes).map(([kind, hash]) => ({
        email: `${kind}@example.com`.toLowerCase(),
        name: `=1+1,"${kind}"\nsecond line`,
        passwordHash: hash,
      }));
      await importText(from, lines([...records, { email: "none@example.com", name: "'=x" }]));
      await createClient(from.server.origin).auth.signUp.email({
        email: "own@example.com",
        password,
        name: "-own",
      });
      const locked = "latchkey@example.com";
      expect((await run(from, ["lock", locked])).exitCode).toBe(0);
      const file = join(temporaryDirectory("export"), `users.${format}`);
      const exported = await run(from, [
        "export",
        "--with-hashes",
        "--output",
        file,
        "--format",
        format,
        "--json",
      ]);
      expect({ exitCode: exported.exitCode, printed: JSON.parse(exported.stdout) }).toEqual({
        exitCode: 0,
        printed: { path: file, users: records.length + 2, withHashes: true },
      });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect((await run(from, ["export", "--output", file])).exitCode).toBe(2);
      const { exitCode, stdout } = await run(to, ["import", file]);
      expect({ exitCode, stdout }).toEqual({
        exitCode: 0,
        stdout: `${records.length + 2} imported, 0 there already, 0 refused\n`,
      });
      for (const email of [...records.map((record) => record.email), "own@example.com"])
        expect([email, (await signIn(to, email)).status]).toEqual([
          email,
          email === locked ? 401 : undefined,
        ]);
      const lockedAt = async (place: Place) => {
        const { user } = JSON.parse((await run(place, ["show", locked, "--json"])).stdout);
        return user.lockedAt;
      };
      expect(await lockedAt(to)).toMatch(/^\d{4}-/);
      expect(await lockedAt(to)).toBe(await lockedAt(from));
      expect((await run(to, ["unlock", locked])).exitCode).toBe(0);
      expect((await signIn(to, locked)).status).toBeUndefined();
      expect((await run(from, ["unlock", locked])).exitCode).toBe(0);
      expect((await signIn(to, "none@example.com")).status).toBe(401);
      const plain = async (place: Place) => (await run(place, ["export", "--format", format])).stdout;
      expect(await plain(to)).toBe(await plain(from));
      expect(await plain(to)).not.toContain("$");
      if (format === "csv") expect(await plain(to)).not.toMatch(/(^|,)"?[=+\-@]/m);
      await Promise.all([closePlace(from), closePlace(to)]);
    },
  );
});
