import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Database } from "../../src/database/database.ts";
import { insertMail, listMails } from "../../src/database/outbox.ts";
import { createMailer, type Mailer, type MailerDeps } from "../../src/mail/mailer.ts";
import { MailError } from "../../src/mail/smtp.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(30_000);

const [second, minute, hour] = [1_000, 60_000, 3_600_000];
const start = Date.UTC(2026, 10, 22);

/** A clock that stands still until it is moved; what is due meanwhile is done in its order. */
function createClock() {
  let at = start;
  let timers: { readonly at: number; readonly work: () => void }[] = [];
  return {
    now: () => at,
    later(ms: number, work: () => void) {
      const timer = { at: at + ms, work };
      timers.push(timer);
      return () => void (timers = timers.filter((one) => one !== timer));
    },
    /** Moves on to the next timer, within `ms`. @returns whether there was one. */
    step(ms: number) {
      const [next] = timers.toSorted((one, other) => one.at - other.at);
      if (next === undefined || next.at > at + ms) return false;
      timers = timers.filter((one) => one !== next);
      at = Math.max(at, next.at);
      next.work();
      return true;
    },
    /** As a machine does that was suspended: no timer knows. */
    jump: (ms: number) => void (at += ms),
  };
}

const soon = (work: () => void) => {
  const immediate = setImmediate(work);
  return () => clearImmediate(immediate);
};
const logOfNothing = { debug() {}, info() {}, warn() {}, error() {} } as unknown as MailerDeps["log"];
const unreachable = () => new MailError("connect: refused", "server", false);
const later = () => new MailError("send (RCPT TO): 450 later", "message", false);
const never = () => new MailError("send (RCPT TO): 550 nobody", "message", true);

