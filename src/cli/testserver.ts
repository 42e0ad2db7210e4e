import { mkdtempSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPasswords, type HashCost } from "../auth/password.ts";
import type { Environment, LoadedConfig } from "../config/config.ts";
import { isLoopbackHost } from "../config/listen.ts";
import { generateSecret } from "../data-directory.ts";
import { ConfigError } from "../errors.ts";
import { openLog, openLogWriter } from "../log.ts";
import { urlOf } from "../server.ts";
import { whenParentEnds } from "../workers/parent-watch.ts";
import type { Command } from "./command.ts";
import { serveAlone } from "./serve-alone.ts";
import { createTestUsers } from "./test-users.ts";

/** What to seed, and whom to trust. */
export interface TestserverOptions {
  /** 1 to 1,000. */
  readonly users: number;
  /** Exact origins; undefined for those that `serve` trusts by default. */
  readonly origin?: readonly string[];
}

/** How long the end waits for whoever reads the log. */
const flushTimeoutMs = 500;
/** Argon2's least. Nothing but this command names it, and no setting leads here. */
const cheapest: HashCost = { memoryKib: 8, passes: 1 };
const warning =
  "Warning: for tests alone: passwords are known and hashed cheaply, nothing is limited, and the end removes everything";

/**
 * Serves other people's tests: as `serve` does, on a folder of its own, until a signal, or the end of the process that
 * started it. Once it listens, one line on stdout has all that a test needs: docs/contract.md, A server for tests.
 */
export const testserver: Command<TestserverOptions> = async (context, { users, origin, json }) => {
  const ended = whenParentEnds();
  const { environment, stdout, stderr, now } = context;
  requireLoopback(environment["HOST"]);
  const directory = mkdtempSync(join(tmpdir(), "latchkey-testserver-"));
  try {
    const loaded = withOwnAddress(
      context.loadConfigOf(settingsOf(environment, directory, origin), directory),
    );
    const format = json ? "json" : loaded.config.logFormat;
    const writer = openLogWriter({ format });
    const log = openLog({ level: loaded.config.logLevel, format }, writer);
    stderr(warning);
    const seeded = createTestUsers(users, loaded.config, now());
    const passwords = createPasswords({
      inTurn: (work) => work(),
      foreignKinds: async () => [],
      cost: cheapest,
    });
    const announcing = { ...context, log, json: false, isPretty: false, droppedLines: writer.droppedLines };
    try {
      return await serveAlone(loaded, announcing, {
        hashCost: cheapest,
        prepare: (database) => seeded.insert(database, passwords.hash),
        ended,
        listening: ({ baseUrl, port }, url) =>
          stdout(JSON.stringify({ url, baseUrl, port, pid: process.pid, directory, users: seeded.users })),
      });
    } finally {
      await writer.flush(flushTimeoutMs);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/** All that it is configured by: of the environment four names, so that what is meant for others changes no test. */
function settingsOf(
  environment: Environment,
  directory: string,
  origins: readonly string[] | undefined,
): Environment {
  return {
    PORT: (environment["PORT"] ?? "").trim() === "" ? "0" : environment["PORT"],
    HOST: environment["HOST"],
    LOG_LEVEL: environment["LOG_LEVEL"],
    LATCHKEY_LOG_FORMAT: environment["LATCHKEY_LOG_FORMAT"],
    LATCHKEY_DATA_DIR: directory,
    LATCHKEY_LIMITS: "off",
    BETTER_AUTH_SECRET: generateSecret(),
    BETTER_AUTH_TRUSTED_ORIGINS: origins?.join(","),
  };
}

/** Stricter than the configuration: a name may lead anywhere. */
function requireLoopback(given = ""): void {
  const host = given.trim().toLowerCase();
  if (host === "" || host === "localhost" || (isIP(host) !== 0 && isLoopbackHost(host))) return;
  const reason = `${JSON.stringify(host)} is not this machine's own, and a server for tests is nobody else's to reach`;
  throw new ConfigError([{ variable: "HOST", reason, remedy: "remove it, or write 127.0.0.1 or ::1" }]);
}

/** Has the address that tests connect to trusted beside `localhost`: a client there names it as its origin. */
function withOwnAddress(loaded: LoadedConfig): LoadedConfig {
  const { config } = loaded;
  const own = new URL(urlOf(config.host, config.port)).origin;
  return { ...loaded, config: { ...config, trustedOrigins: [...config.trustedOrigins, own] } };
}
