import ipaddr from "ipaddr.js";
import { createEmailDescription, hashedSessionId } from "../http/auth.ts";

/** Which lines of a log are wanted; what is undefined is not asked. */
export interface EventFilter {
  readonly person: Person | undefined;
  /** Of the address that a client has, or of a network of them. */
  readonly hasAddress: ((address: string) => boolean) | undefined;
  /** A session's id, or the hash of it that the log shows. */
  readonly session: string | undefined;
  readonly events: ReadonlySet<string> | undefined;
  readonly outcome: "success" | "failure" | undefined;
  /** In ms since the epoch. */
  readonly since: number | undefined;
}

/** Somebody, by everything that a line may call them. */
export interface Person {
  readonly ids: ReadonlySet<string>;
  readonly emails: readonly string[];
  /** The keys that e-mail addresses are hashed with. */
  readonly secrets: readonly string[];
}

/**
 * Builds a test of a line: a JSON object with an `event`, as the server's log has them; nothing else passes.
 * A line that names both an address and a user teaches the user's id to those that follow.
 */
export function createEventFilter(filter: EventFilter): (line: string) => boolean {
  const isOfPerson = filter.person === undefined ? () => true : createPersonTest(filter.person);
  const { hasAddress, session, events, outcome, since } = filter;
  const sessions = session === undefined ? undefined : new Set([session, hashedSessionId(session)]);
  const tests: ((entry: Readonly<Record<string, unknown>>) => boolean)[] = [
    ({ event }) => typeof event === "string" && (events?.has(event) ?? true),
    (entry) => outcome === undefined || entry["outcome"] === outcome,
    ({ time }) => since === undefined || Date.parse(String(time)) >= since,
    (entry) => sessions === undefined || sessions.has(String(entry["session"])),
    ({ clientAddress }) => hasAddress === undefined || hasAddress(String(clientAddress)),
    // The last, and never asked of a line that others leave out: it learns.
    isOfPerson,
  ];
  return (line) => {
    const entry = parseEntry(line);
    return entry !== undefined && tests.every((passes) => passes(entry));
  };
}

function createPersonTest({ ids: known, emails, secrets }: Person) {
  const ids = new Set(known);
  const hashes = new Set(
    secrets.flatMap((secret) => {
      const describe = createEmailDescription(secret, false);
      return emails.map((email) => describe(email)["emailHash"] ?? "");
    }),
  );
  return ({ userId, emailHash, email }: Readonly<Record<string, unknown>>): boolean => {
    const isNamed = hashes.has(String(emailHash)) || emails.includes(String(email));
    if (isNamed && typeof userId === "string") ids.add(userId);
    return isNamed || ids.has(String(userId));
  };
}

function parseEntry(line: string): Readonly<Record<string, unknown>> | undefined {
  // A platform's own prefix may stand before it.
  const start = line.indexOf("{");
  if (start === -1) return undefined;
  try {
    const value: unknown = JSON.parse(line.slice(start));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A test for an address, or a network in CIDR notation; undefined where the text is neither. */
export function addressTest(text: string): ((address: string) => boolean) | undefined {
  const isNetwork = ipaddr.isValidCIDR(text);
  if (!isNetwork && !ipaddr.isValid(text)) return undefined;
  const [network, bits] = isNetwork ? ipaddr.parseCIDR(text) : [ipaddr.process(text), undefined];
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    if (parsed.kind() !== network.kind()) return false;
    return parsed.match(network, bits ?? (parsed.kind() === "ipv4" ? 32 : 128));
  };
}
