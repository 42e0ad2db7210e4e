import type { Database } from "../database/database.ts";
import {
  type ClaimedMail,
  claimMails,
  deleteMail,
  failMail,
  forgetFailedMails,
  holdMails,
  leaseMs,
  nextMailAt,
  postponeMail,
} from "../database/outbox.ts";
import type { Log } from "../log.ts";
import type { Compose, Message } from "./compose.ts";
import type { Prepare } from "./prepare.ts";
import { createReach } from "./reach.ts";
import { MailError, saidOf, type SmtpLine } from "./smtp.ts";

export interface MailerDeps {
  readonly database: Pick<Database, "driver" | "provider" | "change" | "read">;
  readonly prepare: Prepare;
  readonly compose: Compose;
  /** Opens a connection, which `signal` ends. @throws MailError. */
  readonly open: (signal: AbortSignal) => Promise<SmtpLine>;
  /** Counts a mail against the cap of all. @returns how long to wait where none is left, in ms; 0 where there is. */
  readonly takeFromCap: () => Promise<number>;
  readonly describeEmail: (email: string) => Readonly<Record<string, string>>;
  readonly log: Log;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Does something later; default by a timer that keeps no process. @returns what calls it off. */
  readonly later?: (ms: number, work: () => void) => () => void;
  /** Hears what became of a mail, where somebody counts. */
  readonly onOutcome?: ((outcome: MailOutcome) => void) | undefined;
}

/** `void`: nobody was there who wanted it. */
type MailOutcome = "sent" | "deferred" | "failed" | "void";

/** Sends what is in the outbox. */
export interface Mailer {
  /** Says that there is something. */
  wake(): void;
  /** Resolves when nothing is under way any more, after 3 s at most: what is cut comes again later. */
  stop(): Promise<void>;
}

const heartbeatMs = 8_000;
const batchSize = 20;
/** Connections at once; one while the server is out of reach. */
const linesMax = 4;
/** Others may have put mail into the outbox, and have ended. A database that sleeps is let sleep. */
const lookEveryMs = 60_000;
const [firstRetryMs, lastRetryMs] = [15_000, 30 * 60_000];
const giveUpMs = 24 * 60 * 60_000;
const failedKeptMs = 7 * 24 * 60 * 60_000;
const sweepEveryMs = 60 * 60_000;
/** While the database is out of reach. */
const [firstTroubleMs, lastTroubleMs] = [2_000, 60_000];
/** At the most: a request is answered first, whose time is not to tell whether somebody has the address. */
const wakeMs = 200;
/** Until another instance has said which mails are its own. */
const turnMs = 100;
/** For what is under way at the end, and for giving it back. */
const [stopMs, giveBackMs] = [2_000, 1_000];

