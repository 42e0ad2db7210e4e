import { cpuMicros } from "../machine/process-usage.ts";
import { type Connection, type ConnectionEvents, openConnection } from "./connection.ts";
import { createLatencies } from "./latencies.ts";
import type { ParsedResponse } from "./response.ts";
import type { LoadResult, LoadSpec } from "./protocol.ts";

/** How long answers may take that are still under way when a run ends. */
const settleMs = 15_000;

/** Runs one load to its end. `requests` are whole HTTP requests. */
export async function runLoad(spec: LoadSpec, requests: readonly Uint8Array[]): Promise<LoadResult> {
  const tally = createTally(spec);
  const sender = createSender(spec, requests);
  const events: ConnectionEvents = {
    answered(connection, response) {
      const now = performance.now();
      tally.answered(connection.dueAt, now, response);
      sender.idle(connection, now);
    },
    broke(connection, reason) {
      tally.broke(reason);
      sender.lost(connection);
    },
  };
  const connections = await Promise.all(
    Array.from({ length: spec.connections }, () => openConnection(spec.url, events)),
  );
  if ("requests" in spec.until) tally.begin();
  sender.start(connections);
  if ("requests" in spec.until) {
    const { atMostMs } = spec.until;
    await (atMostMs === undefined ? sender.ended : Promise.race([sender.ended, Bun.sleep(atMostMs)]));
  } else {
    await Bun.sleep(spec.until.warmUpMs);
    tally.begin();
    await Bun.sleep(spec.until.measureMs);
  }
  tally.end();
  sender.stop();
  await Promise.race([sender.ended, Bun.sleep(settleMs)]);
  for (const connection of connections) connection.close();
  return tally.result();
}

/**
 * Counts the answers between `begin` and `end`. What was under way at the end still counts as a latency, or a server
 * that answers nobody for a while would look fast; and what went wrong counts whenever it did.
 */
function createTally({ serverPid, databasePid, expect, keepLatencies = false }: LoadSpec) {
  const latencies = createLatencies();
  const statuses: Record<string, number> = {};
  let startedAt = Number.POSITIVE_INFINITY;
  let endedAt = Number.POSITIVE_INFINITY;
  let answers = 0;
  let allAnswers = 0;
  let wrongLengths = 0;
  let broken = 0;
  let breakReason: string | undefined;
  const cpuOf = () => [serverPid, databasePid].map((pid) => (pid === undefined ? null : cpuMicros(pid)));
  let cpu: readonly (number | null)[] = [];
  let ownCpu = process.cpuUsage();
  return {
    begin() {
      cpu = cpuOf();
      ownCpu = process.cpuUsage();
      startedAt = performance.now();
    },
    answered(dueAt: number, now: number, { status, bodyLength }: ParsedResponse) {
      const expected = expect[status];
      const inTime = now >= startedAt && now < endedAt;
      if (inTime) answers += 1;
      allAnswers += 1;
      if (inTime || expected === undefined) statuses[status] = (statuses[status] ?? 0) + 1;
      if (expected !== undefined && expected !== null && expected !== bodyLength) wrongLengths += 1;
      if (now >= startedAt && dueAt < endedAt) latencies.add(now - dueAt);
    },
    broke(reason: string) {
      broken += 1;
      breakReason ??= reason;
    },
    end() {
      endedAt = performance.now();
      const begun = cpu;
      cpu = cpuOf().map((now, at) => (now === null ? null : now - (begun[at] ?? Number.NaN)));
      ownCpu = process.cpuUsage(ownCpu);
    },
    result: (): LoadResult => ({
      answers,
      allAnswers,
      elapsedMs: endedAt - startedAt,
      statuses,
      wrongLengths,
      broken,
      ...(breakReason === undefined ? {} : { breakReason }),
      p50Ms: latencies.percentile(0.5),
      p99Ms: latencies.percentile(0.99),
      maxMs: latencies.percentile(1),
      serverCpuMicros: cpu[0] ?? null,
      databaseCpuMicros: cpu[1] ?? null,
      generatorCpuMicros: ownCpu.user + ownCpu.system,
      ...(keepLatencies ? { latenciesMs: latencies.all() } : {}),
    }),
  };
}

/** Decides who sends what, and when: at once, at an even pace, or at random moments. */
function createSender({ until, pace, isRandom, connections }: LoadSpec, requests: readonly Uint8Array[]) {
  const total = "requests" in until ? until.requests : Number.POSITIVE_INFINITY;
  const ended = Promise.withResolvers<void>();
  const resting: Connection[] = [];
  let sent = 0;
  let underWay = 0;
  let alive = connections;
  let stopped = false;
  let starved = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  const send = (connection: Connection, dueAt: number) => {
    const request = requests[sent % requests.length];
    if (request === undefined) throw new Error("no requests to send");
    sent += 1;
    underWay += 1;
    connection.send(request, dueAt);
  };
  const sendDue = (startedAt: number, perMs: number) => {
    const now = performance.now();
    for (;;) {
      const dueAt = startedAt + sent / perMs;
      const due = dueAt <= now && sent < total;
      const connection = due ? resting.pop() : undefined;
      if (connection === undefined) {
        starved = due;
        return;
      }
      // Waiting for a free connection is the server's doing; this timer being late is not.
      send(connection, starved ? dueAt : now);
    }
  };
  let nextAt = 0;
  /** Connections take turns, so that all of a server's processes get their share. */
  const sendRandomly = (perMs: number) => {
    if (stopped || sent >= total) return;
    const now = performance.now();
    while (nextAt <= now && sent < total) {
      const connection = resting.shift();
      if (connection === undefined) break;
      send(connection, starved ? nextAt : now);
      nextAt -= Math.log(1 - Math.random()) / perMs;
    }
    starved = nextAt <= now && sent < total;
    setImmediate(sendRandomly, perMs);
  };
  const endWhenDone = () => {
    if (underWay === 0 && (stopped || sent >= total || alive === 0)) ended.resolve();
  };
  return {
    ended: ended.promise,
    start(opened: readonly Connection[]) {
      const now = performance.now();
      if (pace === undefined) {
        for (const connection of opened) if (sent < total) send(connection, performance.now());
        return;
      }
      resting.push(...opened);
      if (isRandom === true) {
        nextAt = now;
        sendRandomly(pace / 1000);
      } else timer = setInterval(() => sendDue(now, pace / 1000), 1);
    },
    idle(connection: Connection, now: number) {
      underWay -= 1;
      if (!stopped && pace === undefined && sent < total) send(connection, now);
      else {
        resting.push(connection);
        endWhenDone();
      }
    },
    lost(connection: Connection) {
      const at = resting.indexOf(connection);
      if (at === -1) underWay -= 1;
      else resting.splice(at, 1);
      alive -= 1;
      endWhenDone();
    },
    stop() {
      stopped = true;
      clearInterval(timer);
      endWhenDone();
    },
  };
}
