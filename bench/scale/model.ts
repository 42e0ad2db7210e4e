import { median } from "../report/statistics.ts";

/**
 * What a verify costs on a server database, and how long it takes, from the batches that look-ups go out in
 * (`src/database/sessions/batched.ts`). Times are in µs, rates in requests a second.
 */
export interface Constants {
  /** latchkey's CPU a request, and a batch: waking up, the statement, its answer. */
  readonly request: number;
  readonly batch: number;
  /** PostgreSQL's CPU a look-up, and a statement. */
  readonly lookup: number;
  readonly statement: number;
  /** What the 99th percentile has beyond round trip and queues: the machine's own pauses. */
  readonly floor: number;
}

/** What asks, and what it runs on. */
export interface Setting {
  readonly perSecond: number;
  readonly processes: number;
  /** To the database and back, in µs. */
  readonly roundTrip: number;
  /** Of latchkey's processes and of PostgreSQL; `shared` where both have to do with the same ones. */
  readonly cores: { readonly shared: number } | { readonly latchkey: number; readonly database: number };
}

export interface Prediction {
  /** Look-ups a statement. */
  readonly batchSize: number;
  /** CPU a request. */
  readonly latchkey: number;
  readonly database: number;
  /** Share of its cores that is at work, of the busier of both; 1 or more is too much. */
  readonly utilisation: number;
  /** Infinite where there is too much. */
  readonly p99: number;
}

/** As `batched.ts` has them. */
const gatherMost = 1_000;
const gatheredMost = 32;
const inFlightMost = 16;
const eager = 2;
const batchMost = 256;

/** Of a queue's times, which fall off exponentially (M/M/1), one in a hundred is this many means or longer. */
const tail = Math.log(100);

/** Finds the batch size at which the time that batches take makes batches of that size. */
export function predict(constants: Constants, setting: Setting): Prediction {
  let [low, high] = [1, batchMost];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (gather(setting, timesAt(constants, setting, middle), middle).size > middle) low = middle;
    else high = middle;
  }
  const times = timesAt(constants, setting, high);
  const { latchkey, database, utilisation, work } = times;
  const isTooMuch = utilisation >= 1;
  const { gatheringFor } = gather(setting, times, high);
  const p99 = constants.floor + setting.roundTrip + gatheringFor + tail * work;
  return {
    batchSize: high,
    latchkey,
    database,
    utilisation,
    p99: isTooMuch ? Number.POSITIVE_INFINITY : p99,
  };
}

/** Look-ups that go out together, where batches of `size` take these times, and how long they gather. */
function gather(
  { perSecond, processes }: Setting,
  { taken, waited }: ReturnType<typeof timesAt>,
  size: number,
): { size: number; gatheringFor: number } {
  const perMicro = perSecond / processes / 1e6;
  // One goes at once while fewer than two are under way, whose number varies as Poisson's; beyond, when one comes
  // back, or 1 ms or 32 look-ups later. Until the process has a core to itself, more come.
  const underWay = (perMicro * taken) / size;
  const isGathering = 1 - Math.exp(-underWay) * (1 + underWay);
  const asked = Math.min(gatherMost, taken / eager, gatheredMost / perMicro) + waited;
  const gatheringFor = isGathering * Math.max(taken / inFlightMost, asked);
  return { size: Math.min(batchMost, 1 + perMicro * gatheringFor), gatheringFor };
}

/** CPU a request, where `size` look-ups go out together. */
export function costsAt({ request, batch, lookup, statement }: Constants, size: number) {
  return { latchkey: request + batch / size, database: lookup + statement / size };
}