export function createMailer(deps: MailerDeps): Mailer {
  const { database, now, log, later = byTimer } = deps;
  const ending = new AbortController();
  const isEnding = () => ending.signal.aborted;
  let isStopped = false;
  let callOffLook = () => {};
  let looking: Promise<void> | undefined;
  let isAgain = false;
  let isWoken = false;
  const reach = createReach(now);
  /** The outbox is not asked before: it could not be. */
  let troubleUntil = 0;
  let troubleMs = firstTroubleMs;
  let sweptAt = 0;
  /** Mails that are ours, and until when. */
  const held = new Map<ClaimedMail, number>();
  let isKeeping = false;
  const waiting: ClaimedMail[] = [];
  const sending = new Set<Promise<void>>();
  /** Taken by the server, and not deleted yet: never sent again from here. */
  const taken = new Set<string>();

  const lookIn = (ms: number) => {
    callOffLook();
    if (!isStopped) callOffLook = later(Math.max(0, ms), look);
  };
  const look = () => {
    isAgain = true;
    if (isStopped || looking !== undefined) return;
    looking = findMails().finally(() => {
      looking = undefined;
      if (isAgain) look();
    });
  };
  /** Has lines send until nothing is due, or all lines are busy: whichever ends looks again. */
  const findMails = async () => {
    try {
      while (!isStopped) {
        isAgain = false;
        const free = (reach.isGiven() ? linesMax : 1) - sending.size;
        if (free <= 0) return;
        const dueIn = waiting.length > 0 ? 0 : await dueInMs();
        if (dueIn === null || dueIn > 0) {
          const idleMs = database.driver === "neon" ? Number.POSITIVE_INFINITY : lookEveryMs;
          const next = Math.min(dueIn ?? Number.POSITIVE_INFINITY, idleMs);
          if (next !== Number.POSITIVE_INFINITY) lookIn(Math.min(next, giveUpMs));
          return;
        }
        if (waiting.length === 0) await claim();
        // Another instance was faster, and is about to say so.
        if (waiting.length === 0) return lookIn(turnMs);
        for (let lines = Math.min(free, waiting.length); lines > 0; lines -= 1) startLine();
      }
    } catch (cause) {
      reportTrouble(cause);
    }
  };
  /** Null where nothing waits. */
  const dueInMs = async () => {
    if (troubleUntil > now()) return troubleUntil - now();
    const at = await nextMailAt(database);
    troubleMs = firstTroubleMs;
    return at === null ? null : Math.max(at, reach.pausedUntil()) - now();
  };
  const claim = async () => {
    const at = now();
    const claimed = await claimMails(database, { now: at, count: reach.isGiven() ? batchSize : 1 });
    for (const mail of claimed) held.set(mail, at + leaseMs);
    waiting.push(...claimed);
    if (!isKeeping && claimed.length > 0) {
      isKeeping = true;
      later(heartbeatMs, keepHeld);
    }
    if (at - sweptAt < sweepEveryMs) return;
    sweptAt = at;
    await forgetFailedMails(database, at - failedKeptMs);
  };
  const keepHeld = () => {
    isKeeping = held.size > 0;
    if (!isKeeping) return;
    void hold([...held.keys()], now() + leaseMs);
    later(heartbeatMs, keepHeld);
  };
  const hold = async (mails: readonly ClaimedMail[], until: number) => {
    try {
      const kept = await holdMails(database, mails, until);
      for (const mail of mails) if (held.has(mail)) held.set(mail, kept.has(mail.id) ? until : 0);
    } catch {
      // They are ours until the time that was said before.
    }
  };
  const isOurs = (mail: ClaimedMail) => (held.get(mail) ?? 0) > now();
  const reportTrouble = (cause: unknown) => {
    log.warn({ cause }, "mail waits: the outbox could not be read or written");
    troubleUntil = now() + troubleMs;
    lookIn(troubleMs);
    troubleMs = Math.min(lastTroubleMs, 2 * troubleMs);
    isAgain = false;
  };
  const startLine = () => {
    const line = sendByOneLine().catch(reportTrouble);
    sending.add(line);
    void line.finally(() => {
      sending.delete(line);
      if (!isStopped) look();
    });
  };
  /** Sends one after another over one connection, anew where that breaks. */
  const sendByOneLine = async () => {
    let line: SmtpLine | undefined;
    try {
      for (let mail = waiting.shift(); mail !== undefined; mail = waiting.shift()) {
        try {
          line = await sendOne(mail, line);
        } finally {
          held.delete(mail);
        }
      }
    } finally {
      line?.close();
    }
  };
  /** @returns the connection that goes on. */
  const sendOne = async (mail: ClaimedMail, before: SmtpLine | undefined): Promise<SmtpLine | undefined> => {
    if (!isOurs(mail)) return before;
    if (taken.has(mail.id)) {
      await forget(mail);
      return before;
    }
    if (isStopped || reach.pausedUntil() > now()) {
      await giveBack(mail, Math.max(now(), reach.pausedUntil()));
      return before;
    }
    let line = before;
    try {
      const content = await deps.prepare(mail);
      if (content === null) {
        if (await deleteMail(database, mail.id, mail.attempts)) report(mail, "void");
        return line;
      }
      const message = await deps.compose(mail, content);
      const isFresh = line?.isOpen() !== true;
      if (isFresh) line = await deps.open(ending.signal);
      const capMs = await deps.takeFromCap();
      if (capMs > 0) {
        reach.pause(Math.min(capMs, lastRetryMs));
        log.warn({ waitMs: capMs }, "mail waits: LATCHKEY_LIMIT_MAIL is reached");
        await giveBack(mail, reach.pausedUntil());
        return line;
      }
      // A machine that was suspended wakes here, long after somebody else took it.
      if (!isOurs(mail)) return line;
      line = await sendOver(message, line, isFresh);
    } catch (error) {
      if (line?.isOpen() === true) line.close();
      await defer(mail, error);
      return undefined;
    }
    reach.regain();
    taken.add(mail.id);
    report(mail, "sent");
    await forget(mail);
    return line;
  };
  /** Servers end a connection after a message, or a while: the next one then goes over another. @returns the one that goes on. */
  const sendOver = async (
    message: Message,
    line: SmtpLine | undefined,
    isFresh: boolean,
  ): Promise<SmtpLine> => {
    try {
      if (line !== undefined) {
        await line.send(message);
        return line;
      }
    } catch (error) {
      if (isFresh || isEnding() || !(error instanceof MailError) || error.scope === "message") throw error;
    }
    const another = await deps.open(ending.signal);
    await another.send(message);
    return another;
  };
  /** Deletes what the server has taken, for as long as nobody else may take it. */
  const forget = async (mail: ClaimedMail) => {
    for (;;) {
      try {
        await deleteMail(database, mail.id);
        taken.delete(mail.id);
        return;
      } catch (error) {
        if (isStopped || !isOurs(mail)) throw error;
        await new Promise<void>((resolve) => later(firstTroubleMs / 2, resolve));
      }
    }
  };
  const giveBack = (mail: ClaimedMail, nextAt: number) =>
    postponeMail(database, mail, { nextAt, failure: null, isTry: false });
  const defer = async (mail: ClaimedMail, error: unknown) => {
    if (isEnding()) return await giveBack(mail, now());
    const failure = saidOf(error, mail.recipient);
    const scope = error instanceof MailError ? error.scope : "message";
    if (scope !== "message") reach.lose();
    const backOffMs =
      Math.min(lastRetryMs, firstRetryMs * 2 ** (mail.attempts - 1)) * (0.75 + deps.random() / 2);
    const nextAt =
      scope === "server" ? reach.pausedUntil() : Math.max(reach.pausedUntil(), Math.round(now() + backOffMs));
    const isFinal = error instanceof MailError && error.isFinal;
    if (isFinal || nextAt > mail.createdAt + giveUpMs) {
      await failMail(database, mail, now(), failure);
      report(mail, "failed", failure);
    } else {
      await postponeMail(database, mail, { nextAt, failure, isTry: scope !== "server" });
      report(mail, "deferred", failure);
    }
  };
  const report = (mail: ClaimedMail, outcome: MailOutcome, reason?: string) => {
    deps.onOutcome?.(outcome);
    const { kind, id, attempts } = mail;
    const about = { event: "mail", kind, mail: id, attempts, ...deps.describeEmail(mail.recipient) };
    if (outcome === "sent") log.info({ ...about, outcome: "success" }, "mail sent");
    else if (outcome === "failed") log.error({ ...about, outcome: "failure", reason }, "mail given up");
    else if (outcome === "deferred")
      log.warn({ ...about, outcome: "deferred", reason }, "mail is tried again");
  };
  return {
    wake() {
      // Whoever wrote a mail has reached the database.
      troubleUntil = 0;
      if (isWoken) return;
      isWoken = true;
      later(wakeMs * (0.1 + 0.9 * deps.random()), () => {
        isWoken = false;
        look();
      });
    },
    async stop() {
      isStopped = true;
      callOffLook();
      const ended = () => Promise.all([looking, ...sending]);
      await Promise.race([ended(), Bun.sleep(stopMs)]);
      ending.abort();
      await Promise.race([ended(), Bun.sleep(giveBackMs)]);
    },
  };
}

function byTimer(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
