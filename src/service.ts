import type { Auth } from "./auth/better-auth.ts";
import { createDevices } from "./auth/device-cookie.ts";
import { createGuessRules } from "./auth/guessable.ts";
import { createHandle, type HandlerDeps } from "./auth/handle.ts";
import { createLimits, type Limits } from "./auth/limits.ts";
import { createHashLine, type HashLine, hashLineLimits } from "./auth/hash-line.ts";
import { createHashSlots, type InTurn } from "./auth/hash-slots.ts";
import { createUnits } from "./auth/unit-of-work.ts";
import type { Config } from "./config/config.ts";
import type { Database } from "./database/database.ts";
import { type ForeignHashes, watchForeignHashes } from "./database/foreign-hashes.ts";
import { createLimitStore } from "./database/limit-store.ts";
import { openDatabase } from "./database/open.ts";
import { migrateServer } from "./database/migrate-server.ts";
import { createSweeper, sweepBatch, sweepBatchSize } from "./database/sweeper.ts";
import { migrateSqliteFile } from "./database/migrate-sqlite.ts";
import { type App, createApp } from "./app.ts";
import { createEmailDescription } from "./http/auth.ts";
import { createHealth, createReadiness, type Readiness } from "./http/health.ts";
import type { Log } from "./log.ts";
import { createPasswords } from "./auth/password.ts";
import { loadSecrets, orphanedSecret } from "./data-directory.ts";
import { createTokenReader, sessionCookieName } from "./session/cookie.ts";
import { createEndings } from "./session/endings.ts";
import { createSessionReader, isClamped } from "./session/get-session.ts";
import { createVerifier, isForOneDay } from "./session/verifier.ts";

/** What workers have in common, so that together they are as one process. */
interface SharedByWorkers {
  readonly line: HashLine;
  readonly inTurn: InTurn;
  /** What all of them find. */
  readonly readiness: () => Promise<Readiness>;
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
}

export interface Service {
  readonly app: App;
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
  const sweeper = createSweeper({
    sweepBatch: (before) => sweepBatch(database, before),
    batchSize: sweepBatchSize,
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
  const app = createApp({
    config: deps.config,
    version: deps.version,
    log: deps.log,
    now: deps.now,
    ...createSessions(deps, database, secrets, {
      onCommit: () => sweeper.wake(),
      inBackground,
      foreignHashes,
    }),
    health: createHealth(deps.version, deps.shared?.readiness ?? readiness),
  });
  return {
    app,
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

/** What goes on beside the requests. */
interface Background extends Pick<HandlerDeps, "inBackground"> {
  readonly onCommit: () => void;
  readonly foreignHashes: ForeignHashes;
}

/** Null where nothing is limited. */
function limitsOf(
  { limits, secure, cookieSameSite }: Config,
  database: Database,
  secrets: readonly string[],
  now: () => number,
  onWrite: () => void,
): Limits | null {
  if (limits === null) return null;
  const [current = ""] = secrets;
  const keyOf = (text: string) =>
    new Bun.CryptoHasher("sha256", current).update(`limit:${text}`).digest("base64url").slice(0, 22);
  const devices = createDevices({ secrets, secure, sameSite: cookieSameSite });
  return createLimits(createLimitStore(database, now, onWrite), limits, keyOf, devices);
}

function createSessions(
  { config, log, now, shared }: ServiceDeps,
  database: Database,
  secrets: readonly string[],
  { onCommit, inBackground, foreignHashes }: Background,
) {
  const units = createUnits(database, onCommit);
  const passwords = createPasswords({
    inTurn: shared?.inTurn ?? createHashSlots(config.hashConcurrency),
    hasForeignHashes: foreignHashes.areThere,
  });
  const cookieName = sessionCookieName(config.secure);
  const { sessionExpiresInSeconds, sessionUpdateAgeSeconds, sessionMaxAgeSeconds } = config;
  const endings = createEndings(sessionMaxAgeSeconds, now);
  let loading: Promise<Auth> | undefined;
  // Verify and health do without it: a start does not wait for it, nor does memory hold it before somebody signs in.
  const auth = async () => {
    loading ??= import("./auth/better-auth.ts").then(({ createAuth }) =>
      createAuth({ config, secrets, database, units, passwords, cookieName, endings }),
    );
    return await loading;
  };
  const rules = {
    passwordMinLength: config.passwordMinLength,
    requireUnguessable: createGuessRules(config),
  };
  const sessions = { sessions: database.sessions, cookieName, lives: endings.lives };
  const readToken = createTokenReader(secrets);
  const verify = createVerifier({ ...sessions, readToken, bearer: config.bearer });
  return {
    handle: createHandle({
      auth,
      units,
      passwords,
      baseUrl: config.baseUrl,
      secrets,
      cookieName,
      rules,
      limits: limitsOf(config, database, secrets, now, onCommit),
      onLimitError: (cause) => log.warn({ cause }, "a sign-in could not be uncounted"),
      line: shared?.line ?? createHashLine(hashLineLimits(config)),
      present: async (cookie) => {
        const result = await verify(cookie, null);
        if (!("session" in result)) return null;
        const { session } = result;
        return {
          isClamped: isClamped(session, sessionMaxAgeSeconds),
          isForOneDay: isForOneDay(session, sessionExpiresInSeconds),
          owner: session.user,
        };
      },
      onRehash: () => inBackground(foreignHashes.ask()),
      onRehashError: (cause) => log.warn({ cause }, "a password hash could not be renewed"),
      inBackground,
    }),
    rules,
    describeEmail: createEmailDescription(secrets[0] ?? "", config.logEmails),
    verify,
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
