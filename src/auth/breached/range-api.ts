import { withDeadline } from "../../deadline.ts";
import type { Breaches } from "./breaches.ts";

/** Whoever chooses a password waits for it. */
export const rangeTimeoutMs = 1_000;
/** Ten times what a padded range takes. */
const answerMaxBytes = 512 * 1_024;
/** More at once would be a flood, and are not asked. */
const askedAtOnceMax = 32;
/** Of a form that is sent again, and of a request that is begun anew. */
const keptMs = 60_000;
const keptMax = 16;
const suffixPattern = /^([0-9A-F]{35}):(\d{1,12})$/i;

export interface RangeApiDeps {
  /** Without a slash at its end. */
  readonly url: string;
  readonly version: string;
  /** A clock in ms. */
  readonly now?: () => number;
}

/** Asks for ranges of hashes: what is asked for are five digits of SHA-1, which hundreds of others share. */
export interface RangeApi extends Breaches {
  /** @returns how many hashes begin with these five digits. @throws where there is no answer, or none of that form. */
  count(prefix: string): Promise<number>;
}

/** Builds a client of the range API of Pwned Passwords (https://haveibeenpwned.com/API/v3#PwnedPasswords). */
export function createRangeApi({ url, version, now = () => performance.now() }: RangeApiDeps): RangeApi {
  const known = new Map<string, { readonly at: number; readonly range: Promise<string> }>();
  let asked = 0;
  const ask = async (prefix: string): Promise<string> => {
    if (asked >= askedAtOnceMax) throw new Error(`${askedAtOnceMax} ranges are asked for already`);
    asked += 1;
    const expired = () => new Error(`no answer within ${rangeTimeoutMs} ms`);
    try {
      return suffixesIn(await withDeadline(fetchRange(`${url}/${prefix}`, version), rangeTimeoutMs, expired));
    } finally {
      asked -= 1;
    }
  };
  const rangeOf = (prefix: string): Promise<string> => {
    const found = known.get(prefix);
    if (found !== undefined && now() - found.at < keptMs) return found.range;
    known.delete(prefix);
    const asking = { at: now(), range: ask(prefix) };
    known.set(prefix, asking);
    const [oldest] = known.keys();
    if (known.size > keptMax && oldest !== undefined) known.delete(oldest);
    // Whoever waits for it hears of the failure, and the next one asks again.
    asking.range.catch(() => {
      if (known.get(prefix) === asking) known.delete(prefix);
    });
    return asking.range;
  };
  return {
    async has(sha1) {
      const digits = sha1.toString("hex").toUpperCase();
      return (await rangeOf(digits.slice(0, 5))).includes(`\n${digits.slice(5)}\n`);
    },
    count: async (prefix) => (await rangeOf(prefix)).split("\n").length - 2,
    async close() {},
  };
}

async function fetchRange(address: string, version: string): Promise<string> {
  const response = await fetch(address, {
    // What is asked for goes to the server that was named, and no other.
    redirect: "manual",
    // A few bytes could become many.
    decompress: false,
    signal: AbortSignal.timeout(rangeTimeoutMs),
    headers: {
      // Without it the length of an answer would tell an eavesdropper which range was asked for.
      "Add-Padding": "true",
      "Accept-Encoding": "identity",
      "User-Agent": `latchkey/${version}`,
    },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  }
  return await boundedText(response);
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the rest.
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > answerMaxBytes) throw new Error(`the answer is longer than ${answerMaxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("latin1");
}

/** The suffixes of an answer, a line each, with a line feed before the first; padding has the count 0, and is left out. */
function suffixesIn(answer: string): string {
  const lines = answer.trimEnd().split(/\r?\n/);
  const suffixes = lines.flatMap((line) => {
    const [, suffix, count] = suffixPattern.exec(line) ?? [];
    if (suffix === undefined) throw new Error("the answer is no range of hashes");
    return Number(count) === 0 ? [] : [suffix.toUpperCase()];
  });
  return `\n${suffixes.map((suffix) => `${suffix}\n`).join("")}`;
}
