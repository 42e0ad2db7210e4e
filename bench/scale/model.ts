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
  /** The 99th percentile of an idle system beyond the round trip, and how much a batch's work weighs in it under load. */
  readonly floor: number;
  readonly weight: number;
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
const gather = 1_000;
const gatheredMost = 32;
const inFlightMost = 16;
const eager = 2;
const batchMost = 256;

/** Finds the batch size at which the time that batches take makes batches of that size. */
export function predict(constants: Constants, setting: Setting): Prediction {
  let [low, high] = [1, batchMost];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (gathered(setting, timesAt(constants, setting, middle).taken) > middle) low = middle;
    else high = middle;
  }
  const { latchkey, database, utilisation, work } = timesAt(constants, setting, high);
  const isTooMuch = utilisation >= 1;
  const p99 = constants.floor + setting.roundTrip + constants.weight * work;
  return {
    batchSize: high,
    latchkey,
    database,
    utilisation,
    p99: isTooMuch ? Number.POSITIVE_INFINITY : p99,
  };
}

/** Look-ups that go out together, where a batch takes `taken` µs from its sending to its answer. */
function gathered({ perSecond, processes }: Setting, taken: number): number {
  const perMicro = perSecond / processes / 1e6;
  // One goes at once while fewer than two are under way; beyond, when one comes back, or 1 ms or 32 look-ups later.
  const interval = Math.max(taken / inFlightMost, Math.min(gather, taken / eager, gatheredMost / perMicro));
  return Math.min(batchMost, 1 + perMicro * interval);
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
    return { latchkey, database, utilisation, work, taken: roundTrip + work };
  }
  const own = busy(latchkey, Math.min(processes, cores.latchkey));
  const theirs = busy(database, cores.database);
  // A process has one core at the most: its requests queue as one line each, PostgreSQL's statements over all cores.
  const ownWork = size * latchkey * queueing(own, 1);
  const theirWork = size * database * queueing(theirs, cores.database);
  const work = ownWork + theirWork;
  return { latchkey, database, utilisation: Math.max(own, theirs), work, taken: roundTrip + work };
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
 * Least squares of the costs over the measured batch sizes, then of the percentile over the work that these costs make
 * of each setting. @throws with fewer than two measurements of different batch sizes.
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
    weight: 1,
  };
  const works = measured.map(({ setting }) => {
    const { p99 } = predict(costs, setting);
    return Number.isFinite(p99) ? p99 - setting.roundTrip : Number.NaN;
  });
  const known = works.flatMap((work, index) => {
    const one = measured[index];
    return one === undefined || Number.isNaN(work) || Number.isNaN(one.p99)
      ? []
      : [{ work, beyond: one.p99 - one.setting.roundTrip }];
  });
  const { intercept, slope } = line(
    known.map(({ work }) => work),
    known.map(({ beyond }) => beyond),
  );
  return { ...costs, floor: Math.max(0, intercept), weight: slope };
}

function line(xs: readonly number[], ys: readonly number[]): { intercept: number; slope: number } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const spread = xs.reduce((sum, value) => sum + (value - x) ** 2, 0);
  if (!(spread > 0)) throw new Error("a line needs two measurements that differ");
  const slope = xs.reduce((sum, value, index) => sum + (value - x) * ((ys[index] ?? y) - y), 0) / spread;
  return { intercept: y - slope * x, slope };
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
