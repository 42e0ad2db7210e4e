import type { Log } from "../../src/log.ts";

/** A log whose lines can be looked at. */
export function heardLog() {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const hear = (said: object | string) =>
    void lines.push(typeof said === "string" ? { msg: said } : { ...said });
  const log = { info: hear, warn: hear, error: hear } as unknown as Log;
  const eventsOf = (event: string) => lines.filter((line) => line["event"] === event);
  return {
    log,
    lines,
    eventsOf,
    /** Waits until so many were told. */
    async until(event: string, count = 1): Promise<void> {
      while (eventsOf(event).length < count) await Bun.sleep(10);
    },
  };
}
