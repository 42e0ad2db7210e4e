import { expect, test } from "bun:test";
import { createHashSlots } from "../../src/auth/hash-slots.ts";
import { createSpareCore } from "../../src/auth/spare-core.ts";

function open() {
  const [clock, requests] = [{ ms: 0 }, { count: 0 }];
  const spare = createSpareCore(
    () => requests.count,
    () => clock.ms,
  );
  const after = (ms: number, came: number) => {
    clock.ms += ms;
    requests.count += came;
    return spare();
  };
  return { spare, after };
}

test("is there while fewer than 200 requests come a second, and gone while more do", () => {
  const { spare, after } = open();
  expect(spare()).toBe(0);
  expect([
    after(100, 1),
    after(1_000, 199),
    after(1_000, 201),
    after(60_000, 12_001),
    after(1_000, 0),
  ]).toEqual([1, 1, 0, 0, 1]);
});

test("is asked again 50 ms later at the earliest, and then of all that time", () => {
  const { after } = open();
  expect([after(100, 0), after(30, 1_000), after(20, 0), after(49, 0), after(1, 0)]).toEqual([1, 1, 0, 0, 1]);
});

test("hashes that come and go take it, and give it back", async () => {
  let spare = 0;
  const inTurn = createHashSlots(1, () => spare);
  const ends: (() => void)[] = [];
  let running = 0;
  const hash = () =>
    inTurn(async () => {
      running += 1;
      await new Promise<void>((end) => ends.push(end));
      running -= 1;
    });
  const hashes = [hash(), hash(), hash(), hash()];
  const settle = async (end?: () => void) => {
    end?.();
    await Bun.sleep(1);
    return running;
  };
  expect(await settle()).toBe(1);
  spare = 1;
  // Nobody comes or goes: nobody looks.
  expect(await settle()).toBe(1);
  hashes.push(hash());
  expect(await settle()).toBe(2);
  spare = 0;
  expect(await settle(ends.shift())).toBe(1);
  expect(await settle(ends.shift())).toBe(1);
  spare = 1;
  expect(await settle(ends.shift())).toBe(2);
  while (running > 0) await settle(ends.shift());
  await Promise.all(hashes);
});
