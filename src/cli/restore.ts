import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  prepareDataDirectory,
  type PutSecret,
  putSecret,
  readSavedSecret,
  secretPath,
} from "../data-directory.ts";
import { type Restored, restoreSqlite } from "../database/restore-sqlite.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { describe } from "./backup.ts";
import { type Command, exitStatus } from "./command.ts";
import { requireEmbedded } from "./dump-command.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";

interface RestoreOptions extends Place {
  readonly file: string;
  /** A file. */
  readonly secret?: string;
}

/** Puts a backup in the place of the embedded database, and keeps what was there. */
export const restore: Command<RestoreOptions> = async (context, { json, ...options }) => {
  const { config } = loadConfigAt(context, options);
  const source = resolve(context.cwd, options.file);
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
  try {
    restored = await restoreSqlite(source, path, {
      beforeCopy() {
        for (const directory of new Set([config.dataDir, dirname(path)])) prepareDataDirectory(directory);
      },
      async beforeExchange() {
        if (isGenerated) secret = await putSecret(config.dataDir, saved);
      },
    });
  } finally {
    process.umask(umask);
  }
  const { content, kept } = restored;
  if (json) {
    const { pending: _, unknown: __, ...figures } = content;
    const keptSecret = secret?.became === "kept" ? secret.as : null;
    context.stdout(JSON.stringify({ path, ...figures, kept, keptSecret }));
    return exitStatus.ok;
  }
  context.stdout(describe(path, content));
  if (kept !== null) context.stdout(`${kept}: what was there`);
  if (secret?.became === "kept") context.stdout(`${secret.as}: the secret that was there`);
  if (secret?.became === "none" && saved === undefined)
    context.stderr(
      `${secretPath(config.dataDir)} is new, so that everybody has to sign in again; with --secret <file> they need not`,
    );
  return exitStatus.ok;
};
