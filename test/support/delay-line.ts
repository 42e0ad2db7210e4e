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

/** @param delayMs asked for each part, at the granularity of timers, 1 ms; what is due together is written together. */
export function createDelayLine(delayMs: () => number, sink: Sink, stalledFromStart: boolean): DelayLine {
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
  const push = (bytes: Uint8Array | "end") => {
    const delay = delayMs();
    if (delay === 0 && !stalled && queue.length === 0) return write([bytes]);
    queue.push({ dueAt: performance.now() + delay, bytes });
    timer ??= setTimeout(release, delay);
  };
  return {
    push,
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
