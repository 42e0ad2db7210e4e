import { afterEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { openLog } from "../src/log.ts";
import { prepareDataDirectory } from "../src/data-directory.ts";
import { openService, type Service } from "../src/service.ts";
import { load } from "./config/load.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "./support/databases.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

const peers = { requestIP: () => ({ address: "203.0.113.9", family: "IPv4", port: 1 }) as const };

/** The whole service in this process, and what a visitor can do with it. */
async function open(
  dialect: Dialect,
  { env = {}, cpuCount = 2, sweepDelayMs = 60_000 }: Partial<Settings> = {},
) {
  const database = await openTestDatabase(dialect);
  opened.push(database.close);
  const { config } = load({ ...database.env, ...env }, { cpuCount });
  if (config.database.driver === "sqlite") prepareDataDirectory(config.dataDir);
  const log = openLog({ level: "silent", format: "json" });
  const service = await openService({ config, log, version: "0", now: Date.now, sweepDelayMs });
  opened.push(service.close);
  return { database, service, ...callsOf(service) };
}

interface Settings {
  readonly env: Readonly<Record<string, string>>;
  readonly cpuCount: number;
  readonly sweepDelayMs: number;
}

function callsOf({ front }: Service) {
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    front.fetch(
      new Request(`http://localhost:3001/api/auth${path}`, {
        method: "POST",
        headers: { host: "localhost:3001", "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
      peers,
    );
  const signUp = async (email: string, headers?: Record<string, string>) => {
    const response = await post("/sign-up/email", { email, password, name: "Ann" }, headers);
    const cookie = response.headers.getSetCookie().find((line) => line.includes("session_token"));
    return { response, cookie: cookie?.split(";")[0] ?? "" };
  };
  return { post, signUp };
}

/** Until it holds, for 10 s at the most. */
async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    if (await holds()) return true;
    await Bun.sleep(10);
  }
  return false;
}

const count = async ({ query }: TestDatabase) =>
  Number((await query("SELECT count(*) AS n FROM session"))[0]?.["n"]);
const end = ({ dialect, query }: TestDatabase) =>
  query("UPDATE session SET expires_at = $1", [dialect === "sqlite" ? 1 : "2001-01-01T00:00:00Z"]);

describe.each(dialects)("a service on %s", (dialect) => {
  test("sweeps ended sessions some time after a write", async () => {
    const { database, signUp } = await open(dialect, { sweepDelayMs: 50 });
    await signUp("a@example.com");
    await end(database);
    await signUp("b@example.com");
    expect(await eventually(async () => (await count(database)) === 1)).toBe(true);
  });

  test("does not sweep at every write", async () => {
    const { database, signUp } = await open(dialect);
    await signUp("a@example.com");
    await end(database);
    for (const name of ["b", "c", "d"]) await signUp(`${name}@example.com`);
    expect(await count(database)).toBe(4);
  });

  test("S54: stores no more than 512 characters of a user agent", async () => {
    const { database, signUp } = await open(dialect);
    await signUp("a@example.com", { "user-agent": "x".repeat(513) });
    expect(await database.query("SELECT user_agent FROM session")).toEqual([{ user_agent: "x".repeat(512) }]);
  });

  test("S67: hashes as many passwords at once as it is told, and lets as many wait", async () => {
    const { signUp } = await open(dialect, {
      cpuCount: 4,
      env: { LATCHKEY_HASH_CONCURRENCY: "3", LATCHKEY_HASH_QUEUE: "2" },
    });
    let [now, most] = [0, 0];
    const all = Promise.withResolvers<void>();
    const hash = spyOn(Bun.password, "hash").mockImplementation(async () => {
      now += 1;
      most = Math.max(most, now);
      await all.promise;
      now -= 1;
      return "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ";
    });
    try {
      const answers = Array.from({ length: 9 }, (_, index) => signUp(`p${index}@example.com`));
      expect(await eventually(async () => now === 3)).toBe(true);
      await Bun.sleep(50);
      all.resolve();
      const statuses = (await Promise.all(answers)).map(({ response }) => response.status);
      // Three hash, one more is on its way to that, two wait; the others are too many.
      expect([most, statuses.filter((status) => status === 200).length]).toEqual([3, 6]);
      expect(statuses.filter((status) => status === 503)).toHaveLength(3);
    } finally {
      hash.mockRestore();
    }
  });
});
