import { mailKinds } from "../auth/outgoing-mail.ts";
import { countMails, deleteMail, listMails, type QueuedMail, retryMails } from "../database/outbox.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { languageCode, languageCodes } from "../language.ts";
import { createRender } from "../mail/render.ts";
import { sampleMail } from "../mail/sample.ts";
import { saidOf } from "../mail/smtp.ts";
import { mailRemedy, sendTestMail, serverOf } from "../mail/test-mail.ts";
import { type Action, logged } from "./action-log.ts";
import { inColumns, printable } from "./columns.ts";
import { type Command, exitStatus } from "./command.ts";
import { requireAddress } from "./mail-address.ts";
import { loadConfigAt } from "./place.ts";
import { onUsers } from "./users-session.ts";

interface QueueOptions extends Place {
  readonly limit: number;
}

/** Prints what waits to be sent and what was given up, the oldest first. */
export const queue: Command<QueueOptions> = async (context, options) => {
  const { mails, counts, now } = await onUsers(
    context,
    options,
    undefined,
    async ({ database, now: at }) => ({
      mails: await listMails(database, options.limit),
      counts: await countMails(database),
      now: at,
    }),
  );
  const { waiting, failed } = counts;
  if (options.json) {
    context.stdout(JSON.stringify({ mails: mails.map((mail) => mailJson(mail, now)), waiting, failed }));
    return exitStatus.ok;
  }
  const rows = mails.map((mail) => [
    printable(mail.id),
    printable(mail.kind),
    printable(mail.recipient),
    String(mail.attempts),
    ageText(now - mail.createdAt),
    nextText(mail, now),
  ]);
  if (rows.length > 0) context.stdout(inColumns([["ID", "KIND", "TO", "TRIES", "AGE", "NEXT"], ...rows]));
  const more = waiting + failed - mails.length;
  const shown = more > 0 ? `; ${more} are not shown: --limit` : "";
  context.stderr(`${waiting} wait, ${failed} were given up${shown}`);
  return exitStatus.ok;
};

/** Has mails tried again now: one, or all. */
export const retry: Command<Place & { readonly id?: string; readonly all?: true }> = async (
  context,
  options,
) => {
  const { id } = options;
  if ((id === undefined) === (options.all !== true))
    throw new CommandError("name one mail, or --all", "latchkey mail queue", {
      wrongInput: "VALIDATION_ERROR",
    });
  const action: Action = { event: "mail_retry", ...(id === undefined ? {} : { details: { mail: id } }) };
  const count = await onUsers(context, options, action, async ({ database, now }) => {
    const retried = await retryMails(database, id ?? null, now);
    if (id !== undefined && retried === 0) throw unknownMail(id);
    action.counts = { retried };
    return retried;
  });
  if (options.json) context.stdout(JSON.stringify({ retried: count }));
  else context.stdout(`${count === 1 ? "1 mail is" : `${count} mails are`} tried again within a minute`);
  return exitStatus.ok;
};

/** Forgets a mail, which nobody is sent then. */
export const drop: Command<Place & { readonly id: string }> = async (context, options) => {
  const { id } = options;
  await onUsers(context, options, { event: "mail_drop", details: { mail: id } }, async ({ database }) => {
    if (!(await deleteMail(database, id))) throw unknownMail(id);
  });
  if (options.json) context.stdout(JSON.stringify({ dropped: id }));
  else context.stdout(`${printable(id)} is dropped`);
  return exitStatus.ok;
};

/** Sends a mail now, and says what the server said. */
export const test: Command<Place & { readonly address: string }> = async (context, options) => {
  const recipient = requireAddress(options.address);
  const { config } = loadConfigAt(context, options);
  const { mail } = config;
  if (mail === null) throw noServer();
  const server = serverOf(mail);
  const said = await logged(
    config,
    options.json,
    { event: "mail_test", details: { server } },
    () => sendTestMail({ ...config, mail }, recipient, context.now()),
    (error) =>
      new CommandError(`${server}: ${saidOf(error, recipient)}`, mailRemedy(error), { cause: error }),
  );
  if (options.json) context.stdout(JSON.stringify({ to: recipient, server, said }));
  else context.stdout(`${server} took it: ${printable(said)}`);
  return exitStatus.ok;
};

interface PreviewOptions extends Place {
  readonly kind: string;
  readonly language: string;
  readonly part: string;
}

/** Prints a mail as it would be sent, but for its link and its code, which do nothing. */
export const preview: Command<PreviewOptions> = async (context, options) => {
  const kind = mailKinds.find((known) => known === options.kind);
  if (kind === undefined) throw unknownWord("kind of mail", options.kind, mailKinds);
  const code = languageCode(options.language);
  if (code === undefined) throw unknownWord("language", options.language, languageCodes);
  const { config } = loadConfigAt(context, options);
  const { mail } = config;
  if (mail === null) throw noServer();
  const language = { code, locale: code === "en" ? "en-GB" : code };
  const { content } = await sampleMail({ config }, kind, language, context.now());
  const made = createRender({ ...config, mail })(kind, content);
  const parts: Readonly<Record<string, string>> = { html: made.html, txt: made.text, subject: made.subject };
  const part = parts[options.part];
  if (part === undefined) throw unknownWord("part of a mail", options.part, Object.keys(parts));
  context.stdout(options.json ? JSON.stringify({ kind, language: code, ...made }) : part.trimEnd());
  return exitStatus.ok;
};

function unknownWord(what: string, written: string, words: readonly string[]): CommandError {
  return new CommandError(`${printable(written)} is no ${what}`, `write one of ${words.join(", ")}`, {
    wrongInput: "VALIDATION_ERROR",
  });
}

function noServer(): CommandError {
  return new CommandError("no mail server is set", "set SMTP_URL and LATCHKEY_MAIL_FROM", {
    wrongInput: "no_mail_server",
  });
}

function unknownMail(id: string): CommandError {
  return new CommandError(`no mail ${id} waits`, "latchkey mail queue", { wrongInput: "unknown_mail" });
}

function mailJson({ payload: _payload, createdAt, nextAt, failedAt, ...mail }: QueuedMail, now: number) {
  const instant = (at: number) => new Date(at).toISOString();
  return {
    ...mail,
    createdAt: instant(createdAt),
    ageSeconds: Math.max(0, Math.round((now - createdAt) / 1_000)),
    nextAt: failedAt === null ? instant(nextAt) : null,
    failedAt: failedAt === null ? null : instant(failedAt),
  };
}

function nextText({ nextAt, failedAt, failure }: QueuedMail, now: number): string {
  const reason = failure === null ? "" : `: ${printable(failure)}`;
  if (failedAt !== null) return `given up${reason}`;
  return (nextAt <= now ? "now" : `in ${ageText(nextAt - now)}`) + reason;
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
