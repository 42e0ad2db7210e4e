import type { Database, Parameter } from "./database.ts";
import { numbered } from "./numbered.ts";

/** What is counted of a key. */
export interface Count {
  readonly points: number;
  /** When it begins anew, in ms since the epoch. */
  readonly expiresAt: number;
}

/** Counts in the database, the same for every instance. Each rejects with AppError 503 when it cannot be kept. */
export interface LimitStore {
  /** Adds to a key's points; one that has none, or whose time is over, begins anew. @returns its points from then on. */
  add(key: string, points: number, durationMs: number): Promise<Count>;
  /** Takes one point back, if there is one. */
  takeBack(key: string): Promise<void>;
  remove(key: string): Promise<void>;
}

interface Adding {
  readonly kind: "add";
  readonly points: number;
  readonly durationMs: number;
  readonly resolve: (count: Count) => void;
}

interface Taking {
  readonly kind: "takeBack" | "remove";
  readonly resolve: () => void;
}

type Change = (Adding | Taking) & { readonly key: string; readonly reject: (error: unknown) => void };

/** Changes of different keys, or additions to the same, which one statement of each kind can make. */
interface Step {
  readonly kinds: Map<string, Change["kind"]>;
  readonly changes: Change[];
}

/** Of SQL's placeholders; the rest waits for the next statement. */
const keysMax = 100;

/**
 * Builds the store. Whatever comes while a statement is under way goes into the next one: a flood costs few of them.
 * @param now the clock, in ms since the epoch.
 * @param onWrite hears of every write.
 */
export function createLimitStore(database: Database, now: () => number, onWrite: () => void): LimitStore {
  let waiting: Step[] = [];
  let isWriting = false;
  const write = async () => {
    if (isWriting) return;
    isWriting = true;
    // What is asked for in the same turn of the event loop goes together.
    await Promise.resolve();
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      try {
        await writeStep(database, step, now());
        onWrite();
      } catch (error) {
        for (const { reject } of step.changes) reject(error);
      }
    }
    isWriting = false;
  };
  const enqueue = (change: Change): void => {
    const last = waiting.at(-1);
    const isApart = (step: Step) => {
      const kind = step.kinds.get(change.key);
      if (kind === undefined) return step.kinds.size < keysMax;
      return kind === "add" && change.kind === "add";
    };
    const step: Step = last !== undefined && isApart(last) ? last : { kinds: new Map(), changes: [] };
    if (step !== last) waiting = [...waiting, step];
    step.kinds.set(change.key, change.kind);
    step.changes.push(change);
    void write();
  };
  return {
    add: (key, points, durationMs) =>
      new Promise((resolve, reject) => enqueue({ kind: "add", key, points, durationMs, resolve, reject })),
    takeBack: (key) => new Promise((resolve, reject) => enqueue({ kind: "takeBack", key, resolve, reject })),
    remove: (key) => new Promise((resolve, reject) => enqueue({ kind: "remove", key, resolve, reject })),
  };
}

async function writeStep(database: Database, { changes }: Step, at: number): Promise<void> {
  const run = (text: string, values: readonly Parameter[]) =>
    database.change(numbered(database.provider, text), values);
  const done: (() => void)[] = [];
  const added = Map.groupBy(
    changes.filter((change) => change.kind === "add"),
    ({ key }) => key,
  );
  if (added.size > 0) {
    const counts = await runAdditions(run, added, at);
    for (const [key, additions] of added) done.push(() => resolveAdditions(additions, counts.get(key)));
  }
  const takings = changes.filter((change) => change.kind !== "add");
  const keysOf = (kind: Taking["kind"]) => takings.filter((one) => one.kind === kind).map(({ key }) => key);
  await runTakings(run, keysOf("takeBack").toSorted(), keysOf("remove").toSorted());
  for (const { resolve } of takings) done.push(resolve);
  for (const resolve of done) resolve();
}

type Run = (text: string, values: readonly Parameter[]) => Promise<Record<string, unknown>[]>;
/** Mostly nothing but the point itself is there, so that one statement is enough. */
async function runTakings(run: Run, takenBack: readonly string[], removed: readonly string[]): Promise<void> {
  if (takenBack.length + removed.length === 0) return;
  const among = (keys: readonly string[]) =>
    keys.length === 0 ? "1 = 0" : `key IN (${keys.map(() => "?").join(", ")})`;
  const gone = await run(
    `DELETE FROM latchkey_limit WHERE ${among(removed)} OR (points <= 1 AND ${among(takenBack)}) RETURNING key`,
    [...removed, ...takenBack],
  );
  const deleted = new Set(gone.map((row) => row["key"]));
  const left = takenBack.filter((key) => !deleted.has(key));
  if (left.length > 0)
    await run(`UPDATE latchkey_limit SET points = points - 1 WHERE points > 0 AND ${among(left)}`, left);
}

type Additions = readonly (Adding & { readonly key: string })[];

async function runAdditions(
  run: Run,
  added: ReadonlyMap<string, Additions>,
  at: number,
): Promise<ReadonlyMap<string, Count>> {
  // In one order, so that two instances never wait for each other's rows.
  const sums = [...added].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const rows = sums.map(() => "(?, CAST(? AS integer), CAST(? AS bigint))").join(", ");
  const isOver = "latchkey_limit.expires_at <= CAST(? AS bigint)";
  const found = await run(
    `INSERT INTO latchkey_limit (key, points, expires_at) VALUES ${rows} ON CONFLICT (key) DO UPDATE SET ` +
      `points = CASE WHEN ${isOver} THEN excluded.points ELSE latchkey_limit.points + excluded.points END, ` +
      `expires_at = CASE WHEN ${isOver} THEN excluded.expires_at ELSE latchkey_limit.expires_at END ` +
      "RETURNING key, points, expires_at AS ends",
    [
      ...sums.flatMap(([key, additions]) => [
        key,
        additions.reduce((sum, { points }) => sum + points, 0),
        at + (additions[0]?.durationMs ?? 0),
      ]),
      at,
      at,
    ],
  );
  return new Map(found.map((row) => [String(row["key"]), countOf(row)]));
}

/** Tells each what the points were after its own. */
function resolveAdditions(additions: Additions, count: Count | undefined): void {
  let points = (count?.points ?? 0) - additions.reduce((sum, addition) => sum + addition.points, 0);
  for (const addition of additions) {
    points += addition.points;
    addition.resolve({ points, expiresAt: count?.expiresAt ?? 0 });
  }
}

function countOf(row: Record<string, unknown>): Count {
  return { points: Number(row["points"]), expiresAt: Number(row["ends"]) };
}
