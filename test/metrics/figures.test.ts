import { describe, expect, test } from "bun:test";
import { createCounts } from "../../src/metrics/counts.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { lasting, sumOf } from "../../src/metrics/figures.ts";

const duration = "latchkey_http_request_duration_seconds";

describe("createCounts", () => {
  test("puts a time into the first bucket whose bound it does not exceed", async () => {
    const counts = createCounts();
    for (const seconds of [0.0001, 0.00011, 5, 5.1, 60]) counts.observe(duration, "verify", seconds);
    const text = await expose(counts.figures());
    const bucket = (le: string) => `${duration}_bucket{route="verify",le="${le}"}`;
    expect(text).toContain(`${bucket("0.0001")} 1\n`);
    expect(text).toContain(`${bucket("0.00025")} 2\n`);
    expect(text).toContain(`${bucket("2.5")} 2\n`);
    expect(text).toContain(`${bucket("5")} 3\n`);
    expect(text).toContain(`${bucket("+Inf")} 5\n`);
    expect(text).toContain(`${duration}_count{route="verify"} 5\n`);
    expect(text).toContain(`${duration}_sum{route="verify"} 70.10021`);
  });

  test("has outcomes from the start, and no route before it is asked", async () => {
    const counts = createCounts();
    expect(await expose(counts.figures())).toContain(
      'latchkey_verifications_total{outcome="unavailable"} 0\n',
    );
    expect(counts.figures()[duration]).toBeUndefined();
    counts.timer(duration, "verify");
    expect(counts.figures()[duration]).toBeUndefined();
  });

  test("gives figures that stay as they are", () => {
    const counts = createCounts();
    const before = counts.figures();
    counts.add("latchkey_hash_line_refusals_total");
    expect(before.latchkey_hash_line_refusals_total).toEqual({ "": [0] });
    expect(counts.figures().latchkey_hash_line_refusals_total).toEqual({ "": [1] });
  });
});

describe("sumOf", () => {
  test("adds counters, buckets and gauges, and takes the last of a process", () => {
    const one = {
      latchkey_http_requests_total: { "verify,200": [3], "live,200": [1] },
      [duration]: { verify: [1, 2, 0.5] },
      latchkey_hash_line_waiting: { "": [2] },
      process_start_time_seconds: { "worker-1": [100] },
    };
    const other = {
      latchkey_http_requests_total: { "verify,200": [4] },
      [duration]: { verify: [1, 0, 0.25] },
      latchkey_hash_line_waiting: { "": [5] },
      process_start_time_seconds: { "worker-1": [200], "worker-2": [150] },
    };
    expect(sumOf([one, other])).toEqual({
      latchkey_http_requests_total: { "verify,200": [7], "live,200": [1] },
      [duration]: { verify: [2, 2, 0.75] },
      latchkey_hash_line_waiting: { "": [7] },
      process_start_time_seconds: { "worker-1": [200], "worker-2": [150] },
    });
    expect(one.latchkey_hash_line_waiting).toEqual({ "": [2] });
  });

  test("of what has ended only what was counted lasts", () => {
    expect(
      lasting({
        latchkey_http_requests_total: { "verify,200": [3] },
        latchkey_hash_line_waiting: { "": [2] },
        process_cpu_seconds_total: { "worker-1": [9] },
        latchkey_limit_wait_seconds: { "": [1, 0, 0.1] },
      }),
    ).toEqual({
      latchkey_http_requests_total: { "verify,200": [3] },
      latchkey_limit_wait_seconds: { "": [1, 0, 0.1] },
    });
  });
});
