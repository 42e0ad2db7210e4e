import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { createClient } from "../support/client.ts";
import { addMember, memberPassword } from "../support/member.ts";

setDefaultTimeout(60_000);

const wrong = "not this one at all";
/** A proxy of the operator's is on this machine, so that a test can come from anywhere. */
const on = { LATCHKEY_LIMITS: "on", LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32" };
let addresses = 0;
const newAddress = () => `203.0.${(addresses += 1) >> 8}.${addresses & 255}`;

interface Answer {
  readonly status: number;
  readonly retryAfter: number | null;
  readonly body: string;
  readonly cookies: readonly string[];
}

async function post(
  server: RunningLatchkey,
  path: string,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await fetch(`${server.url}/api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: server.origin, ...headers },
    body: JSON.stringify(body),
  });
  const retryAfter = answer.headers.get("retry-after");
  return {
    status: answer.status,
    retryAfter: retryAfter === null ? null : Number(retryAfter),
    body: await answer.text(),
    cookies: answer.headers.getSetCookie(),
  };
}

const signIn = (server: RunningLatchkey, email: string, password: string, from: string, cookie?: string) =>
  post(
    server,
    "sign-in/email",
    { email, password },
    { "x-forwarded-for": from, ...(cookie === undefined ? {} : { cookie }) },
  );
const count = (answers: readonly Answer[], status: number) =>
  answers.filter((answer) => answer.status === status).length;
const times = <T>(number: number, make: (at: number) => Promise<T>) =>
  Promise.all(Array.from({ length: number }, (_, at) => make(at)));
/** Asks so many at once. On a slow machine the line of hashes may be too long for one of them, who then asks again. */
const askAtOnce = (number: number, ask: (at: number) => Promise<Answer>) =>
  times(number, async (at) => {
    for (;;) {
      const answer = await ask(at);
      if (!answer.body.includes('"TOO_BUSY"')) return answer;
      await Bun.sleep(100);
    }
  });
const deviceOf = ({ cookies }: Answer) =>
  cookies.map((cookie) => cookie.split(";")[0] ?? "").find((cookie) => cookie.includes("latchkey.device")) ??
  "";

/** How many tries an account may have had within a time: five, and one more after 1 s, 2 s, 4 s, … */
function triesWithin(ms: number): number {
  let tries = 5;
  for (let left = ms; left >= 1_000 * 2 ** (tries - 5); tries += 1) left -= 1_000 * 2 ** (tries - 5);
  return tries;
}

/** Runs what is to be one moment. @returns what came, and how long it took. */
async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const began = performance.now();
  const result = await work();
  return [result, performance.now() - began];
}

describe.each(dialects)("limits on %s", (dialect) => {
  let database: TestDatabase;
  const servers: RunningLatchkey[] = [];
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const server = await spawnLatchkey({ env: { ...database.env, ...on, ...env } });
    servers.push(server);
    return server;
  };
  const rows = async (prefix: string) =>
    (await database.query("SELECT key, points FROM latchkey_limit ORDER BY key"))
      .map(({ key, points }) => [String(key), Number(points)] as const)
      .filter(([key]) => key.startsWith(`${prefix}:`));
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    // The schema is made by a first start.
    await (await spawnLatchkey({ env: { ...database.env, ...on } })).stop();
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await database.query("DELETE FROM latchkey_limit");
  });
  afterAll(async () => {
    await database.close();
  });

  test("S13: 101 guesses from 101 addresses at an account meet the delay; its owner's browser signs in at once", async () => {
    const server = await start();
    const { email } = await addMember(database);
    const device = deviceOf(await signIn(server, email, memberPassword, newAddress()));
    expect(device).toMatch(/^latchkey\.device=[\w-]{22}\.[\w-]{43}$/);
    const [guesses, ms] = await timed(() => askAtOnce(101, () => signIn(server, email, wrong, newAddress())));
    const tried = count(guesses, 401);
    expect(tried).toBeGreaterThanOrEqual(5);
    expect(tried).toBeLessThanOrEqual(triesWithin(ms));
    expect(count(guesses, 429)).toBe(101 - tried);
    const refused = guesses.filter(({ status }) => status === 429);
    expect(JSON.parse(refused[0]?.body ?? "")).toEqual({
      code: "TOO_MANY_REQUESTS",
      message: `Too many attempts. Try again in ${refused[0]?.retryAfter} seconds.`,
    });
    const [own, other] = [newAddress(), newAddress()];
    expect((await signIn(server, email, memberPassword, own, device)).status).toBe(200);
    // Her success ends the delay for her browser's count alone.
    const [failures] = (await rows("fail")).filter(([, points]) => points >= 5);
    expect(failures?.[1]).toBe(tried);
    // The next delay is 4 s, which the slowest machine does not take to ask again.
    await database.query("UPDATE latchkey_limit SET points = 6 WHERE key LIKE 'fail:%'");
    while ((await signIn(server, email, wrong, newAddress())).status !== 401) await Bun.sleep(100);
    const without = await signIn(server, email, memberPassword, other);
    expect(without.status).toBe(429);
    await Bun.sleep((without.retryAfter ?? 60) * 1_000);
    expect((await signIn(server, email, memberPassword, other)).status).toBe(200);
    expect(await rows("fail")).toEqual([]);
  });

  test("S13: an e-mail without an account counts alike, and is answered alike", async () => {
    const server = await start();
    const { email } = await addMember(database);
    const known = await askAtOnce(20, () => signIn(server, email, wrong, newAddress()));
    const [unknown, ms] = await timed(() =>
      askAtOnce(20, () => signIn(server, "nobody@example.com", wrong, newAddress())),
    );
    const tried = count(unknown, 401);
    expect(tried).toBeGreaterThanOrEqual(5);
    expect(tried).toBeLessThanOrEqual(triesWithin(ms));
    // A machine that is slow just now has no room for some.
    const heard = (answers: readonly Answer[]) => answers.filter(({ body }) => !body.includes('"TOO_BUSY"'));
    expect(tried + count(unknown, 429)).toBe(heard(unknown).length);
    const bodies = (answers: readonly Answer[]) =>
      new Set(
        heard(answers).map(({ status, body }) => `${status} ${body.replace(/\d+ seconds/, "… seconds")}`),
      );
    expect(bodies(unknown)).toEqual(bodies(known));
  });

  test("S13: the delay grows with every failure, to 15 min, and a hundred failures are the end of a day", async () => {
    const server = await start();
    const { email } = await addMember(database);
    await times(5, () => signIn(server, email, wrong, newAddress()));
    const afterFailures = async (points: number) => {
      // As if they had been made before.
      await database.query(`UPDATE latchkey_limit SET points = ${points} WHERE key LIKE 'fail:%'`);
      await database.query("DELETE FROM latchkey_limit WHERE key LIKE 'gate:%'");
      const fresh = await start();
      const first = await signIn(fresh, email, wrong, newAddress());
      const next = await signIn(fresh, email, wrong, newAddress());
      return [first.status, next.status, Math.ceil((next.retryAfter ?? 0) / 10)];
    };
    expect(await afterFailures(8)).toEqual([401, 429, 2]);
    expect(await afterFailures(13)).toEqual([401, 429, 52]);
    expect(await afterFailures(40)).toEqual([401, 429, 90]);
    const [first, next, tenSeconds = 0] = await afterFailures(100);
    expect([first, next]).toEqual([429, 429]);
    expect(tenSeconds).toBeGreaterThan(8_600);
    expect(tenSeconds).toBeLessThanOrEqual(8_640);
  });

  test("S13: one stranger makes nobody else wait for long", async () => {
    const server = await start();
    const { email } = await addMember(database);
    const stranger = newAddress();
    for (let guess = 0; guess < 10; guess += 1) {
      await database.query("DELETE FROM latchkey_limit WHERE key LIKE 'gate:%' OR key LIKE 'fail:%'");
      expect((await signIn(server, email, wrong, stranger)).status).toBe(401);
    }
    const refused = await signIn(server, email, wrong, stranger);
    expect(refused.status).toBe(429);
    expect(refused.retryAfter ?? 0).toBeGreaterThan(800);
    await database.query("DELETE FROM latchkey_limit WHERE key LIKE 'gate:%' OR key LIKE 'fail:%'");
    expect((await signIn(server, email, memberPassword, newAddress())).status).toBe(200);
  });

  test("S14: 50 failures at once from one address are as many as one after the other, on two instances together", async () => {
    const env = { LATCHKEY_LIMIT_SIGN_IN: "10/15m" };
    const pair = [await start(env), await start(env)] as const;
    const address = newAddress();
    const answers = await askAtOnce(50, (at) =>
      signIn(pair[at % 2 === 0 ? 0 : 1], `n${at}@example.com`, wrong, address),
    );
    expect([count(answers, 401), count(answers, 429)]).toEqual([10, 40]);
    for (const { retryAfter } of answers.filter(({ status }) => status === 429)) {
      expect(retryAfter).toBeGreaterThan(880);
      expect(retryAfter).toBeLessThanOrEqual(900);
    }
    // A restart forgets nothing, and verify is asked as before.
    const third = await start(env);
    const later = await signIn(third, "m@example.com", wrong, address);
    expect(later.status).toBe(429);
    const verify = await fetch(`${third.url}/api/auth/verify`, { headers: { "x-forwarded-for": address } });
    expect(verify.status).toBe(401);
    const session = await fetch(`${third.url}/api/auth/get-session`, {
      headers: { "x-forwarded-for": address },
    });
    expect(session.status).toBe(200);
    // Who is refused from memory writes nothing.
    const before = await rows("in");
    expect(count(await times(100, () => signIn(third, "x@example.com", wrong, address)), 429)).toBe(100);
    expect(await rows("in")).toEqual(before);
    // And makes one line in the log, not a hundred.
    const lines = third.logs().filter(({ reason }) => String(reason).startsWith("limit_"));
    expect(lines).toHaveLength(1);
  });

  test("S14: successes of many behind one address do not count", async () => {
    const server = await start({ LATCHKEY_LIMIT_SIGN_IN: "5/15m" });
    const address = newAddress();
    const members = await times(12, () => addMember(database));
    for (const half of [members, members]) {
      const answers = await askAtOnce(half.length, (at) =>
        signIn(server, half[at]?.email ?? "", memberPassword, address),
      );
      expect(answers.map(({ status }) => status)).toEqual(half.map(() => 200));
    }
    // Nor does what is no guess.
    for (let at = 0; at < 8; at += 1)
      expect((await signIn(server, "no address", wrong, address)).status).toBe(400);
    expect((await signIn(server, "nobody@example.com", wrong, address)).status).toBe(401);
  });

  test("S12, S14: sign-ups of one address are counted, whether the e-mail is taken or not", async () => {
    const server = await start({ LATCHKEY_LIMIT_SIGN_UP: "6/1h" });
    const address = newAddress();
    const { email } = await addMember(database);
    const signUp = (to: string) =>
      post(
        server,
        "sign-up/email",
        { name: "A", email: to, password: memberPassword },
        { "x-forwarded-for": address },
      );
    const answers = await askAtOnce(12, (at) => signUp(at < 2 ? email : `up-${at}-${dialect}@example.com`));
    expect(count(answers, 422) + count(answers, 200)).toBe(6);
    expect(count(answers, 429)).toBe(6);
    const made = await database.query(`SELECT id FROM "user" WHERE email LIKE 'up-%'`);
    expect(made).toHaveLength(count(answers, 200));
  });

  test.each([
    ["change-password", { currentPassword: wrong, newPassword: "another good one" }],
    ["delete-user", { password: wrong }],
  ])(
    "S14: %s: failures of a session are counted, and the password right in between is none",
    async (path, body) => {
      const server = await start();
      const { email } = await addMember(database);
      const session =
        (await signIn(server, email, memberPassword, newAddress())).cookies[0]?.split(";")[0] ?? "";
      const answers = await askAtOnce(14, () =>
        post(server, path, body, { cookie: session, "x-forwarded-for": newAddress() }),
      );
      expect([count(answers, 400), count(answers, 429)]).toEqual([10, 4]);
    },
  );

  test("S58: what a stranger writes into X-Forwarded-For changes nothing", async () => {
    const server = await start({ LATCHKEY_TRUSTED_PROXIES: "none", LATCHKEY_LIMIT_SIGN_IN: "5/15m" });
    const spoofs = [
      "203.0.113.1",
      "127.0.0.1",
      "::1",
      "10.0.0.1, 203.0.113.1",
      "",
      "nonsense",
      "203.0.113.1, 127.0.0.1",
    ];
    const answers = await askAtOnce(14, (at) =>
      signIn(server, `s${at}@example.com`, wrong, spoofs[at % spoofs.length] ?? ""),
    );
    expect([count(answers, 401), count(answers, 429)]).toEqual([5, 9]);
  });

  test("S14: of IPv6, a network of 2^64 addresses is one", async () => {
    const server = await start({ LATCHKEY_LIMIT_SIGN_IN: "5/15m" });
    const from = (network: number, host: number) => `2001:db8:${network}::${host.toString(16)}`;
    const answers = await askAtOnce(9, (at) => signIn(server, `v${at}@example.com`, wrong, from(7, at + 1)));
    expect([count(answers, 401), count(answers, 429)]).toEqual([5, 4]);
    expect((await signIn(server, "v@example.com", wrong, from(8, 1))).status).toBe(401);
  });

  test("S72: without the database nobody signs in unlimited: 503, bounded", async () => {
    if (database.network === null) return;
    const server = await start();
    const { email } = await addMember(database);
    database.network.stall(true);
    const asked = performance.now();
    const answer = await signIn(server, email, memberPassword, newAddress());
    database.network.stall(false);
    expect(answer.status).toBe(503);
    expect(performance.now() - asked).toBeLessThan(6_000);
  });
});

describe("a limit that is reached", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_LIMITS: "on" } });
    await times(8, () => signIn(server, "many@example.com", wrong, ""));
    // One more, after twelve, has to be waited for for longer than these tests take.
    await database.query("UPDATE latchkey_limit SET points = 12 WHERE key LIKE 'fail:%'");
    while ((await signIn(server, "many@example.com", wrong, "")).status !== 401) await Bun.sleep(100);
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("is what BetterAuth's own client shows", async () => {
    const { error } = await createClient(server.origin).auth.signIn.email({
      email: "many@example.com",
      password: wrong,
    });
    expect(error).toMatchObject({ status: 429, code: "TOO_MANY_REQUESTS" });
  });

  test("is said on the page, with the time to wait", async () => {
    const answer = await fetch(`${server.url}/signin`, {
      method: "POST",
      headers: { origin: server.origin },
      body: new URLSearchParams({ email: "many@example.com", password: wrong }),
    });
    const seconds = Number(answer.headers.get("retry-after"));
    expect(answer.status).toBe(429);
    expect(seconds).toBeGreaterThan(0);
    expect(await answer.text()).toMatch(/Too many attempts\. Try again in \d+ (?:second|minute)s?\./);
  });

  test("is a line in the log that says which", async () => {
    expect((await signIn(server, "many@example.com", wrong, "")).status).toBe(429);
    const find = () => server.logs().find(({ reason }) => reason === "limit_account");
    const deadline = Date.now() + 5_000;
    while (find() === undefined && Date.now() < deadline) await Bun.sleep(10);
    expect(find()).toMatchObject({ event: "sign_in", outcome: "failure", clientAddress: "127.0.0.1" });
  });
});
