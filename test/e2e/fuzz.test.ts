import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { corpora } from "../support/corpus.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { fuzz, type FuzzRun, newcomers, newRun, send } from "../support/fuzz-run.ts";
import { wildRequests } from "../support/fuzz-wild.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { type OpenApi, operationsOf, readOpenApi } from "../support/openapi.ts";
import { eventually, leastSquaresSlope, processFigures } from "../support/process-figures.ts";
import { rawBytes, sendRaw } from "../support/raw-http.ts";

/** How many a database gets; `bun run test:long` sends 100,000 in all. */
const count = Number(process.env["LATCHKEY_TEST_FUZZ_REQUESTS"] ?? 1_200);
const isLong = count > 10_000;
const seed = Number(process.env["LATCHKEY_TEST_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** A line of a corpus is tried at each place in the long run, else at one. */
const stride = isLong ? 1 : 7;
const quietMs = 100;

setDefaultTimeout(3_600_000);

interface Subject {
  readonly database: TestDatabase;
  readonly server: RunningLatchkey;
  readonly document: OpenApi;
}

async function open(dialect: Dialect, limits: "on" | "off"): Promise<Subject> {
  const database = await openTestDatabase(dialect);
  const env = {
    LATCHKEY_BEARER: "signed",
    LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32",
    LATCHKEY_LIMITS: limits,
    ...(limits === "on" ? { LATCHKEY_LIMIT_SIGN_IN: "5/15m", LATCHKEY_LIMIT_SIGN_UP: "5/1h" } : {}),
  };
  const server = await spawnLatchkey({ env: { ...database.env, ...env } });
  return { database, server, document: await readOpenApi(await fetch(`${server.url}/openapi.json`)) };
}

/** Uses up what one of the addresses may try, which then goes on asking. */
async function exhaust(url: string, run: FuzzRun): Promise<void> {
  for (let tried = 0; tried < 12; tried += 1) {
    const body = JSON.stringify({ email: `${tried}@example.com`, password: "wrong one" });
    const headers = { "content-type": "application/json", "x-forwarded-for": "203.0.113.1" };
    await send(url, { method: "POST", path: "/api/auth/sign-in/email", headers, body }, run, "exhausting");
  }
}

/** It logged no failure, and does what it is for. */
async function isWell({ database, server }: Subject): Promise<void> {
  const failures = server
    .logs()
    .filter(
      ({ level, code }) =>
        level === "error" || level === "fatal" || String(code).endsWith("STORE_UNAVAILABLE"),
    );
  expect(failures.slice(0, 5)).toEqual([]);
  const member = await addMember(database);
  const signIn = await fetch(`${server.url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": "198.51.100.1" },
    body: JSON.stringify({ email: member.email, password: memberPassword }),
  });
  expect(signIn.status).toBe(200);
}

describe.each(dialects)("S49: whatever is sent to a server on %s", (dialect) => {
  describe.each([
    ["off", Math.ceil((count * 3) / 4)],
    ["on", Math.ceil(count / 4)],
  ] as const)("with limits %s", (limits, share) => {
    let it: Subject;
    beforeAll(async () => {
      it = await open(dialect, limits);
    });
    afterAll(async () => {
      await it.server.stop();
      await it.database.close();
    });

    test(`has an answer that is no 5xx, S68: and leaves nothing behind: ${share} requests`, async () => {
      const run = newRun();
      const samples: (readonly [requests: number, rssBytes: number])[] = [];
      if (limits === "on") await exhaust(it.server.origin, run);
      const sampling = setInterval(
        () => samples.push([run.sent, processFigures(it.server.pid).rssBytes]),
        250,
      );
      await fuzz(share, seed, { url: it.server.origin, run, ...it });
      clearInterval(sampling);
      const settled = samples.slice(Math.floor(samples.length / 3));
      const bytesEach = leastSquaresSlope(settled);
      if (isLong)
        console.info(
          `fuzz on ${dialect}, limits ${limits}`,
          JSON.stringify({
            sent: run.sent,
            statuses: run.statuses,
            bytesEach,
            rssMib: settled.filter((_, at) => at % 40 === 0).map(([, rss]) => Math.round(rss / 2 ** 20)),
          }),
        );
      expect(run.wrong.slice(0, 10)).toEqual([]);
      expect(run.sent).toBeGreaterThanOrEqual(share);
      const operations = operationsOf(it.document).map(({ method, path }) => `${method} ${path}`);
      expect(operations.filter((name) => !run.asked.has(name))).toEqual([]);
      // Most of it is refused; but each operation also did what it does.
      if (isLong && limits === "off")
        expect(operations.filter((name) => !run.succeeded.has(name))).toEqual([]);
      // So few requests are mostly code that is being compiled: what is lasting, the soak finds.
      if (isLong) expect(bytesEach * run.sent).toBeLessThan(64 * 1024 * 1024);
      if (limits === "on") expect(run.statuses[429] ?? 0).toBeGreaterThan(0);
      await isWell(it);
    });
  });
});

describe("S36, S31: every line of every corpus, at every place", () => {
  test("has an answer that is no 5xx", async () => {
    const it = await open("sqlite", "off");
    const run = newRun();
    const pages = operationsOf(it.document).filter(({ operation }) =>
      (operation.parameters ?? []).some(({ name }) => name === "callbackUrl"),
    );
    const [cookie = ""] = (await newcomers(it.database)).cookies;
    const json = { "content-type": "application/json", cookie, origin: "http://localhost:3000" };
    const text = (line: string) => line.replaceAll(/[^\x21-\x7e]/g, "?");
    const post = (path: string, body: object, headers = {}) => ({
      method: "POST",
      path: `/api/auth/${path}`,
      headers: { ...json, ...headers },
      body: JSON.stringify(body),
    });
    const get = (path: string, headers = {}) => ({ method: "GET", path, headers, body: undefined });
    for (const [at, line] of corpora().entries()) {
      const encoded = encodeURIComponent(line.toWellFormed());
      const strange = { name: line, email: `${line}@example.com`, password: line, callbackURL: line };
      const places = [
        ...pages.map(({ path }) => get(`${path}?callbackUrl=${encoded}`, { cookie })),
        post("sign-up/email", strange),
        post("sign-in/email", { email: line, password: line }),
        post("sign-in/email", { email: "a@example.com", password: line, callbackURL: line }),
        post("update-user", { name: line, image: line }),
        post("change-password", { currentPassword: line, newPassword: line }),
        post("revoke-session", { token: line }),
        post("update-user", { name: "Known" }, { origin: text(line) }),
        post("update-user", { name: "Known" }, { origin: "", referer: text(line) }),
        get("/api/auth/verify", { cookie: `better-auth.session_token=${encoded}` }),
        get("/api/auth/verify", { authorization: `Bearer ${text(line)}` }),
        get("/api/auth/forward", {
          accept: "text/html",
          "x-forwarded-host": text(line),
          "x-forwarded-uri": text(line),
        }),
        get(`/assets/${encoded}`),
        get(`/${text(line).replaceAll(/[#?]/g, "")}`),
      ];
      for (const [place, request] of places.entries())
        if ((at + place) % stride === 0) await send(it.server.origin, request, run, `line ${at}`);
    }
    expect(run.wrong.slice(0, 10)).toEqual([]);
    expect(run.sent).toBeGreaterThan(corpora().length);
    await isWell(it);
    await it.server.stop();
    await it.database.close();
  });
});

describe("S41: whatever bytes are sent", () => {
  const total = Math.ceil(count / 2);

  test(`have an answer that is no 5xx, or an end: ${total} connections`, async () => {
    const it = await open("sqlite", "off");
    const before = processFigures(it.server.pid).descriptors;
    const statuses: Record<string, number> = {};
    const wrong: string[] = [];
    let left = total;
    const lane = async (at: number) => {
      for (let batch = 0; left > 0; batch += 1) {
        const { cookies } = await newcomers(it.database);
        const numRuns = Math.min(left, 100, Math.ceil(total / 32));
        left -= numRuns;
        const options = { seed: seed + at * 1_000_003 + batch, numRuns };
        for (const bytes of fc.sample(
          rawBytes(wildRequests(cookies), new URL(it.server.origin).host),
          options,
        )) {
          const answer = await sendRaw(it.server.url, bytes, quietMs);
          for (const [, status = "", rest = ""] of answer.matchAll(
            /HTTP\/1\.[01] (\d{3}) ([^]*?)(?=HTTP\/1\.[01] \d{3}|$)/g,
          )) {
            statuses[status] = (statuses[status] ?? 0) + 1;
            // 505 is Bun's answer to a first line that is of no HTTP/1.
            if (status >= "500" && status !== "505" && !rest.includes("TOO_BUSY"))
              wrong.push(
                `seed ${seed}: ${JSON.stringify(bytes.toString("latin1").slice(0, 900))} → ${answer.slice(0, 300)}`,
              );
          }
        }
        // Whoever comes next is served.
        if ((await fetch(`${it.server.url}/health/live`)).status !== 200) wrong.push("not alive");
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, at) => lane(at)));
    if (isLong) console.info("raw bytes", JSON.stringify({ sent: total, statuses }));
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(statuses["200"] ?? 0).toBeGreaterThan(0);
    expect(statuses["400"] ?? 0).toBeGreaterThan(0);
    const isClosed = () => processFigures(it.server.pid).descriptors <= before + 40;
    expect(await eventually(isClosed, 20_000)).toBe(true);
    await isWell(it);
    await it.server.stop();
    await it.database.close();
  });
});
