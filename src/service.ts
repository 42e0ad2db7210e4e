import type { BackupFigures } from "./backup-figures.ts";
import type { CertificateFigures } from "./certificate-figures.ts";
import type { BreachOutcome, RequireUnbreached } from "./auth/breached/breaches.ts";
import type { HashLine } from "./auth/hash-line.ts";
import type { InTurn } from "./auth/hash-slots.ts";
import type { HashCost } from "./auth/password.ts";
import type { Config } from "./config/config.ts";
import type { Database } from "./database/database.ts";
import { watchForeignHashes } from "./database/foreign-hashes.ts";
import { openDatabase } from "./database/open.ts";
import { migrateServer } from "./database/migrate-server.ts";
import { createSweeper, sweepBatch, sweepBatchSize } from "./database/sweeper.ts";
import { migrateSqliteFile } from "./database/migrate-sqlite.ts";
import { createFront, type Front } from "./front.ts";
import { createHealth, createReadiness, type Readiness } from "./http/health.ts";
import { createOnceAMinute } from "./http/once-a-minute.ts";
import type { Log } from "./log.ts";
import type { Mailer } from "./mail/mailer.ts";
import type { StartDeps } from "./mail/start.ts";
import { orphanedSecret } from "./data-directory.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { createTokenReader, type ReadToken, sessionCookieName } from "./session/cookie.ts";
import type { Counted } from "./metrics/counting.ts";
import type { Figures } from "./metrics/figures.ts";
import { createEndings } from "./session/endings.ts";
import { createSessionReader } from "./session/get-session.ts";
import { createVerifier } from "./session/verifier.ts";

/** What workers have in common, so that together they are as one process. */
interface SharedByWorkers {
  readonly line: HashLine;
  readonly inTurn: InTurn;
  /** What all of them find. */
  readonly readiness: () => Promise<Readiness>;
  /** What all of them have counted. */
  readonly figures: () => Promise<Figures>;
}

/** What a server for tests has otherwise than every other. */
export interface Rehearsal {
  readonly hashCost: HashCost;
  /** Fills the database before anything is answered. */
  prepare(database: Database): Promise<void>;
}

export interface ServiceDeps {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
  /** Between a write and the sweep that follows it; default 10 s. */
  readonly sweepDelayMs?: number;
  /** Of a worker; one process alone has its own. */
  readonly shared?: SharedByWorkers;
  /** Of a server for tests alone. */
  readonly rehearsal?: Rehearsal;
  /** Lines of the log that nobody took, so far. */
  readonly droppedLines?: () => number;
  /** Of the process that makes backups by itself, where it does. */
  readonly backups?: BackupFigures;
  /** Of the process that has the server's certificate. */
  readonly certificate?: CertificateFigures | undefined;
}

export interface Service {
  readonly front: Front;
  /** What this process finds. */
  readonly readiness: () => Promise<Readiness>;
  /** What this process has counted; null where nothing is. */
  readonly counted: Counted | null;
  /** What answers where figures have a place of their own; null where they have none. */
  readonly metricsFront: Front | null;
  close(): Promise<void>;
}

/**
 * Opens the store, brings its schema up to date and puts the application together.
 * @throws CommandError with the reason when the store cannot be used.
 */
export async function openService(deps: ServiceDeps): Promise<Service> {
  // Of workers, their supervisor has said so.
  const orphaned = deps.shared === undefined ? orphanedSecret(deps.config) : undefined;
  if (orphaned !== undefined) deps.log.warn(orphaned);
  const keyring = await openKeyring(deps.config, {
    onChange: ({ length }) =>
      deps.log.info({ event: "secrets_changed", secrets: length }, "the generated secrets were changed"),
    onUnusable: (cause) =>
      deps.log.error({ cause }, "the generated secrets cannot be read any more; those from before go on"),
  });
  const breached = await openBreached(deps);
  const opened = await openMigrated(deps);
  const counting = await startCounting(deps, opened);
  const database = counting?.database ?? opened;
  await deps.rehearsal?.prepare(database);
  const sweeper = createSweeper({
    sweepBatch: (before, size) => sweepBatch(database, before, size),
    batchSize: sweepBatchSize,
    // SQLite works on the event loop's own thread: a verify waits for as long as a batch takes.
    ...(database.driver === "sqlite" ? { batchMs: 3 } : {}),
    now: deps.now,
    onFailure: (cause) => deps.log.debug({ cause }, "ended sessions could not be swept"),
    delayMs: deps.sweepDelayMs ?? 10_000,
    pauseMs: 20,
  });
  const background = new Set<Promise<void>>();
  const inBackground = (work: Promise<void>) => {
    background.add(work);
    void work.finally(() => background.delete(work));
  };
  const foreignHashes = watchForeignHashes(database);
  const readiness = createReadiness({
    probe: () => database.probe(),
    idleMs: database.idleMs,
    requireOpen: () => database.requireOpen?.(),
    onFailure: (cause) => deps.log.warn({ cause }, "the database is not ready"),
    now: deps.now,
  });
  const { config, version, log, now } = deps;
  const readings = createReadings(config, database, keyring, now);
  const health = createHealth(version, deps.shared?.readiness ?? readiness);
  const front = createFront({
    config,
    version,
    log,
    health,
    ...readings,
    verify: counting?.verify(readings.verify) ?? readings.verify,
    async load(shared) {
      const [{ createApp }, { createAccounts }] = await Promise.all([
        import("./app.ts"),
        import("./accounts.ts"),
      ]);
      const hashing = deps.rehearsal === undefined ? {} : { hashCost: deps.rehearsal.hashCost };
      const accounts = createAccounts({
        ...deps,
        ...readings,
        ...hashing,
        database,
        keyring,
        counting,
        inBackground,
        foreignHashes,
        requestCount: shared.requestIds.given,
        requireUnbreached: breached?.rule(counting?.onLookup),
        onCommit: () => sweeper.wake(),
        onMail: () => mailer?.wake(),
      });
      const onOutcome = counting?.onOutcome;
      return createApp({ config, version, log, now, health, onOutcome, ...readings, ...accounts, ...shared });
    },
  });
  const mailer = await startMail(deps, database, keyring, counting?.onMail);
  mailer?.wake();
  return {
    front: counting?.front(front) ?? front,
    readiness,
    counted: counting?.counted ?? null,
    metricsFront: counting?.metricsFront ?? null,
    async close() {
      await Promise.all([sweeper.stop(), mailer?.stop()]);
      await Promise.all(background);
      await breached?.close();
      await database.close();
    },
  };
}

