import { describe, expect, test } from "bun:test";
import { createUnits, newUnit } from "../../src/auth/unit-of-work.ts";
import type { Database, Transaction } from "../../src/database/database.ts";
import { storeUnavailable } from "../../src/database/store-error.ts";

/** Units over a database that only tells what was asked of it. */
function open({
  commit = async () => {},
  begin,
}: {
  commit?: () => Promise<void>;
  begin?: () => Promise<Transaction>;
} = {}) {
  const done: string[] = [];
  let begun = 0;
  const database = {
    begin:
      begin ??
      (async () => {
        const number = (begun += 1);
        done.push(`begin ${number}`);
        return {
          db: {},
          query: async () => [],
          commit: async () => {
            done.push(`commit ${number}`);
            await commit();
          },
          rollback: async () => void done.push(`roll back ${number}`),
        };
      }),
  } as unknown as Database;
  const units = createUnits(database, () => void done.push("heard"));
  return { units, done };
}

const always = () => true;
const failure = new Error("work failed");

describe("createUnits", () => {
  test("begins nothing for a unit that does not write", async () => {
    const { units, done } = open();
    expect(await units.run(newUnit(), async () => "read", always)).toBe("read");
    expect(done).toEqual([]);
  });

  test("begins once, at the first write, and commits once at the end", async () => {
    const { units, done } = open();
    await units.run(
      newUnit(),
      async () => {
        done.push("read");
        const writes = [units.write(), units.write()];
        expect(writes[0]).toBe(writes[1] as Promise<Transaction>);
        await Promise.all(writes);
        await units.write();
        done.push("written");
      },
      always,
    );
    expect(done).toEqual(["read", "begin 1", "written", "commit 1", "heard"]);
  });

  test("rolls back what the caller does not keep, and returns the result", async () => {
    const { units, done } = open();
    const status = await units.run(
      newUnit(),
      async () => (await units.write(), 422),
      (answer) => answer < 400,
    );
    expect([status, ...done]).toEqual([422, "begin 1", "roll back 1"]);
  });

  test("rolls back when the work throws, and throws the same", async () => {
    const { units, done } = open();
    const work = async () => {
      await units.write();
      throw failure;
    };
    expect(await units.run(newUnit(), work, always).catch((error: unknown) => error)).toBe(failure);
    expect(done).toEqual(["begin 1", "roll back 1"]);
  });

  test("rolls back a unit that was abandoned meanwhile, even behind a good answer", async () => {
    const { units, done } = open();
    const unit = newUnit();
    await units.run(
      unit,
      async () => {
        await units.write();
        unit.abandoned = true;
      },
      always,
    );
    expect(done).toEqual(["begin 1", "roll back 1"]);
  });

  test("throws what the commit throws, tells nobody of it, and does not roll back what is ended", async () => {
    const lost = storeUnavailable(new Error("lost"));
    const { units, done } = open({ commit: () => Promise.reject(lost) });
    const work = async () => void (await units.write());
    expect(await units.run(newUnit(), work, always).catch((error: unknown) => error)).toBe(lost);
    expect(done).toEqual(["begin 1", "commit 1"]);
  });

  test("throws what begin throws, with nothing to roll back", async () => {
    const busy = storeUnavailable(new Error("busy"));
    const { units, done } = open({ begin: () => Promise.reject(busy) });
    const work = async () => void (await units.write());
    expect(await units.run(newUnit(), work, always).catch((error: unknown) => error)).toBe(busy);
    // Work that swallowed the failure does not count as kept either.
    const swallowing = async () => void (await units.write()?.catch(() => {}));
    expect(await units.run(newUnit(), swallowing, always).catch((error: unknown) => error)).toBe(busy);
    expect(done).toEqual([]);
  });

  test("knows the unit through asynchronous work, and none outside", async () => {
    const { units } = open();
    const unit = newUnit();
    expect([units.current(), units.write()]).toEqual([undefined, undefined]);
    await units.run(
      unit,
      async () => {
        await Bun.sleep(1);
        await Promise.all([1, 2].map(async () => expect(units.current()).toBe(unit)));
      },
      always,
    );
    expect(units.current()).toBeUndefined();
  });

  test("gives units that run at once, or within one another, a transaction each", async () => {
    const { units, done } = open();
    const first = Promise.withResolvers<void>();
    const outer = units.run(
      newUnit(),
      async () => {
        await units.write();
        await units.run(
          newUnit(),
          async () => void (await units.write()),
          () => false,
        );
        await first.promise;
      },
      always,
    );
    await units.run(newUnit(), async () => void (await units.write()), always);
    first.resolve();
    await outer;
    expect(done.filter((entry) => !entry.startsWith("begin")).sort()).toEqual(
      [
        "commit 1",
        "heard",
        "heard",
        done.includes("roll back 2") ? "commit 3" : "commit 2",
        done.includes("roll back 2") ? "roll back 2" : "roll back 3",
      ].sort(),
    );
  });
});
