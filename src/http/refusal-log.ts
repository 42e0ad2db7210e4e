import type { Log } from "../log.ts";

const intervalMs = 60_000;
/** More different ones within a minute are not told apart: anybody can send any. */
const valuesMax = 100;
const valueLength = 200;

/** What was refused because it is not on a list, and the setting that holds the list. */
interface Refused {
  readonly what: "origin" | "callback";
  /** As it was sent. */
  readonly value: string;
  readonly path: string;
  readonly requestId: string;
}

/** Writes one warning a minute of each value. */
export type LogRefusal = (refused: Refused) => void;

/** @param now the clock, in ms. */
export function createRefusalLog(log: Log, now: () => number): LogRefusal {
  const toldOf = { origin: new Map<string, number>(), callback: new Map<string, number>() };
  return ({ what, value, path, requestId }) => {
    const at = now();
    const told = toldOf[what];
    const key = value.slice(0, valueLength);
    const last = told.get(key);
    if (last !== undefined && at - last < intervalMs && at >= last) return;
    if (last === undefined && told.size >= valuesMax) {
      for (const [known, when] of told) if (at - when >= intervalMs || at < when) told.delete(known);
      if (told.size >= valuesMax) return;
    }
    told.set(key, at);
    log.warn(
      {
        event: `${what}_refused`,
        [what]: readable(value),
        route: path,
        setting: "BETTER_AUTH_TRUSTED_ORIGINS",
        requestId,
      },
      what === "origin"
        ? "a request came from a site that is not listed"
        : "a callbackUrl leads to a site that is not listed",
    );
  };
}

/** A value of a stranger's as a line or an answer may carry it. */
export function readable(value: string): string {
  const plain = value.toWellFormed().replaceAll(/[^\x20-\x7e]/g, "?");
  return plain.length <= valueLength ? plain : `${plain.slice(0, valueLength)}…`;
}
