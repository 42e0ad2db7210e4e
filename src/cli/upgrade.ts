import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { migrations } from "../database/migrations.ts";
import { type Place, readForeignEnvironment, unitPath } from "../doctor/foreign-environment.ts";
import { besideOf } from "../durable-file.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { lockOwnFile } from "../file-lock.ts";
import {
  readSchema,
  requireRunnable,
  type Schema,
  sha256Of,
  stage,
  type Surroundings,
} from "../upgrade/candidate.ts";
import { holdCredentials } from "../upgrade/credentials.ts";
import {
  endJournal,
  exchange,
  type Journal,
  previousOf,
  readJournal,
  removeUnfinished,
} from "../upgrade/exchange.ts";
import { commandRestart, type Restart, systemdRestart } from "../upgrade/restart.ts";
import { requireListed } from "../upgrade/signed-file.ts";
import { type Action, logged } from "./action-log.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { healthTargets, healthUrl, type Targets } from "./healthcheck.ts";
import { type Handover, handOver } from "./upgrade-restart.ts";
import { takeSnapshot } from "./upgrade-snapshot.ts";
import { requireTrusted, type TrustOptions } from "./upgrade-trust.ts";

interface UpgradeOptions extends Place, TrustOptions {
  readonly from: string;
  readonly allowDowngrade?: true;
  readonly dryRun?: true;
  readonly snapshotDir?: string;
  readonly snapshot: boolean;
  readonly restartCommand?: string;
  readonly restart: boolean;
  readonly healthUrl?: URL;
  /** In seconds. */
  readonly timeout: number;
}

type Options = UpgradeOptions & { readonly json: boolean };

/** The server that is upgraded. */
interface Server extends Surroundings {
  readonly config: Config;
  /** Absolute, without links. */
  readonly executable: string;
  /** Null where somebody else restarts it. */
  readonly restart: Restart | null;
  /** Where it says that it is ready. */
  readonly health: Targets;
  /** Removes what was copied to ask about it. */
  release(): void;
}

/** Puts a newer executable in the place of the one that runs this, restarts the server, and goes back where that fails. */
export const upgrade: Command<UpgradeOptions> = async (context, options) => {
  const server = findServer(context, options);
  const action: Action = { event: "upgrade", details: { from: context.version, file: options.from } };
  try {
    return await logged(server.config, options.json, options.dryRun === true ? undefined : action, () =>
      alone(server.executable, async () => {
        removeUnfinished(server.executable);
        return await besideOf(server.executable, (staged) =>
          upgradeTo(context, options, server, staged, action),
        );
      }),
    );
  } finally {
    server.release();
  }
};

/** Runs `work` where no other upgrade of that executable is under way. @throws CommandError. */
async function alone(executable: string, work: () => Promise<number>): Promise<number> {
  let release: (() => void) | null;
  try {
    release = lockOwnFile(`${executable}.upgrade.lock`);
  } catch (cause) {
    throw new CommandError(
      `${executable}.upgrade.lock cannot be made, or is not yours: ${reasonOf(cause)}; nothing was changed`,
      "run it as root",
      { cause },
    );
  }
  if (release === null)
    throw new CommandError(`another upgrade of ${executable} is under way`, "wait until that one is done");
  try {
    return await work();
  } finally {
    release();
  }
}

/** The unit that is meant where nobody says how the server is restarted. */
const ownUnit = "latchkey.service";

/** @throws CommandError where nobody could restart it, or ask whether it is ready. */
function findServer(context: CommandContext, options: Options): Server {
  const executable = ownExecutable(context);
  const isSystemd = options.restart && options.restartCommand === undefined;
  const isNamed = [options.unit, options.envFile, options.pid].some((one) => one !== undefined);
  if (isSystemd && options.unit === undefined && unitPath(ownUnit, "/") === undefined)
    throw new CommandError(
      `there is no unit ${ownUnit}`,
      "name it by --unit, or say how the server is restarted by --restart-command, or --no-restart",
      { wrongInput: "no_unit" },
    );
  const place = isSystemd && !isNamed ? { unit: ownUnit } : options;
  const foreign = readForeignEnvironment(place, context.cwd);
  const { config } =
    foreign === undefined ? context.loadConfig() : context.loadConfigOf(foreign.environment, foreign.cwd);
  const path = context.workerEnvironment["PATH"] ?? "";
  const restart = (): Restart | null => {
    if (!options.restart) return null;
    if (options.restartCommand !== undefined)
      return commandRestart(options.restartCommand, path, context.cwd);
    return systemdRestart(options.unit ?? ownUnit, executable, path);
  };
  const health = (): Targets =>
    options.healthUrl === undefined
      ? healthTargets(config, "name the server by --health-url")
      : { targets: [healthUrl(options.healthUrl)] };
  const found = {
    config,
    executable,
    cwd: foreign?.cwd ?? context.cwd,
    restart: restart(),
    health: options.restart ? health() : { targets: [] },
  };
  const { environment, release } = holdCredentials(foreign?.environment ?? context.environment);
  return { ...found, environment: { ...context.workerEnvironment, ...environment }, release };
}

