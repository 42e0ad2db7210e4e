import { parse } from "bowser";
import type { Messages } from "./messages/en.ts";
import { fill } from "./texts.tsx";

/** Longer ones are no browser's, and matching them takes time. */
const userAgentMaxLength = 512;

const shortNames: ReadonlyMap<string, string> = new Map([
  ["Microsoft Edge", "Edge"],
  ["Samsung Internet for Android", "Samsung Internet"],
]);

/** Names a session's browser for its owner: `Firefox on macOS`; a program by its own name: `curl`. */
export function describeDevice(userAgent: string | null, messages: Messages): string {
  const text = (userAgent ?? "").slice(0, userAgentMaxLength);
  if (text === "") return messages.unknownDevice;
  const { browser, os } = parse(text);
  if (browser.name === undefined || browser.name === "" || os.name === undefined)
    return program(text) ?? messages.unknownBrowser;
  const name = shortNames.get(browser.name) ?? browser.name;
  return fill(messages.deviceOn, { browser: name, system: os.name });
}

/** The first product of a user agent, RFC 9110 §10.1.5; null where it is none. */
function program(userAgent: string): string | null {
  const name = /^([A-Za-z][\w.-]{0,30})(?:\/|$)/.exec(userAgent)?.[1];
  return name === undefined || name === "Mozilla" ? null : name;
}

/** An address as people write it: `2001:db8::1` instead of every zero. */
export function shortAddress(address: string): string {
  return address.includes(":") && URL.canParse(`http://[${address}]`)
    ? new URL(`http://[${address}]`).hostname.slice(1, -1)
    : address;
}
