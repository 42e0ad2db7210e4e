/** A median with the range that it stands in. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** @throws on an empty list: a figure without a measurement is none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right);
  const [low] = sorted;
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) throw new Error("nothing was measured");
  return { median: medianOfSorted(sorted), low, high };
}

export function median(values: readonly number[]): number {
  return spreadOf(values).median;
}

/** NaN of an empty list. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function medianOfSorted(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Left over right, round by round: what the machine did in that round cancels out. */
export function ratios(left: readonly number[], right: readonly number[]): number[] {
  return left.flatMap((value, round) => {
    const other = right[round];
    return other === undefined ? [] : [value / other];
  });
}

/** The chance that a value of `left` is below one of `right`: 0.5 when they cannot be told apart (Mann–Whitney). */
export function chanceBelow(left: readonly number[], right: readonly number[]): number {
  let below = 0;
  for (const one of left) {
    for (const other of right) below += one < other ? 1 : one === other ? 0.5 : 0;
  }
  return below / (left.length * right.length);
}
