import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  prepareDataDirectory,
  type PutSecret,
  putSecret,
  readSavedSecret,
  secretPath,
  secretsIn,
} from "../data-directory.ts";
import type { Config } from "../config/config.ts";
import { type Restored, restoreSqlite } from "../database/restore-sqlite.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { type Action, logged } from "./action-log.ts";
import { describe, warnOfOrphans } from "./backup.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { restorePostgres } from "./backup-postgres.ts";
import { requireEmbedded } from "./dump-command.ts";
import { knownSecrets } from "./known-secrets.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";
import { trySqlite } from "./session-trial.ts";

interface RestoreOptions extends Place {
  readonly file: string;
  /** A file. */
  readonly secret?: string;
}

/** Puts a backup in the place of the embedded database, and keeps what was there, or into an empty one of a server. */
export const restore: Command<RestoreOptions> = async (context, options) => {
  const { config } = loadConfigAt(context, options);
  const source = resolve(context.cwd, options.file);
  const action: Action = { event: "restore", details: { path: source } };
  return await logged(config, options.json, action, async () =>
    config.database.driver !== "sqlite" && options.secret === undefined
      ? await restorePostgres(context, config, config.database, source, options.json, action)
      : await putInPlace(context, config, { ...options, source }, action),
  );
};

async function putInPlace(
  context: CommandContext,
  config: Config,
  { json, source, ...options }: RestoreOptions & { readonly json: boolean; readonly source: string },
  action: Action,
): Promise<number> {
  const path = requireEmbedded(config, "restore", source);
  const isGenerated = config.secrets.length === 0;
  if (options.secret !== undefined && !isGenerated)
    throw new CommandError(
      "--secret: this server's secret is not a generated one, but set by BETTER_AUTH_SECRET or its like",
      "have that setting hold the saved secret, and leave --secret away",
      { wrongInput: "configured_secret" },
    );
  const saved =
    options.secret === undefined ? undefined : readSavedSecret(resolve(context.cwd, options.secret));
  if (existsSync(path)) requireOwnFile(path, "restore …");
  const umask = process.umask(0o077);
  let secret: PutSecret | undefined;
  let restored: Restored;
  let tried: Awaited<ReturnType<typeof trySqlite>> = { session: "untried", orphans: 0 };
  const secrets = saved === undefined ? await knownSecrets(config) : secretsIn(saved);
  try {
    restored = await restoreSqlite(source, path, {
      beforeCopy() {
        for (const directory of new Set([config.dataDir, dirname(path)])) prepareDataDirectory(directory);
      },
      async tryCopy(copy, found) {
        tried = await trySqlite(copy, found, { config, secrets, now: context.now() });
      },
      async beforeExchange() {
        if (isGenerated) secret = await putSecret(config.dataDir, saved);
      },
    });
  } finally {
    process.umask(umask);
  }
  const { content, kept } = restored;
  const { orphans, session } = tried;
  const { pending: _, unknown: __, ...counts } = content;
  const figures = { ...counts, session };
  const keptSecret = secret?.became === "kept" ? secret.as : null;
  action.details = { path: source, ...figures, kept, keptSecret };
  if (orphans > 0) warnOfOrphans(context, orphans);
  if (json) {
    context.stdout(JSON.stringify({ path, ...figures, kept, keptSecret }));
    return exitStatus.ok;
  }
  context.stdout(describe(path, { ...content, ...tried }));
  if (kept !== null) context.stdout(`${kept}: what was there`);
  if (keptSecret !== null) context.stdout(`${keptSecret}: the secret that was there`);
  if (secret?.became === "none" && saved === undefined)
    context.stderr(
      `${secretPath(config.dataDir)} is new, so that everybody has to sign in again; with --secret <file> they need not`,
    );
  return exitStatus.ok;
}
