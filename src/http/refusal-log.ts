import { createOnceAMinute } from "./once-a-minute.ts";
import type { Log } from "../log.ts";
import { nameFields, type RequestName } from "./request.ts";

const valueLength = 200;

/** What was refused because it is not on a list, and the setting that holds the list. */
interface Refused {
  readonly what: "origin" | "callback";
  /** As it was sent. */
  readonly value: string;
  readonly path: string;
  readonly request: RequestName;
}

/** Writes one warning a minute of each value. */
export type LogRefusal = (refused: Refused) => void;

/** @param now the clock, in ms. */
export function createRefusalLog(log: Log, now: () => number): LogRefusal {
  const isDue = { origin: createOnceAMinute(now), callback: createOnceAMinute(now) };
  return ({ what, value, path, request }) => {
    if (isDue[what](value.slice(0, valueLength)) === null) return;
    log.warn(
      {
        event: `${what}_refused`,
        [what]: readable(value),
        route: path,
        setting: "BETTER_AUTH_TRUSTED_ORIGINS",
        ...nameFields(request),
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
