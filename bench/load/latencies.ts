/** Latencies of one run, kept one by one: exact, and 4 bytes each. */
export interface Latencies {
  readonly count: () => number;
  readonly add: (ms: number) => void;
  /** The latency that `share` (0–1) of the answers do not exceed, in ms; NaN without any. */
  readonly percentile: (share: number) => number;
  /** In the order of the answers. */
  readonly all: () => number[];
}

export function createLatencies(): Latencies {
  let values = new Float32Array(1 << 16);
  let sorted: Float32Array | undefined;
  let count = 0;
  return {
    count: () => count,
    add(ms) {
      if (count === values.length) {
        const larger = new Float32Array(values.length * 2);
        larger.set(values);
        values = larger;
      }
      values[count] = ms;
      count += 1;
    },
    percentile(share) {
      sorted ??= values.slice(0, count).sort();
      return sorted[Math.min(count - 1, Math.ceil(share * count) - 1)] ?? Number.NaN;
    },
    all: () => [...values.subarray(0, count)],
  };
}
