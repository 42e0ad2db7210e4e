import { describe, expect, test } from "bun:test";
import { calibrate, type Constants, predict, type Setting, sizeFor } from "./model.ts";

const constants: Constants = { request: 15, batch: 60, lookup: 10, statement: 90, floor: 300 };
const apart = { latchkey: 4, database: 4 };

describe("predict", () => {
  test("sends look-ups one by one where they come seldom", () => {
    const setting = { perSecond: 10, processes: 1, roundTrip: 100, cores: apart };
    const { batchSize, latchkey, database } = predict(constants, setting);
    expect(batchSize).toBeCloseTo(1, 1);
    expect(latchkey).toBeCloseTo(75, 0);
    expect(database).toBeCloseTo(100, 0);
  });

  test("gathers for 1 ms at the most far away, and 32 at the most before it sends", () => {
    const far = { processes: 1, roundTrip: 10_000, cores: apart };
    expect(predict(constants, { ...far, perSecond: 5_000 }).batchSize).toBeCloseTo(6, 0);
    expect(predict(constants, { ...far, perSecond: 35_000 }).batchSize).toBeLessThan(2 * 33);
  });

  test("sends larger batches where the database is further away than 16 of them reach", () => {
    const setting = { perSecond: 20_000, processes: 1, roundTrip: 80_000, cores: apart };
    expect(predict(constants, setting).batchSize).toBeGreaterThan(100);
  });

  test("divides the load by the processes: smaller batches, more CPU a request", () => {
    const setting = { perSecond: 8_000, roundTrip: 10_000, cores: { shared: 1 } };
    const one = predict(constants, { ...setting, processes: 1 });
    const four = predict(constants, { ...setting, processes: 4 });
    expect(four.batchSize).toBeLessThan(one.batchSize);
    expect(four.latchkey + four.database).toBeGreaterThan(one.latchkey + one.database);
  });

  test("says that a load is too much", () => {
    const setting = { perSecond: 60_000, processes: 1, roundTrip: 0, cores: { shared: 1 } };
    expect(predict(constants, setting)).toMatchObject({ p99: Number.POSITIVE_INFINITY });
  });

  test("is the slower the busier the core", () => {
    const at = (perSecond: number) =>
      predict(constants, { perSecond, processes: 1, roundTrip: 0, cores: { shared: 1 } }).p99;
    expect(at(1_000)).toBeLessThan(at(10_000));
    expect(at(10_000)).toBeLessThan(at(25_000));
  });
});

describe("calibrate", () => {
  test("finds the constants that made the measurements", () => {
    const settings: Setting[] = [200, 2_000, 8_000].flatMap((perSecond) =>
      [0, 10_000].map((roundTrip) => ({ perSecond, processes: 1, roundTrip, cores: { shared: 1 } })),
    );
    const found = calibrate(settings.map((setting) => ({ setting, ...predict(constants, setting) })));
    for (const name of Object.keys(constants) as (keyof Constants)[])
      expect(found[name]).toBeCloseTo(constants[name], 3);
  });

  test("refuses measurements of one batch size", () => {
    const setting = { perSecond: 200, processes: 1, roundTrip: 0, cores: { shared: 1 } };
    const one = { setting, ...predict(constants, setting) };
    expect(() => calibrate([one, one])).toThrow("two measurements that differ");
  });
});

describe("sizeFor", () => {
  test("takes no more than it may of either", () => {
    const perSecond = 100_000;
    const size = sizeFor(constants, { perSecond, roundTrip: 500, utilisation: 0.6 });
    expect((perSecond * size.latchkey) / 1e6 / size.processes).toBeLessThanOrEqual(0.6);
    expect((perSecond * size.database) / 1e6 / size.databaseCores).toBeLessThanOrEqual(0.6);
    expect(size.p99).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  test("is one of each for little", () => {
    const size = sizeFor(constants, { perSecond: 1_000, roundTrip: 500, utilisation: 0.6 });
    expect(size).toMatchObject({ processes: 1, databaseCores: 1 });
  });
});