/** Nothing of it is loaded where there is no mail. */
async function startMail(
  { config, log, now }: ServiceDeps,
  database: Database,
  keyring: Keyring,
  onOutcome: StartDeps["onOutcome"],
): Promise<Mailer | undefined> {
  const { mail } = config;
  if (mail === null) return undefined;
  const { startMailer } = await import("./mail/start.ts");
  return startMailer({ config: { ...config, mail }, database, keyring, log, now, onOutcome });
}

/** What new passwords are looked up in; nothing of it is loaded where they are not. */
async function openBreached({ config, version, log, now }: ServiceDeps) {
  if (config.passwordBreached === null) return undefined;
  const { openBreaches } = await import("./auth/breached/open-breaches.ts");
  const breaches = await openBreaches(config.passwordBreached, version);
  const isDue = createOnceAMinute(now);
  return {
    rule: (onOutcome: (outcome: BreachOutcome) => void = () => {}): RequireUnbreached =>
      breaches.rule({
        onOutcome,
        onUnavailable(cause) {
          const alsoTaken = isDue("unavailable");
          if (alsoTaken === null) return;
          const before = alsoTaken === 0 ? {} : { alsoTaken };
          log.warn({ cause, ...before }, "a new password could not be looked up, and was taken");
        },
      }),
    close: breaches.close,
  };
}

/** Nothing of it is loaded where nobody asks for figures. */
async function startCounting(
  { config, version, now, shared, droppedLines, backups, certificate }: ServiceDeps,
  database: Database,
) {
  if (config.metrics === null) return undefined;
  const { createCounting } = await import("./metrics/counting.ts");
  const { metrics } = config;
  const made = config.backups === null ? undefined : backups;
  return createCounting({
    metrics,
    sendsMail: config.mail !== null,
    secure: config.secure,
    version,
    database,
    now,
    droppedLines,
    backups: made,
    certificate,
    ...shared,
  });
}

async function openMigrated({ config, log }: ServiceDeps): Promise<Database> {
  if (config.database.driver === "sqlite") {
    let snapshot: string | undefined;
    const applied = await migrateSqliteFile(config.database.path, (path) => (snapshot = path));
    if (applied.length > 0) logMigration(log, applied, snapshot);
    if (snapshot !== undefined)
      log.info({ snapshot }, `to go back: end this one, and latchkey restore ${snapshot} by the one before`);
  }
  const database = openDatabase(config.database, {
    onPoolError: (cause) => log.warn({ cause }, "an idle database connection was cut"),
    onFileLost: (cause) => log.error({ cause }, "the database file is not the one that is open any more"),
  });
  if (config.database.driver !== "sqlite") {
    try {
      const applied = await migrateServer(database);
      if (applied.length > 0) logMigration(log, applied);
    } catch (error) {
      await database.close().catch(() => {});
      throw error;
    }
  }
  return database;
}

function logMigration(log: Log, applied: readonly string[], snapshot?: string): void {
  log.info({ event: "migration", applied, snapshot }, "schema migrated");
}

/** What reads sessions, and nothing else: what most requests come for. */
function createReadings(
  { secure, bearer, sessionExpiresInSeconds, sessionUpdateAgeSeconds, sessionMaxAgeSeconds }: Config,
  database: Database,
  keyring: Keyring,
  now: () => number,
) {
  const cookieName = sessionCookieName(secure);
  const endings = createEndings(sessionMaxAgeSeconds, now);
  const sessions = { sessions: database.sessions, cookieName, lives: endings.lives };
  const readToken = createTokenReader(keyring.secrets, keyring.look);
  let readNewest: ReadToken | undefined;
  return {
    endings,
    verify: createVerifier({ ...sessions, readToken, bearer }),
    readSession: createSessionReader({
      ...sessions,
      // BetterAuth verifies with the newest secret alone, and signs anew what an older one signed.
      readToken(value) {
        if (keyring.secrets.length === 1) return readToken(value);
        readNewest ??= createTokenReader(keyring.secrets.slice(0, 1), newestOf(keyring));
        return readNewest(value);
      },
      sessionExpiresInSeconds,
      sessionUpdateAgeSeconds,
      sessionMaxAgeSeconds,
      now,
    }),
  };
}

/** The secret that signs, as a list of its own, another one when it changes. */
function newestOf(keyring: Keyring): () => readonly string[] {
  let newest = keyring.secrets.slice(0, 1);
  return () => {
    if (keyring.secrets[0] !== newest[0]) newest = keyring.secrets.slice(0, 1);
    return newest;
  };
}
