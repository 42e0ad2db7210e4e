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
import type { Log } from "./log.ts";
import { loadSecrets, orphanedSecret } from "./data-directory.ts";
import { createTokenReader, sessionCookieName } from "./session/cookie.ts";
import { createEndings } from "./session/endings.ts";
import { createSessionReader } from "./session/get-session.ts";
import { createVerifier } from "./session/verifier.ts";

/** What workers have in common, so that together they are as one process. */
interface SharedByWorkers {
  readonly line: HashLine;
  readonly inTurn: InTurn;
  /** What all of them find. */
  readonly readiness: () => Promise<Readiness>;
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
}

export interface Service {
  readonly front: Front;
  /** What this process finds. */
  readonly readiness: () => Promise<Readiness>;
  close(): Promise<void>;
}

/**
 * Opens the store, brings its schema up to date and puts the application together.
 * @throws CommandError with the reason when the store cannot be used.
 */
export async function openService(deps: ServiceDeps): Promise<Service> {
  const orphaned = orphanedSecret(deps.config);
  if (orphaned !== undefined) deps.log.warn(orphaned);
  const secrets = await loadSecrets(deps.config);
  const database = await openMigrated(deps);
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
  await foreignHashes.ask();
  const readiness = createReadiness({
    probe: () => database.probe(),
    idleMs: database.idleMs,
    requireOpen: () => database.requireOpen?.(),
    onFailure: (cause) => deps.log.warn({ cause }, "the database is not ready"),
    now: deps.now,
  });
  const { config, version, log, now } = deps;
  const readings = createReadings(config, database, secrets, now);
  const health = createHealth(version, deps.shared?.readiness ?? readiness);
  const front = createFront({
    config,
    version,
    log,
    health,
    ...readings,
    async load(shared) {
      const [{ createApp }, { createAccounts }] = await Promise.all([
        import("./app.ts"),
        import("./accounts.ts"),
      ]);
      const hashing = deps.rehearsal === undefined ? {} : { hashCost: deps.rehearsal.hashCost };
      const beside = { onCommit: () => sweeper.wake(), inBackground, foreignHashes, ...hashing };
      const accounts = createAccounts({ ...deps, ...readings, database, secrets, ...beside });
      return createApp({ config, version, log, now, health, ...readings, ...accounts, ...shared });
    },
  });
  return {
    front,
    readiness,
    async close() {
      await sweeper.stop();
      await Promise.all(background);
      await database.close();
    },
  };
}

async function openMigrated({ config, log }: ServiceDeps): Promise<Database> {
  if (config.database.driver === "sqlite") {
    const applied = await migrateSqliteFile(config.database.path);
    if (applied.length > 0) log.info({ applied }, "schema migrated");
  }
  const database = openDatabase(config.database, {
    onPoolError: (cause) => log.warn({ cause }, "an idle database connection was cut"),
    onFileLost: (cause) => log.error({ cause }, "the database file is not the one that is open any more"),
  });
  if (config.database.driver !== "sqlite") {
    try {
      const applied = await migrateServer(database);
      if (applied.length > 0) log.info({ applied }, "schema migrated");
    } catch (error) {
      await database.close().catch(() => {});
      throw error;
    }
  }
  return database;
}

/** What reads sessions, and nothing else: what most requests come for. */
function createReadings(
  { secure, bearer, sessionExpiresInSeconds, sessionUpdateAgeSeconds, sessionMaxAgeSeconds }: Config,
  database: Database,
  secrets: readonly string[],
  now: () => number,
) {
  const cookieName = sessionCookieName(secure);
  const endings = createEndings(sessionMaxAgeSeconds, now);
  const sessions = { sessions: database.sessions, cookieName, lives: endings.lives };
  const readToken = createTokenReader(secrets);
  return {
    endings,
    verify: createVerifier({ ...sessions, readToken, bearer }),
    readSession: createSessionReader({
      ...sessions,
      // BetterAuth verifies with the newest secret alone, and signs anew what an older one signed.
      readToken: secrets.length === 1 ? readToken : createTokenReader(secrets.slice(0, 1)),
      sessionExpiresInSeconds,
      sessionUpdateAgeSeconds,
      sessionMaxAgeSeconds,
      now,
    }),
  };
}
