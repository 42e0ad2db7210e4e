import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createEndings } from "../../src/session/endings.ts";
import { createAdapter } from "../../src/auth/adapter.ts";
import { createUnits, newUnit, type Units } from "../../src/auth/unit-of-work.ts";
import type { Database } from "../../src/database/database.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

const day = 86_400_000;

describe.each(dialects)("createAdapter on %s", (dialect) => {
  let outside: TestDatabase;
  let database: Database;
  let units: Units;
  let adapter: ReturnType<ReturnType<typeof createAdapter>>;
  let commits = 0;
  let people = 0;
  beforeAll(async () => {
    outside = await openTestDatabase(dialect);
    database = await openMigrated(outside);
    units = createUnits(database, () => {
      commits += 1;
    });
    const lifetimes = { sessionMaxAgeSeconds: 30 * 86_400, sessionExpiresInSeconds: 7 * 86_400 };
    const endings = createEndings(lifetimes.sessionMaxAgeSeconds, Date.now);
    adapter = createAdapter(database, units, lifetimes, endings)({});
  });
  afterAll(async () => {
    await database.close();
    await outside.close();
  });

  const newPerson = () => {
    const id = `p${(people += 1)}`;
    const at = new Date();
    return {
      id,
      name: "Ann",
      email: `${id}@example.com`,
      emailVerified: false,
      createdAt: at,
      updatedAt: at,
    };
  };
  type Person = ReturnType<typeof newPerson>;
  const create = (person: Person) => adapter.create({ model: "user", data: person, forceAllowId: true });
  const rename = (person: Person, name: string) =>
    adapter.update<Person>({ model: "user", where: [{ field: "id", value: person.id }], update: { name } });
  const find = (person: Person) =>
    adapter.findOne<Person>({ model: "user", where: [{ field: "id", value: person.id }] });
  /** What anybody else sees. */
  const nameOutside = async ({ id }: Person) =>
    (await outside.query('SELECT name FROM "user" WHERE id = $1', [id]))[0]?.["name"];
  const keep = () => true;
  const drop = () => false;
  const failed = (work: Promise<unknown>) =>
    work.then(
      () => "no failure",
      (error: unknown) => error,
    );

  test("makes a write outside a unit a transaction of its own", async () => {
    const person = newPerson();
    const before = commits;
    await create(person);
    expect([await nameOutside(person), commits]).toEqual(["Ann", before + 1]);
    await rename(person, "Bea");
    expect([await nameOutside(person), commits]).toEqual(["Bea", before + 2]);
    expect(await adapter.deleteMany({ model: "user", where: [{ field: "id", value: person.id }] })).toBe(1);
    expect([await nameOutside(person), commits]).toEqual([undefined, before + 3]);
  });

  test("keeps every one of many writes at once", async () => {
    const crowd = Array.from({ length: 40 }, newPerson);
    await Promise.all(crowd.map(create));
    expect(await Promise.all(crowd.map(nameOutside))).toEqual(crowd.map(() => "Ann"));
  });

  test("shows a unit what others commit until its first write, and holds nothing meanwhile", async () => {
    const [seen, own] = [newPerson(), newPerson()];
    await create(seen);
    await units.run(
      newUnit(),
      async () => {
        expect((await find(seen))?.name).toBe("Ann");
        // Were a lock or a transaction held, this would wait, or not be seen.
        await outside.query(`UPDATE "user" SET name = 'Changed' WHERE id = $1`, [seen.id]);
        expect((await find(seen))?.name).toBe("Changed");
        await create(own);
        expect((await find(own))?.name).toBe("Ann");
        await rename(own, "Written");
        expect([(await find(own))?.name, (await find(seen))?.name]).toEqual(["Written", "Changed"]);
        expect(await nameOutside(own)).toBeUndefined();
      },
      keep,
    );
    expect(await nameOutside(own)).toBe("Written");
  });

  test("lets others run between its questions, and before and after the commit", async () => {
    const person = newPerson();
    let rounds = 0;
    const count = () => {
      rounds += 1;
      turn = setImmediate(count);
    };
    let turn = setImmediate(count);
    const seen: number[] = [];
    await units.run(
      newUnit(),
      async () => {
        for (const ask of [find, create, find]) {
          await ask(person);
          seen.push(rounds);
        }
      },
      () => seen.push(rounds) > 0,
    );
    seen.push(rounds);
    clearImmediate(turn);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen[0]).toBeGreaterThan(0);
  });

  test("keeps one unit's uncommitted writes from another's reads", async () => {
    const person = newPerson();
    await units.run(
      newUnit(),
      async () => {
        await create(person);
        // A unit of its own, although it runs within: nested units do not share.
        const seen = await units.run(newUnit(), () => find(person), keep);
        expect(seen).toBeNull();
      },
      keep,
    );
    expect(await nameOutside(person)).toBe("Ann");
  });

  test("undoes a unit that is not kept, that throws, or that was abandoned", async () => {
    const people = [newPerson(), newPerson(), newPerson()] as const;
    const [refused, thrown, abandoned] = people;
    const before = commits;
    await units.run(newUnit(), () => create(refused), drop);
    const failure = new Error("later");
    const work = async () => {
      await create(thrown);
      throw failure;
    };
    expect(await failed(units.run(newUnit(), work, keep))).toBe(failure);
    const unit = newUnit();
    const late = async () => {
      await create(abandoned);
      unit.abandoned = true;
    };
    await units.run(unit, late, keep);
    expect(await Promise.all(people.map(nameOutside))).toEqual([undefined, undefined, undefined]);
    expect(commits).toBe(before);
    // Nothing is left open either.
    await create(newPerson());
  });

  test("joins a nested transaction to its unit", async () => {
    const [first, second] = [newPerson(), newPerson()];
    const work = () =>
      adapter.transaction(async (inner) => {
        await inner.create({ model: "user", data: first, forceAllowId: true });
        await (inner as typeof adapter).transaction((innermost) =>
          innermost.create({ model: "user", data: second, forceAllowId: true }),
        );
        expect(await nameOutside(second)).toBeUndefined();
      });
    const before = commits;
    await units.run(newUnit(), work, drop);
    expect([await nameOutside(first), await nameOutside(second)]).toEqual([undefined, undefined]);
    await units.run(newUnit(), work, keep);
    expect([await nameOutside(first), await nameOutside(second), commits]).toEqual([
      "Ann",
      "Ann",
      before + 1,
    ]);
  });

  test("makes a transaction outside a unit one of its own, all or nothing", async () => {
    const [first, second] = [newPerson(), newPerson()];
    const failure = new Error("between");
    const broken = adapter.transaction(async (inner) => {
      await inner.create({ model: "user", data: first, forceAllowId: true });
      throw failure;
    });
    expect(await failed(broken)).toBe(failure);
    expect(await nameOutside(first)).toBeUndefined();
    await adapter.transaction(async (inner) => {
      await inner.create({ model: "user", data: first, forceAllowId: true });
      await inner.create({ model: "user", data: second, forceAllowId: true });
    });
    expect([await nameOutside(first), await nameOutside(second)]).toEqual(["Ann", "Ann"]);
  });

  test("answers a taken e-mail with upstream's 422, which is no failure of the store", async () => {
    const person = newPerson();
    await create(person);
    const unit = newUnit();
    const error = await failed(units.run(unit, () => create({ ...newPerson(), email: person.email }), keep));
    expect(error).toMatchObject({
      status: "UNPROCESSABLE_ENTITY",
      body: { code: "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL" },
    });
    expect(unit.failure).toBeUndefined();
    await create(newPerson());
  });

  test("keeps the first failure of the store on the unit", async () => {
    const person = newPerson();
    await outside.query("ALTER TABLE verification RENAME TO elsewhere");
    const unit = newUnit();
    const work = async () => {
      await failed(adapter.findOne({ model: "verification", where: [{ field: "identifier", value: "x" }] }));
      const first = unit.failure;
      await failed(adapter.count({ model: "verification" }));
      expect(unit.failure).toBe(first);
      await find(person);
    };
    await units.run(unit, work, drop);
    await outside.query("ALTER TABLE elsewhere RENAME TO verification");
    expect(unit.failure).toBeInstanceOf(Error);
  });

  test("remembers for the log whom and which session it saw", async () => {
    const person = newPerson();
    const unit = newUnit();
    await units.run(
      unit,
      async () => {
        await create(person);
        await createSession(person, { created: 0, expires: day });
      },
      keep,
    );
    expect(unit.seen).toEqual({ userId: person.id, sessionId: `s-${person.id}` });
  });

  const createSession = (person: Person, { created, expires }: { created: number; expires: number }) => {
    const now = Date.now();
    const data = {
      id: `s-${person.id}`,
      token: `t-${person.id}`,
      userId: person.id,
      createdAt: new Date(now + created),
      updatedAt: new Date(now + created),
      expiresAt: new Date(now + expires),
    };
    return adapter.create({ model: "session", data, forceAllowId: true });
  };
  const where = (person: Person) => [{ field: "token", value: `t-${person.id}` }];

  test("S22: shows sessions to end at their absolute lifetime, and refreshes none beyond it", async () => {
    const person = newPerson();
    await create(person);
    await createSession(person, { created: -29 * day, expires: 6 * day });
    const one = await adapter.findOne<{ expiresAt: Date; createdAt: Date }>({
      model: "session",
      where: where(person),
    });
    const end = (one?.createdAt.getTime() ?? 0) + 30 * day;
    const many = await adapter.findMany<{ expiresAt: Date }>({ model: "session", where: where(person) });
    expect([one?.expiresAt.getTime(), ...many.map(({ expiresAt }) => expiresAt.getTime())]).toEqual([
      end,
      end,
    ]);
    const refreshed = await adapter.update<{ expiresAt: Date }>({
      model: "session",
      where: where(person),
      update: { expiresAt: new Date(Date.now() + 7 * day) },
    });
    const [stored] = await outside.query(
      dialect === "sqlite"
        ? "SELECT expires_at AS at FROM session WHERE token = $1"
        : "SELECT floor(extract(epoch from expires_at) * 1000)::float8 AS at FROM session WHERE token = $1",
      [`t-${person.id}`],
    );
    expect([refreshed?.expiresAt.getTime(), Number(stored?.["at"])]).toEqual([end, end]);
  });
});
