import type { Config, Rate } from "./config.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { isLoopbackOrigin } from "./origin.ts";
import { parseChoice, parseInteger, type Parsed, quote, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

/** Reads LATCHKEY_LIMITS and LATCHKEY_LIMIT_…: how often may be tried what guesses are made by. */
export function readLimits(reader: ConfigReader, baseUrl: string | undefined): Config["limits"] {
  const use = readParsed(reader, "LATCHKEY_LIMITS", "on", (text) =>
    parseChoice(text, ["on", "off"] as const),
  );
  const rate = (
    name: "LATCHKEY_LIMIT_SIGN_IN" | "LATCHKEY_LIMIT_SIGN_UP" | "LATCHKEY_LIMIT_MAIL",
    fallback: Rate,
  ) => readParsed(reader, name, fallback, parseRate, formatRate);
  const parseConnections = (text: string) => parseInteger(text, 10, 1_000_000);
  const connections = readParsed(reader, "LATCHKEY_LIMIT_CONNECTIONS", 1_000, parseConnections);
  const limits = {
    signIn: rate("LATCHKEY_LIMIT_SIGN_IN", { points: 50, seconds: 15 * 60 }),
    signUp: rate("LATCHKEY_LIMIT_SIGN_UP", { points: 60, seconds: 60 * 60 }),
    mail: rate("LATCHKEY_LIMIT_MAIL", { points: 1_000, seconds: 60 * 60 }),
  };
  if (use === "on") return { ...limits, connections };
  if (baseUrl !== undefined && !isLoopbackOrigin(baseUrl))
    reader.reject("LATCHKEY_LIMITS", `is off, but ${baseUrl} is not this machine`, "remove it");
  return null;
}

/** `50/15m`. */
function parseRate(text: string): Parsed<Rate> {
  const remedy = "write how many within how long, such as 50/15m";
  const [count, duration, ...rest] = text.split("/");
  if (count === undefined || duration === undefined || rest.length > 0)
    return refused(`${quote(text)} is not of the form 50/15m`, remedy);
  const points = parseInteger(count.trim(), 5, 100_000);
  if (!points.ok) return refused(`${quote(text)}: ${points.reason}`, remedy);
  const seconds = parseDuration(duration.trim(), 60, 24 * 60 * 60);
  if (!seconds.ok) return refused(`${quote(text)}: ${seconds.reason}`, remedy);
  return { ok: true, value: { points: points.value, seconds: seconds.value } };
}

const formatRate = ({ points, seconds }: Rate): string => `${points}/${formatDuration(seconds)}`;
