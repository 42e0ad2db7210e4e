import { Database } from "bun:sqlite";
import { SQL } from "bun";

/**
 * A process that commits what sign-ins and sign-outs commit, past latchkey: a new session's row, then its deletion a
 * second later, in turn. On PostgreSQL and SQLite alike; each is a transaction of its own.
 */
interface Order {
  /** `file:…` or `postgres://…`. */
  readonly url: string;
  readonly perSecond: number;
  /** Whose sessions begin. */
  readonly userId: string;
}

type Run = (text: string, parameters: (string | number)[]) => Promise<unknown>;

const order = JSON.parse(process.argv[2] ?? "") as Order;
const sqlite = order.url.startsWith("file:");
const run = sqlite ? openSqlite(order.url) : openPostgres(order.url);
const parameter = (index: number) => (sqlite ? `?${index}` : `$${index}`);
const instant = (index: number) => (sqlite ? `?${index}` : `to_timestamp($${index}::float8 / 1000)`);
const insertion =
  "INSERT INTO session (id, token, expires_at, created_at, updated_at, ip_address, user_agent, user_id) " +
  `VALUES (${parameter(1)}, ${parameter(1)}, ${instant(2)}, ${instant(3)}, ${instant(3)}, '203.0.113.9', 'committer', ${parameter(4)})`;
const deletion = `DELETE FROM session WHERE id = ${parameter(1)}`;

function openSqlite(url: string): Run {
  const database = new Database(url.slice("file:".length), { readwrite: true, create: false });
  for (const pragma of ["busy_timeout = 5000", "synchronous = FULL", "foreign_keys = ON"])
    database.run(`PRAGMA ${pragma}`);
  return async (text, parameters) => database.query(text).run(...parameters);
}

function openPostgres(url: string): Run {
  const sql = new SQL(url, { max: 1 });
  return async (text, parameters) => await sql.unsafe(text, parameters);
}

const live: string[] = [];
let commits = 0;

async function commitOne(): Promise<void> {
  const ended = live.length * 2 > order.perSecond ? live.shift() : undefined;
  if (ended !== undefined) await run(deletion, [ended]);
  else {
    const id = crypto.randomUUID();
    await run(insertion, [id, Date.now() + 86_400_000, Date.now(), order.userId]);
    live.push(id);
  }
  commits += 1;
}

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
await commitOne();
const startedAt = performance.now();
console.log("ready");
for (let due = startedAt; !stop.signal.aborted; due += 1000 / order.perSecond) {
  await Bun.sleep(Math.max(0, due - performance.now()));
  await commitOne();
}
const elapsedMs = performance.now() - startedAt;
for (const id of live) await run(deletion, [id]);
console.log(JSON.stringify({ perSecond: (commits / elapsedMs) * 1000 }));
process.exit(0);
