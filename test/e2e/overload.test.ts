import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";

setDefaultTimeout(120_000);

describe.each(dialects)("C14, S67: more sign-ins than can be hashed, on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let member: Member;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({
      env: {
        ...database.env,
        LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8",
        LATCHKEY_HASH_CONCURRENCY: "1",
      },
    });
    member = await addMember(database);
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const signIn = async (address: string, signal?: AbortSignal) => {
    const asked = performance.now();
    const answer = await fetch(`${server.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin: server.origin,
        "x-forwarded-for": address,
      },
      body: JSON.stringify({ email: member.email, password: memberPassword }),
      ...(signal === undefined ? {} : { signal }),
    });
    const { code } = (await answer.json()) as { code?: string };
    const retryAfter = Number(answer.headers.get("retry-after"));
    return { status: answer.status, code, retryAfter, ms: performance.now() - asked };
  };

  test("250 at once of one client are signed in, or told at once when to come back", async () => {
    const flood = Promise.all(Array.from({ length: 250 }, () => signIn("203.0.113.1")));
    // Somebody else comes in the middle of it, and is next.
    await Bun.sleep(200);
    const others = await Promise.all(["203.0.113.2", "203.0.113.3"].map((address) => signIn(address)));
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    const answers = await flood;
    const kinds = new Set(answers.map(({ status, code }) => `${status} ${code ?? ""}`));
    expect(kinds).toEqual(new Set(["200 ", "503 TOO_BUSY"]));
    const refused = answers.filter(({ status }) => status === 503);
    for (const { retryAfter } of refused) expect(retryAfter).toBeGreaterThanOrEqual(1);
    for (const { retryAfter } of refused) expect(retryAfter).toBeLessThanOrEqual(30);
    const served = answers.filter(({ status }) => status === 200);
    // Whoever is refused hears it before the one who waits longest is served.
    const [slowestRefusal, slowestAnswer] = [refused, served].map((list) =>
      Math.max(...list.map(({ ms }) => ms)),
    );
    expect(slowestRefusal ?? 0).toBeLessThan(slowestAnswer ?? 0);
    const errors = server.logs().filter(({ level }) => level === "error");
    expect(errors).toEqual([]);
    const warnings = server.logs().filter(({ code }) => code === "TOO_BUSY");
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThan(10);
  });

  test.skipIf(process.platform !== "linux")("what hashes stands back for what answers", async () => {
    const threads = () =>
      readdirSync(`/proc/${server.pid}/task`).map((thread) => {
        const stat = readFileSync(`/proc/${server.pid}/task/${thread}/stat`, "utf8");
        const nice = stat.slice(stat.lastIndexOf(")")).split(" ")[17];
        return `${stat.includes("(Bun Pool") ? "hashes" : "answers"} ${nice}`;
      });
    // New ones are looked for once a second.
    for (let tries = 0; tries < 5 && (tries < 1 || threads().includes("hashes 0")); tries += 1) {
      await signIn("203.0.113.9");
      await Bun.sleep(1_100);
      await signIn("203.0.113.9");
    }
    expect(new Set(threads())).toEqual(new Set(["answers 0", "hashes 5"]));
  });

  test("who has hung up is not hashed for", async () => {
    const gone = new AbortController();
    const sessions = async () =>
      Number((await database.query("SELECT count(*) AS n FROM session"))[0]?.["n"]);
    const before = await sessions();
    // Few enough for none to be refused, however slow the machine is just now.
    const flood = Array.from({ length: 12 }, () => signIn("203.0.113.4", gone.signal).catch(() => "gone"));
    await Bun.sleep(30);
    gone.abort();
    expect(new Set(await Promise.all(flood))).toEqual(new Set(["gone"]));
    expect((await signIn("203.0.113.4")).status).toBe(200);
    // The last one waited behind no more than those that had begun.
    expect((await sessions()) - before).toBeLessThan(7);
  });
});
