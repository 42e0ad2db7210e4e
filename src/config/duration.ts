import { quote, accepted, type Parsed, refused } from "./parse.ts";
import type { ConfigReader } from "./reader.ts";
import { readParsed } from "./reader.ts";
import type { SettingName } from "./settings.ts";

const UNITS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;

/** Browsers cap a cookie at 400 days: RFC 6265bis §5.5. */
const MAXIMUM_SECONDS = 400 * UNITS.d;

/** Parses `7d`, `12h`, `30m`, `45s` or plain seconds into seconds. */
export function parseDuration(text: string, minimumSeconds: number, maximumSeconds: number): Parsed<number> {
  const [, digits, unit] = /^(\d{1,9})\s?([dhms])?$/.exec(text) ?? [];
  const bounds = `from ${formatDuration(minimumSeconds)} to ${formatDuration(maximumSeconds)}`;
  const remedy = `write a duration ${bounds}, such as 7d, 12h, 30m or 45s`;
  if (digits === undefined) return refused(`${quote(text)} is not a duration`, remedy);
  const seconds = Number(digits) * UNITS[(unit ?? "s") as keyof typeof UNITS];
  if (seconds < minimumSeconds) return refused(`${formatDuration(seconds)} is too short`, remedy);
  if (seconds > maximumSeconds) return refused(`${quote(text)} is too long`, remedy);
  return accepted(seconds);
}

/** The shortest exact form, e.g. `7d` for 604800. */
export function formatDuration(seconds: number): string {
  const exact = Object.entries(UNITS).find(([, size]) => seconds > 0 && seconds % size === 0);
  return exact === undefined ? `${seconds}s` : `${seconds / exact[1]}${exact[0]}`;
}

export interface SessionLifetimes {
  readonly sessionExpiresInSeconds: number;
  readonly sessionUpdateAgeSeconds: number;
  readonly sessionMaxAgeSeconds: number;
}

/** Reads the three session lifetimes and refuses contradictions: update age ≤ lifetime ≤ absolute cap. */
export function readSessionLifetimes(reader: ConfigReader): SessionLifetimes {
  const read = (name: SettingName, fallback: number, minimum: number) =>
    readParsed(
      reader,
      name,
      fallback,
      (text) => parseDuration(text, minimum, MAXIMUM_SECONDS),
      formatDuration,
    );
  // A minute at least: a plain `7`, meant as days, would sign everybody out within seconds.
  const expiresIn = read("LATCHKEY_SESSION_EXPIRES_IN", 7 * UNITS.d, 60);
  const updateAge = read("LATCHKEY_SESSION_UPDATE_AGE", UNITS.d, 0);
  const maxAge = read("LATCHKEY_SESSION_MAX_AGE", 30 * UNITS.d, 60);
  refuseShorter(
    reader,
    ["LATCHKEY_SESSION_UPDATE_AGE", updateAge],
    ["LATCHKEY_SESSION_EXPIRES_IN", expiresIn],
  );
  refuseShorter(reader, ["LATCHKEY_SESSION_EXPIRES_IN", expiresIn], ["LATCHKEY_SESSION_MAX_AGE", maxAge]);
  return {
    sessionExpiresInSeconds: expiresIn,
    sessionUpdateAgeSeconds: updateAge,
    sessionMaxAgeSeconds: maxAge,
  };
}

type NamedDuration = readonly [name: SettingName, seconds: number];

function refuseShorter(
  reader: ConfigReader,
  [lower, small]: NamedDuration,
  [upper, large]: NamedDuration,
): void {
  if (small <= large || reader.isRejected(lower) || reader.isRejected(upper)) return;
  const shown = (name: SettingName, seconds: number) =>
    `${formatDuration(seconds)}${reader.entry(name) === undefined ? ", its default" : ""}`;
  const [most, least] = [formatDuration(large), formatDuration(small)];
  const remedy = `set ${lower} to at most ${most}, or ${upper} to at least ${least}`;
  // Blame the one that was set: a default is nobody's mistake.
  if (reader.entry(lower) === undefined) {
    reader.reject(
      upper,
      `(${shown(upper, large)}) is shorter than ${lower} (${shown(lower, small)})`,
      remedy,
    );
  } else {
    reader.reject(lower, `(${shown(lower, small)}) is longer than ${upper} (${shown(upper, large)})`, remedy);
  }
}