/** @throws CommandError where another one has to change it. */
function ownExecutable({ workerEnvironment }: CommandContext): string {
  const wrong = (message: string, remedy: string) =>
    new CommandError(message, remedy, { wrongInput: "unusable_executable" });
  if (!Bun.main.startsWith("/$bunfs/")) throw wrong("this latchkey runs from its sources", "git pull");
  if (process.platform === "win32")
    throw wrong("latchkey upgrade is not for Windows", "end the server, and put the new file there");
  const executable = realpathSync(process.execPath);
  const dpkg = Bun.which("dpkg-query", { PATH: workerEnvironment["PATH"] ?? "" });
  if (dpkg !== null && Bun.spawnSync([dpkg, "--search", executable]).success)
    throw wrong(`${executable} is of a Debian package`, "apt-get install ./latchkey_VERSION_ARCH.deb");
  return executable;
}

async function upgradeTo(
  context: CommandContext,
  options: Options,
  server: Server,
  staged: string,
  action: Action,
): Promise<number> {
  const { executable, config } = server;
  const file = resolve(context.cwd, options.from);
  const trusted = requireTrusted(context, options, file);
  const sha256 = await stage(file, staged, executable);
  const listed = trusted.sums === null ? null : requireListed(sha256, trusted.sums, file, trusted.path);
  const to = await requireRunnable(staged, executable, file, server);
  if (listed !== null && listed.version !== to)
    throw new CommandError(
      `${file} says that it is ${to}, and is listed as ${listed.version}`,
      "build the release again",
      {
        wrongInput: "wrong_version",
      },
    );
  const journal = readJournal(executable);
  const isInstalled = (await sha256Of(executable)) === sha256;
  const isCutShort = journal !== null && isInstalled && journal.sha256 === sha256;
  const from = isCutShort ? journal.from : context.version;
  action.details = { from, to, executable, signedBy: trusted.by };
  if (isInstalled && !isCutShort) {
    report(context, options, [`${executable} is ${to} already`], {
      from,
      to,
      executable,
      outcome: "unchanged",
    });
    return exitStatus.ok;
  }
  if (!isCutShort && options.allowDowngrade !== true) requireNewer(from, to, file, executable);
  const handover = { context, server, timeoutMs: options.timeout * 1_000 };
  if (isCutShort) {
    context.stderr(`The upgrade from ${from} was cut short; it goes on`);
    return await finish(options, { ...handover, journal }, action);
  }
  const schema = await readSchema(staged, to, server);
  warnOfNoWayBack(context, config, schema, from);
  const lines = [`${executable}: ${from} to ${to}`, `migrations: ${schema.pending.join(", ") || "none"}`];
  if (options.dryRun === true) {
    const outcome = "dry run";
    report(context, options, [...lines, "nothing was changed"], {
      from,
      to,
      executable,
      pending: schema.pending,
      outcome,
    });
    return exitStatus.ok;
  }
  const snapshot = options.snapshot ? await takeSnapshot(context, options, server) : null;
  const written: Journal = { from, to, sha256, snapshot, pending: schema.pending };
  const isProven = journal === null || (await sha256Of(executable)) !== journal.sha256;
  const whole = isProven ? written : joined(journal, written);
  await exchange(executable, staged, whole, isProven);
  return await finish(options, { ...handover, journal: whole }, action);
}

/** An upgrade after one that was cut short: the way back leads to before both. */
function joined(first: Journal, second: Journal): Journal {
  return {
    ...second,
    from: first.from,
    snapshot: first.snapshot ?? second.snapshot,
    pending: [...new Set([...first.pending, ...second.pending])],
  };
}

/** From the exchange to the end. */
async function finish(options: Options, handover: Handover, action: Action): Promise<number> {
  const { context, server, journal } = handover;
  const { from, to, snapshot, pending } = journal;
  const { executable, restart } = server;
  const previous = previousOf(executable);
  action.details = { ...action.details, from, snapshot, migrations: pending };
  const failure = restart === null ? null : await handOver({ ...handover, server: { ...server, restart } });
  if (failure !== null) throw failure;
  endJournal(executable);
  const lines = [
    `${executable}: ${from} to ${to}`,
    ...(pending.length === 0 ? [] : [`migrations: ${pending.join(", ")}`]),
    ...(snapshot === null ? [] : [`${snapshot}: the database before it`]),
    `${previous}: the executable before it`,
    ...(restart === null
      ? ["the server still runs the one before: restart it"]
      : [`the server answers as ${to}`]),
  ];
  report(context, options, lines, { from, to, executable, previous, snapshot, pending, outcome: "upgraded" });
  return exitStatus.ok;
}

/** A line of JSON, or lines for people. */
function report(
  { stdout }: CommandContext,
  { json }: Options,
  lines: readonly string[],
  data: Readonly<Record<string, string | readonly string[] | null>>,
): void {
  if (json) stdout(JSON.stringify(data));
  else for (const line of lines) stdout(line);
}

function requireNewer(from: string, to: string, file: string, executable: string): void {
  if (Bun.semver.order(to, from) > 0) return;
  const previous = previousOf(executable);
  const back = existsSync(previous)
    ? `, or go back to the one before: mv ${previous} ${executable}, and restart`
    : "";
  throw new CommandError(
    to === from ? `${file} is ${to} as well, in other bytes` : `${file} is ${to}, older than ${from}`,
    `add --allow-downgrade${back}`,
    { wrongInput: "not_newer" },
  );
}

/** A migration may leave a schema on which the present executable cannot work: then the snapshot is the way back. */
function warnOfNoWayBack({ stderr }: CommandContext, config: Config, schema: Schema, from: string): void {
  const known = migrations[config.database.driver === "sqlite" ? "sqlite" : "pg"].length;
  if (schema.pending.length > 0 && schema.minReader > known)
    stderr(`Warning: afterwards ${from} cannot work on the database any more: the way back is the snapshot`);
}
