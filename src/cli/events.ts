import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { canonicalEmail } from "../auth/input.ts";
import { parseDuration } from "../config/duration.ts";
import { findUser } from "../database/users.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { addressTest, createEventFilter, type EventFilter, type Person } from "./event-filter.ts";
import { knownSecrets } from "./known-secrets.ts";
import { loadConfigAt } from "./place.ts";
import { onUsers } from "./users-session.ts";

interface EventsOptions extends Place {
  readonly file?: string;
  readonly user?: string;
  readonly address?: string;
  readonly session?: string;
  readonly event?: string;
  readonly outcome?: string;
  readonly since?: string;
}

const daySeconds = 86_400;
const sinceMaxSeconds = 4_000 * daySeconds;

/** Prints the lines of a log that tell of somebody, an address or a session, as they are. */
export const events: Command<EventsOptions> = async (context, options) => {
  const input = openLogFile(context, options.file);
  const passes = createEventFilter({
    ...readFilter(options, context.now()),
    person: options.user === undefined ? undefined : await personOf(context, options, options.user),
  });
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      if (passes(line)) context.stdout(withoutControls(line));
  } catch (cause) {
    throw new CommandError(
      `the log cannot be read: ${reasonOf(cause)}`,
      "name a file that this user may read",
      {
        cause,
        wrongInput: "unreadable",
      },
    );
  }
  return exitStatus.ok;
};

function openLogFile({ stdin }: CommandContext, file: string | undefined): NodeJS.ReadableStream {
  if (file !== undefined) return createReadStream(file);
  const input = stdin();
  if (input.isTTY)
    throw wrong("there is no log to read", "journalctl -u latchkey -o cat | latchkey events, or name a file");
  return input;
}

function readFilter(options: EventsOptions, now: number): Omit<EventFilter, "person"> {
  const { address, session, event, outcome, since } = options;
  const hasAddress = address === undefined ? undefined : addressTest(address);
  if (address !== undefined && hasAddress === undefined)
    throw wrong(
      `--address: ${JSON.stringify(address)} is no address`,
      "write 203.0.113.7, or 203.0.113.0/24",
    );
  if (outcome !== undefined && outcome !== "success" && outcome !== "failure")
    throw wrong(`--outcome: ${JSON.stringify(outcome)} is neither`, "write success or failure");
  const names = event?.split(",").flatMap((name) => name.trim() || []);
  return {
    hasAddress,
    session,
    events: names === undefined ? undefined : new Set(names),
    outcome,
    since: since === undefined ? undefined : instantOf(since, now),
  };
}

/** A duration before now, or an instant. */
function instantOf(text: string, now: number): number {
  const duration = parseDuration(text, 1, sinceMaxSeconds);
  if (duration.ok) return now - duration.value * 1_000;
  const instant = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant))
    throw wrong(
      `--since: ${JSON.stringify(text)} is neither a duration nor a date`,
      "write 24h, 7d, 2026-11-22 or 2026-11-22T08:00:00Z",
    );
  return instant;
}

/** Somebody by all their names; one who was deleted is known by the e-mail address alone. */
async function personOf(
  context: CommandContext,
  options: EventsOptions & { readonly json: boolean },
  reference: string,
): Promise<Person> {
  const email = emailOf(reference);
  const { config } = loadConfigAt(context, options);
  let found: { readonly id: string; readonly email: string } | undefined;
  try {
    found = await onUsers(context, options, undefined, ({ database }) =>
      findUser(database, reference, email),
    );
  } catch (error) {
    context.stderr(`Warning: lines without the address itself may be missing: ${reasonOf(error)}`);
  }
  const emails = [email, found?.email].filter((text) => text !== undefined);
  const ids = [email === undefined ? reference : undefined, found?.id].filter((text) => text !== undefined);
  return { ids: new Set(ids), emails: [...new Set(emails)], secrets: await knownSecrets(config) };
}

function emailOf(reference: string): string | undefined {
  if (!reference.includes("@")) return undefined;
  try {
    return canonicalEmail(reference);
  } catch {
    throw wrong(
      `--user: ${JSON.stringify(reference)} is no e-mail address`,
      "write an e-mail address, or a user's id",
    );
  }
}

/** JSON lets these through, and some terminals obey them. */
function withoutControls(line: string): string {
  return line.replaceAll(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function wrong(message: string, remedy: string): CommandError {
  return new CommandError(message, remedy, { wrongInput: "usage" });
}