describe("createMailer", () => {
  let outside: TestDatabase;
  let opener: Database;
  /** The same, and how much of it is under way. */
  let database: Database;
  let asked = 0;
  let clock: ReturnType<typeof createClock>;
  let mailers: Mailer[];
  /** Recipients, each as often as the server took a mail for it, and when. */
  let taken: { readonly to: string; readonly at: number }[];
  let outcomes: string[];
  let opened: number;
  beforeEach(async () => {
    outside = await openTestDatabase("sqlite");
    opener = await openMigrated(outside);
    const counted = async <T>(work: Promise<T>): Promise<T> => {
      asked += 1;
      try {
        return await work;
      } finally {
        asked -= 1;
      }
    };
    database = {
      ...opener,
      change: (text, values) => counted(opener.change(text, values)),
      read: (text, values) => counted(opener.read(text, values)),
    };
    clock = createClock();
    [mailers, taken, outcomes, opened] = [[], [], [], 0];
  });
  afterEach(async () => {
    await Promise.all(mailers.map((mailer) => mailer.stop()));
    await opener.close();
    await outside.close();
  });

  /** A server that takes everything, until it is told otherwise. */
  const server = (answer: (to: string) => Error | null | Promise<Error | null> = () => null) => ({
    open: async () => {
      opened += 1;
      const refused = await answer("");
      if (refused !== null) throw refused;
      let isOpen = true;
      return {
        isOpen: () => isOpen,
        secured: () => null,
        async send({ to }: { readonly to: string }) {
          const error = await answer(to);
          isOpen = error === null;
          if (error !== null) throw error;
          taken.push({ to, at: clock.now() });
          return "250 taken";
        },
        close: () => void (isOpen = false),
      };
    },
  });
  const mailer = (deps: Partial<MailerDeps> = {}, own = clock) => {
    const made = createMailer({
      database,
      prepare: async () => ({ language: "en", subject: "", greeting: "", before: [], after: [], footer: [] }),
      compose: async ({ recipient }) => ({ from: "a@example.org", to: recipient, raw: Buffer.from("") }),
      takeFromCap: async () => 0,
      describeEmail: () => ({}),
      log: logOfNothing,
      now: own.now,
      random: () => 0.5,
      // A moment is none.
      later: (ms, work) => (ms < second / 4 ? soon(work) : own.later(ms, work)),
      onOutcome: (outcome) => outcomes.push(outcome),
      ...server(),
      ...deps,
    });
    mailers.push(made);
    return made;
  };
  const put = async (recipient: string, createdAt = clock.now()) => {
    const transaction = await database.begin();
    await insertMail(transaction, database.provider, {
      id: recipient,
      kind: "recovery",
      recipient,
      payload: "{}",
      createdAt,
    });
    await transaction.commit();
  };
  const queued = () => listMails(database, 100);
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries += 1) {
      if (tries > 2_000) throw new Error(`it never came: ${JSON.stringify([outcomes, await queued()])}`);
      await Bun.sleep(1);
    }
  };
  /** Until nothing is under way: what is done in the background has then asked for its next timer. */
  const settle = async () => {
    for (let quiet = 0; quiet < 5; quiet = asked === 0 ? quiet + 1 : 0) await new Promise(setImmediate);
  };
  /** Lets time pass. */
  const pass = async (ms: number) => {
    const end = clock.now() + ms;
    await settle();
    while (clock.step(end - clock.now())) await settle();
    clock.jump(end - clock.now());
  };

  test("sends what is due, and deletes it", async () => {
    await put("ann");
    mailer().wake();
    await until(async () => (await queued()).length === 0);
    expect([taken, outcomes]).toEqual([[{ to: "ann", at: start }], ["sent"]]);
  });

  test("tries again after 15 s, then twice as long, 30 minutes at most, and gives up after 24 hours", async () => {
    const tries: number[] = [];
    await put("ann");
    const answer = (to: string) => {
      if (to !== "") tries.push(clock.now() - start);
      return to === "" ? null : later();
    };
    mailer(server(answer)).wake();
    await until(() => outcomes.length === 1);
    for (let hours = 0; hours < 25 && outcomes.at(-1) !== "failed"; hours += 1) await pass(hour);
    const waits = tries.slice(1).map((at, before) => (at - (tries[before] ?? 0)) / second);
    expect(waits.slice(0, 9)).toEqual([15, 30, 60, 120, 240, 480, 960, 1_800, 1_800]);
    expect(new Set(waits.slice(7))).toEqual(new Set([1_800]));
    expect(tries.at(-1)).toBeWithin(23 * hour, 24 * hour);
    expect(outcomes.at(-1)).toBe("failed");
    expect(await queued()).toEqual([
      expect.objectContaining({
        recipient: "ann",
        failure: "send (RCPT TO): 450 later",
        attempts: tries.length,
      }),
    ]);
    expect((await queued())[0]?.failedAt).not.toBeNull();
  });

  test("gives up at once what is refused for good, and names no recipient", async () => {
    await put("ann");
    mailer(
      server((to) => (to === "" ? null : new MailError("550 ann\r\nis unknown", "message", true))),
    ).wake();
    await until(() => outcomes.includes("failed"));
    expect((await queued()).map(({ failure }) => failure)).toEqual(["550 <recipient> is unknown"]);
    expect(outcomes).toEqual(["failed"]);
  });

  test("tries one mail at a time while the server is out of reach, each minute at last, and all once it is back", async () => {
    for (let at = 0; at < 30; at += 1) await put(`n${at}`);
    let isThere = false;
    mailer(server((to) => (isThere || to !== "" ? null : unreachable()))).wake();
    await until(() => outcomes.length > 0);
    await pass(10 * minute);
    // 4 lines at first, then after 2, 4, 8 … s.
    expect(opened).toBeWithin(12, 20);
    expect((await queued()).every(({ attempts }) => attempts === 0)).toBe(true);
    isThere = true;
    await pass(minute);
    await until(() => taken.length === 30);
    expect(await queued()).toEqual([]);
  });

  test("waits while the cap is reached, and counts no try", async () => {
    await put("ann");
    let waits = [10 * minute];
    mailer({ takeFromCap: async () => waits.shift() ?? 0 }).wake();
    await settle();
    await pass(9 * minute);
    expect([taken, (await queued())[0]?.attempts]).toEqual([[], 0]);
    await pass(2 * minute);
    await until(() => taken.length === 1);
    expect(taken[0]?.at).toBe(start + 10 * minute);
    waits = [];
  });

  test("sends nothing that somebody else took meanwhile, and takes nothing away from them", async () => {
    await put("ann");
    const [gate, other] = [Promise.withResolvers<void>(), createClock()];
    const prepare = (async () => {
      await gate.promise;
      return null;
    }) satisfies MailerDeps["prepare"];
    let isPreparing = false;
    mailer({ prepare: () => ((isPreparing = true), prepare()) }).wake();
    await until(() => isPreparing);
    clock.jump(31 * second);
    other.jump(31 * second);
    // Another instance takes it, and is told to come back.
    mailer(
      server((to) => (to === "" ? null : later())),
      other,
    ).wake();
    await until(() => outcomes.includes("deferred"));
    gate.resolve();
    await settle();
    expect(outcomes).toEqual(["deferred"]);
    expect((await queued()).map(({ recipient, attempts }) => [recipient, attempts])).toEqual([["ann", 2]]);
  });

  test("does not hand over what it held before the machine was suspended", async () => {
    await put("ann");
    const gate = Promise.withResolvers<null>();
    mailer(server((to) => (to === "" ? gate.promise : null))).wake();
    await until(() => opened === 1);
    clock.jump(31 * second);
    mailer().wake();
    await until(() => taken.length === 1);
    gate.resolve(null);
    await settle();
    expect([taken.length, outcomes]).toEqual([1, ["sent"]]);
  });

  test("keeps what it sends for longer than a lease", async () => {
    await put("ann");
    const gate = Promise.withResolvers<null>();
    mailer(server((to) => (to === "" ? null : gate.promise))).wake();
    await until(() => opened === 1);
    await pass(2 * minute);
    mailer().wake();
    await settle();
    expect(opened).toBe(1);
    gate.resolve(null);
    await until(async () => (await queued()).length === 0);
    expect(taken.length).toBe(1);
  });

  test("lets one mail that hangs keep no other waiting", async () => {
    await put("slow");
    const gate = Promise.withResolvers<null>();
    const mails = mailer(server((to) => (to === "slow" ? gate.promise : null)));
    mails.wake();
    await until(() => opened === 1);
    await put("ann");
    mails.wake();
    await until(() => taken.length === 1);
    expect(taken[0]?.to).toBe("ann");
    gate.resolve(null);
    await until(() => taken.length === 2);
  });

  test("sends once what it cannot delete at once", async () => {
    await put("ann");
    let refusals = 3;
    const change: Database["change"] = async (text, values) => {
      if (text.startsWith("DELETE") && text.includes("id =") && (refusals -= 1) >= 0)
        throw new Error("database is away");
      return await database.change(text, values);
    };
    mailer({ database: { ...database, change } }).wake();
    await until(() => taken.length === 1);
    await pass(20 * second);
    await until(async () => (await queued()).length === 0);
    expect([taken.length, outcomes]).toEqual([1, ["sent"]]);
  });

  test("sends once what it cannot delete before its lease is over", async () => {
    await put("ann");
    let isAway = false;
    const reachable = <T>(work: () => Promise<T>) =>
      isAway ? Promise.reject<T>(new Error("database is away")) : work();
    const away = {
      ...database,
      change: ((...given) => reachable(() => database.change(...given))) satisfies Database["change"],
      read: ((...given) => reachable(() => database.read(...given))) satisfies Database["read"],
    };
    mailer({ ...server((to) => ((isAway = to !== ""), null)), database: away }).wake();
    await until(() => taken.length === 1);
    await pass(5 * minute);
    isAway = false;
    await pass(2 * minute);
    await until(async () => (await queued()).length === 0);
    expect([taken.length, outcomes]).toEqual([1, ["sent"]]);
  });

  test("tries again what could not be prepared", async () => {
    await put("ann");
    let failures = 2;
    const prepare: MailerDeps["prepare"] = async () => {
      if ((failures -= 1) >= 0) throw new Error("database is away");
      return { language: "en", subject: "", greeting: "", before: [], after: [], footer: [] };
    };
    mailer({ prepare }).wake();
    await until(() => outcomes.length === 1);
    await pass(minute);
    await until(() => taken.length === 1);
    expect(outcomes).toEqual(["deferred", "deferred", "sent"]);
  });

  test("goes on with another connection where the server ends one after each mail", async () => {
    for (const to of ["ann", "ben", "eve", "joe", "kim", "lea"]) await put(to);
    const ends = {
      async open() {
        opened += 1;
        let sent = 0;
        return {
          // It is not known before the next mail is said.
          isOpen: () => true,
          secured: () => null,
          async send({ to }: { readonly to: string }) {
            if ((sent += 1) > 1) throw new MailError("send: the server closed the connection", "line", false);
            taken.push({ to, at: clock.now() });
            return "250";
          },
          close() {},
        };
      },
    };
    mailer(ends).wake();
    await until(() => taken.length === 6);
    expect([new Set(taken.map(({ at }) => at)), outcomes]).toEqual([new Set([start]), Array(6).fill("sent")]);
  });

  test("gives back at its end what hangs, uncounted", async () => {
    await put("ann");
    const hanging = {
      open: async (signal: AbortSignal) => {
        opened += 1;
        return {
          isOpen: () => true,
          secured: () => null,
          send: () =>
            new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(unreachable()))),
          close() {},
        };
      },
    };
    const mails = mailer(hanging);
    mails.wake();
    await until(() => opened === 1);
    const begun = performance.now();
    await mails.stop();
    expect(performance.now() - begun).toBeLessThan(3_500);
    expect((await queued()).map(({ attempts, nextAt }) => [attempts, nextAt])).toEqual([[0, start]]);
  });

  test("forgets what was given up after seven days", async () => {
    await put("ann");
    await put("ben");
    mailer(server((to) => (to === "" ? null : never()))).wake();
    await until(() => outcomes.length === 2);
    await pass(6 * 24 * hour);
    expect((await queued()).length).toBe(2);
    clock.jump(25 * hour);
    await put("eve");
    mailer().wake();
    await until(async () => (await queued()).length === 0);
  });
});
