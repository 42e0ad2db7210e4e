/** One direction of a connection with latency: bytes leave in order, `delayMs` after they came. */
export interface DelayLine {
  readonly push: (bytes: Uint8Array) => void;
  /** Whoever sent has closed; passed on behind all bytes. */
  readonly end: () => void;
  /** While on, nothing leaves: not even the end. */
  readonly stall: (on: boolean) => void;
  /** Forgets what has not left, and leaves nothing more. */
  readonly drop: () => void;
}

export interface Sink {
  readonly write: (bytes: Uint8Array) => void;
  readonly end: () => void;
}

export interface Pace {
  /** At the granularity of timers, 1 ms; what is due together is written together. */
  readonly delayMs: () => number;
  /** How many pass in a second at the most; null for any number. */
  readonly bytesPerSecond: () => number | null;
}

/** Of a connection that is throttled, so many parts pass in a second. */
const partsPerSecond = 50;

/** @param pace asked for each part. */
export function createDelayLine(pace: Pace, sink: Sink, stalledFromStart: boolean): DelayLine {
  const queue: { readonly dueAt: number; readonly bytes: Uint8Array | "end" }[] = [];
  let stalled = stalledFromStart;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const write = (parts: readonly (Uint8Array | "end")[]) => {
    const bytes = parts.filter((part) => part !== "end");
    const [first] = bytes;
    if (first !== undefined) sink.write(bytes.length === 1 ? first : Buffer.concat(bytes));
    if (parts.length > bytes.length) sink.end();
  };
  const release = () => {
    timer = undefined;
    if (stalled) return;
    // A timer that fires a fraction early must not cost another whole tick.
    const now = performance.now() + 0.5;
    const held = queue.findIndex(({ dueAt }) => dueAt > now);
    write(queue.splice(0, held === -1 ? queue.length : held).map(({ bytes }) => bytes));
    const [next] = queue;
    if (next !== undefined) timer = setTimeout(release, Math.max(0, next.dueAt - performance.now()));
  };
  /** When the last part that was pushed is due: none overtakes another. */
  const lastDueAt = () => queue.at(-1)?.dueAt ?? 0;
  const push = (bytes: Uint8Array | "end", dueAt = performance.now() + pace.delayMs()) => {
    if (dueAt <= performance.now() && !stalled && queue.length === 0) return write([bytes]);
    queue.push({ dueAt: Math.max(dueAt, lastDueAt()), bytes });
    timer ??= setTimeout(release, Math.max(0, dueAt - performance.now()));
  };
  /** Parts that leave one after the other, each when the line has carried it. */
  const trickle = (bytes: Uint8Array, rate: number) => {
    const size = Math.max(1, Math.floor(rate / partsPerSecond));
    let dueAt = Math.max(performance.now() + pace.delayMs(), lastDueAt());
    for (let at = 0; at < bytes.length; at += size) {
      const part = bytes.subarray(at, at + size);
      dueAt += (part.length / rate) * 1000;
      push(part, dueAt);
    }
  };
  return {
    push(bytes) {
      const rate = pace.bytesPerSecond();
      if (rate === null) push(bytes);
      else trickle(bytes, rate);
    },
    end: () => push("end"),
    stall(on) {
      stalled = on;
      if (!on && timer === undefined) release();
    },
    drop() {
      clearTimeout(timer);
      timer = undefined;
      stalled = true;
      queue.length = 0;
    },
  };
}
