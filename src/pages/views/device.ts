import { parse } from "bowser";

/** Longer ones are no browser's, and matching them takes time. */
const userAgentMaxLength = 512;

const shortNames: ReadonlyMap<string, string> = new Map([
  ["Microsoft Edge", "Edge"],
  ["Samsung Internet for Android", "Samsung Internet"],
]);

/** Names a session's browser for its owner: `Firefox on macOS`; a program by its own name: `curl`. */
export function describeDevice(userAgent: string | null): string {
  const text = (userAgent ?? "").slice(0, userAgentMaxLength);
  if (text === "") return "Unknown device";
  const { browser, os } = parse(text);
  if (browser.name === undefined || browser.name === "" || os.name === undefined) return program(text);
  return `${shortNames.get(browser.name) ?? browser.name} on ${os.name}`;
}

/** The first product of a user agent, RFC 9110 §10.1.5. */
function program(userAgent: string): string {
  const name = /^([A-Za-z][\w.-]{0,30})(?:\/|$)/.exec(userAgent)?.[1];
  return name === undefined || name === "Mozilla" ? "Unknown browser" : name;
}
