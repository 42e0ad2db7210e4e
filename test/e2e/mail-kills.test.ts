import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { linkIn, openMailbox } from "../support/mailbox.ts";
import { addMember } from "../support/member.ts";

setDefaultTimeout(30 * 60_000);

/** `bun run test:long` has 50. */
const kills = Number(process.env["LATCHKEY_TEST_MAIL_KILLS"] ?? 8);
const perKill = 6;
const origin = "http://localhost:3001";

const post = async (server: RunningLatchkey, email: string): Promise<boolean> => {
  const response = await fetch(`${server.url}/api/auth/request-password-reset`, {
    method: "POST",
    headers: { "content-type": "application/json", origin },
    body: JSON.stringify({ email }),
  }).catch(() => null);
  return response?.status === 200;
};

const until = async (isSo: () => boolean | Promise<boolean>, timeoutMs: number, what: () => unknown) => {
  const end = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`it never came: ${JSON.stringify(what())}`);
    await Bun.sleep(50);
  }
};

describe.each(dialects)("mail on %s", (dialect) => {
  test(`is lost by none of ${kills} kills, and comes twice only where the mail server's yes was not heard`, async () => {
    const database = await openTestDatabase(dialect);
    /** How many kills came before a mail was deleted: if the mail server had taken it, nobody had heard that. */
    const undecided = new Map<string, number>();
    // As slow as others are, so that kills fall everywhere.
    const mailbox = await openMailbox({
      onRcptTo: (_, __, done) => void setTimeout(done, Math.random() * 150),
    });
    const queued = async () => await database.query("SELECT id FROM latchkey_mail");
    const env = {
      ...database.env,
      ...mailbox.env,
      BETTER_AUTH_URL: origin,
      LATCHKEY_TRUSTED_PROXIES: "none",
      LATCHKEY_LIMITS: "off",
    };
    let server = await spawnLatchkey({ env });
    const [accepted, tried] = [new Set<string>(), new Set<string>()];
    for (let kill = 0; kill < kills; kill += 1) {
      const members = await Promise.all(Array.from({ length: perKill }, () => addMember(database)));
      const asked = members.map(async ({ email }) => {
        tried.add(email);
        if (await post(server, email)) accepted.add(email);
      });
      // Anywhere between the first commit and the last mail.
      await Bun.sleep(Math.random() * 700);
      await server.kill();
      await Promise.all(asked);
      for (const { id } of await queued()) undecided.set(String(id), (undecided.get(String(id)) ?? 0) + 1);
      server = await spawnLatchkey({ env });
    }
    // What the last one held is free again after a lease, 30 s.
    await until(
      async () => (await queued()).length === 0,
      100_000,
      () => server.stderr().slice(-500),
    );
    await server.stop();

    const byAddress = Map.groupBy(mailbox.mails, ({ to }) => to);
    expect([...accepted].filter((email) => !byAddress.has(email))).toEqual([]);
    expect([...byAddress.keys()].filter((email) => !tried.has(email))).toEqual([]);
    let copies = 0;
    for (const [email, mails] of byAddress) {
      const links = new Set(mails.map((mail) => linkIn(mail).href));
      const dates = new Set(mails.map(({ parsed }) => parsed.date?.getTime()));
      const ids = new Set(mails.map(({ messageId }) => messageId));
      expect([email, ids.size, links.size, dates.size]).toEqual([email, 1, 1, 1]);
      const [, id = ""] = /^<(.+)@/.exec(mails[0]?.messageId ?? "") ?? [];
      expect(mails.length - 1).toBeLessThanOrEqual(undecided.get(id) ?? 0);
      copies += mails.length - 1;
    }
    expect(new Set(mailbox.mails.map(({ messageId }) => messageId)).size).toBe(byAddress.size);
    console.log(
      `${dialect}: ${kills} kills, ${accepted.size} requests accepted, ${mailbox.mails.length} mails, ${copies} of them copies`,
    );
    await mailbox.close();
    await database.close();
  });
});

describe.each(dialects)("two instances on %s", (dialect) => {
  const ends: (() => Promise<unknown>)[] = [];
  afterAll(() => Promise.all(ends.map((end) => end())));

  test("send each mail once", async () => {
    const database = await openTestDatabase(dialect);
    const mailbox = await openMailbox();
    const env = {
      ...database.env,
      ...mailbox.env,
      BETTER_AUTH_URL: origin,
      LATCHKEY_TRUSTED_PROXIES: "none",
      LATCHKEY_LIMITS: "off",
    };
    const first = await spawnLatchkey({ env });
    const second = await spawnLatchkey({ env });
    ends.push(
      () => mailbox.close(),
      () => database.close(),
    );
    const members = await Promise.all(Array.from({ length: 60 }, () => addMember(database)));
    const asked = await Promise.all(
      members.map(({ email }, at) => post(at % 2 === 0 ? first : second, email)),
    );
    expect(asked).toEqual(asked.map(() => true));
    await until(
      async () => (await database.query("SELECT id FROM latchkey_mail")).length === 0,
      30_000,
      () => [first.stderr(), second.stderr()],
    );
    expect(mailbox.mails.map(({ to }) => to).toSorted()).toEqual(
      members.map(({ email }) => email).toSorted(),
    );
    await Promise.all([first.stop(), second.stop()]);
  });
});