function timesAt(constants: Constants, setting: Setting, size: number) {
  const { perSecond, processes, roundTrip, cores } = setting;
  const { latchkey, database } = costsAt(constants, size);
  const busy = (micros: number, count: number) => (perSecond * micros) / 1e6 / count;
  if ("shared" in cores) {
    const utilisation = busy(latchkey + database, cores.shared);
    const queue = queueing(utilisation, cores.shared);
    const work = size * (latchkey + database) * queue;
    // For others on its core, that is: PostgreSQL and the other processes.
    const own = latchkey / (latchkey + database) / processes;
    const waited = size * (latchkey + database) * (queue - 1) * (1 - own);
    return { latchkey, database, utilisation, work, waited, taken: roundTrip + work };
  }
  const own = busy(latchkey, Math.min(processes, cores.latchkey));
  const theirs = busy(database, cores.database);
  // A process has one core at the most: its requests queue as one line each, PostgreSQL's statements over all cores.
  const ownWork = size * latchkey * queueing(own, 1);
  const theirWork = size * database * queueing(theirs, cores.database);
  const work = ownWork + theirWork;
  return { latchkey, database, utilisation: Math.max(own, theirs), work, waited: 0, taken: roundTrip + work };
}

/** How many times as long a job takes for having to wait in line (Sakasegawa's approximation of M/M/c). */
function queueing(utilisation: number, servers: number): number {
  const rho = Math.min(utilisation, 0.999);
  return 1 + rho ** (Math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho));
}

/** One measurement. CPU is a request's, in µs; `batchSize` and `p99` as in a prediction. */
export interface Measured extends Omit<Prediction, "utilisation"> {
  readonly setting: Setting;
}

/**
 * Least squares of the costs, of their relative errors, over the measured batch sizes; then the median of what the measured percentiles have beyond
 * those that these costs make of each setting. @throws with fewer than two measurements of different batch sizes.
 */
export function calibrate(measured: readonly Measured[]): Constants {
  const inverse = measured.map(({ batchSize }) => 1 / batchSize);
  const own = line(
    inverse,
    measured.map(({ latchkey }) => latchkey),
  );
  const theirs = line(
    inverse,
    measured.map(({ database }) => database),
  );
  const costs = {
    request: own.intercept,
    batch: own.slope,
    lookup: theirs.intercept,
    statement: theirs.slope,
    floor: 0,
  };
  const beyond = measured.flatMap(({ setting, p99 }) => {
    const missing = p99 - predict(costs, setting).p99;
    return Number.isFinite(missing) ? [missing] : [];
  });
  return { ...costs, floor: beyond.length === 0 ? 0 : Math.max(0, median(beyond)) };
}

/** Weighs each point by the inverse of its square: a tenth too much counts alike of 20 µs and of 200. */
function line(xs: readonly number[], ys: readonly number[]): { intercept: number; slope: number } {
  const sum = (value: (x: number, y: number) => number) =>
    xs.reduce((total, x, index) => total + value(x, ys[index] ?? 0) / (ys[index] ?? 0) ** 2, 0);
  const [weight, x, y] = [sum(() => 1), sum((at) => at), sum((_, at) => at)];
  const spread = sum((at) => (at - x / weight) ** 2);
  if (!(spread > 0)) throw new Error("a line needs two measurements that differ");
  const slope = sum((at, value) => (at - x / weight) * (value - y / weight)) / spread;
  return { intercept: y / weight - (slope * x) / weight, slope };
}

/** What a load takes where each machine is at work for `utilisation` of the time at the most. */
export interface Size extends Prediction {
  /** Processes with a core each. */
  readonly processes: number;
  readonly databaseCores: number;
}

/** The fewest processes, then the fewest cores of PostgreSQL. */
export function sizeFor(
  constants: Constants,
  { perSecond, roundTrip, utilisation }: { perSecond: number; roundTrip: number; utilisation: number },
): Size {
  const at = (processes: number): Size => {
    let databaseCores = 1;
    for (;;) {
      const cores = { latchkey: processes, database: databaseCores };
      const found = predict(constants, { perSecond, processes, roundTrip, cores });
      const needed = Math.ceil((perSecond * found.database) / 1e6 / utilisation);
      if (needed <= databaseCores) return { ...found, processes, databaseCores };
      databaseCores = needed;
    }
  };
  const suffices = (size: Size) => (perSecond * size.latchkey) / 1e6 / size.processes <= utilisation;
  let [low, high] = [0, 1];
  while (!suffices(at(high))) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (suffices(at(middle))) high = middle;
    else low = middle;
  }
  return at(high);
}
