import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { ListedSecret } from "../config/secret-list.ts";
import { generateSecret, readSecretList, secretPath, writeSecretList } from "../data-directory.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { lockFile } from "../file-lock.ts";
import { lookEveryMs } from "../keyring.ts";
import { type Action, logged } from "./action-log.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { loadConfigAt } from "./place.ts";

interface RotateOptions extends Place {
  readonly dropOld?: true;
}

/** Between the two steps: by then every server knows the new secret, or looks before it refuses what that has signed. */
const stepMs = 2 * lookEveryMs;
/** Requests that were under way at the second step may have signed with the old one. */
const underWayMs = 60_000;

/** Makes a new secret sign the cookies, beside running servers, and signs nobody out; or drops those that nobody needs. */
export const rotateSecret: Command<RotateOptions> = async (context, { json, ...options }) => {
  const { config } = loadConfigAt(context, options);
  if (config.secrets.length > 0) return tellSteps(context, config, json, options.dropOld === true);
  const step = options.dropOld === true ? "drop_old" : "rotate";
  const action: Action = { event: "secret_rotation", details: { action: step } };
  return await logged(config, json, action, () => changeList(context, config, { json, ...options }, action));
};

async function changeList(
  context: CommandContext,
  config: Config,
  { json, ...options }: RotateOptions & { readonly json: boolean },
  action: Action,
): Promise<number> {
  const path = secretPath(config.dataDir);
  if (!existsSync(path))
    throw new CommandError(
      `there is no generated secret at ${path}`,
      "name the server's environment by --unit, --env-file or --pid, or set LATCHKEY_DATA_DIR",
    );
  const release = lockFile(config.dataDir);
  if (release === null)
    throw new CommandError(`${path} is being rotated by another latchkey`, "wait until that one is done");
  const umask = process.umask(0o077);
  try {
    const list = readSecretList(
      config.dataDir,
      config.database.driver === "sqlite" ? config.database.path : "",
    );
    if (options.dropOld === true) return await dropOld(context, config, list, { json, ...options }, action);
    const fresh = generateSecret();
    const [current, ...others] = list;
    if (current === undefined) throw new CommandError(`${path} is empty`, "latchkey doctor");
    await writeSecretList(config.dataDir, [current, { secret: fresh, since: null }, ...others]);
    await Bun.sleep(stepMs);
    const since = context.now();
    const sessionMaxAgeSeconds = longestOf(config, list);
    await writeSecretList(config.dataDir, [{ secret: fresh, since, sessionMaxAgeSeconds }, ...list]);
    action.details = { ...action.details, secrets: list.length + 1 };
    const dropFrom = new Date(neededUntil(sessionMaxAgeSeconds, since)).toISOString();
    if (json) context.stdout(JSON.stringify({ path, secrets: list.length + 1, dropFrom }));
    else {
      context.stdout(`${path}: a new secret signs, and ${counted(list.length, "an old one")} still counts`);
      context.stdout(
        `From ${dropFrom} on nobody needs what is old: latchkey secret rotate --drop-old${placed(options)}`,
      );
    }
    context.stderr(
      "A secret that was saved elsewhere is old now: save it again, or make a backup --with-secret",
    );
    return exitStatus.ok;
  } finally {
    process.umask(umask);
    release();
  }
}

/** The option by which the same server is named again; a process may be another by then. */
function placed({ unit, envFile }: Place): string {
  if (unit !== undefined) return ` --unit ${unit}`;
  return envFile === undefined ? "" : ` --env-file ${envFile}`;
}

/** Removes those that signed for the last time longer ago than any session lasts. */
async function dropOld(
  { stdout, now }: CommandContext,
  config: Config,
  list: readonly ListedSecret[],
  { json, ...place }: Place & { readonly json: boolean },
  action: Action,
): Promise<number> {
  const path = secretPath(config.dataDir);
  if (list.length === 1) throw refused(`${path} holds no old secret`, "latchkey secret rotate");
  const maxAge = longestOf(config, list);
  const ends = list.map((_, at) => neededUntil(maxAge, signedUntil(list, at)));
  const kept = list.filter((_, at) => (ends[at] ?? 0) > now());
  const dropped = list.length - kept.length;
  if (dropped === 0) {
    const next = Math.min(...ends);
    const isShell = [place.unit, place.envFile, place.pid].every((one) => one === undefined);
    if (!Number.isFinite(next)) throw refused("a rotation was cut short", "latchkey secret rotate");
    throw refused(
      `sessions that an old secret signed may live until ${new Date(next).toISOString()}`,
      `run it again after that${isShell ? ", with --unit, --env-file or --pid to have LATCHKEY_SESSION_MAX_AGE of the server" : ""}`,
    );
  }
  await writeSecretList(config.dataDir, kept);
  action.details = { ...action.details, secrets: kept.length, dropped };
  if (json) stdout(JSON.stringify({ path, secrets: kept.length, dropped }));
  else stdout(`${path}: ${counted(dropped, "an old secret")} dropped, ${kept.length} left`);
  return exitStatus.ok;
}

/** When another took over from the one at `at`; never for the one that signs. One that never signed is as old as the next. */
function signedUntil(list: readonly ListedSecret[], at: number): number {
  const instants = list.slice(0, at).flatMap(({ since }) => since ?? []);
  return instants.at(-1) ?? Number.POSITIVE_INFINITY;
}

/** How long a session may live: as it is set where this runs, or was at a rotation, whichever is longer. */
function longestOf({ sessionMaxAgeSeconds }: Config, list: readonly ListedSecret[]): number {
  return Math.max(sessionMaxAgeSeconds, ...list.map((one) => one.sessionMaxAgeSeconds ?? 0));
}

function neededUntil(sessionMaxAgeSeconds: number, instant: number): number {
  return instant + sessionMaxAgeSeconds * 1_000 + underWayMs;
}

/** What to set, where the secrets are settings. */
function tellSteps({ stdout }: CommandContext, config: Config, json: boolean, isDropping: boolean): number {
  const { secrets, secretsVersion, sessionMaxAgeSeconds } = config;
  if (isDropping)
    throw refused(
      "this server's secrets are no generated ones, but set by BETTER_AUTH_SECRETS or its like",
      `remove the old ones there, ${sessionMaxAgeSeconds} s after the new one signed first at the earliest`,
    );
  const secret = generateSecret();
  const old = secrets.length === 1 ? `${secretsVersion}:OLD` : "OLD";
  const next = secretsVersion + 1;
  const steps = [
    `BETTER_AUTH_SECRETS=${old},${next}:${secret}`,
    `BETTER_AUTH_SECRETS=${next}:${secret},${old}`,
  ];
  if (json) {
    stdout(JSON.stringify({ secret, steps }));
    return exitStatus.ok;
  }
  const what =
    secrets.length === 1
      ? "OLD is the secret that is set now; BETTER_AUTH_SECRET goes"
      : "OLD is all that is set now";
  stdout(`The secrets of this server are settings: change them in two steps (${what}).`);
  stdout(`First, for every server, and start them again:\n  ${steps[0]}`);
  stdout(`Once all run with that, likewise:\n  ${steps[1]}`);
  return exitStatus.ok;
}

function counted(count: number, one: string): string {
  return count === 1 ? one : `${count} old ones`;
}

function refused(message: string, remedy: string): CommandError {
  return new CommandError(message, remedy, { wrongInput: "secret_needed" });
}
