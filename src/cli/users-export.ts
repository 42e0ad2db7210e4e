import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { writtenHash } from "../auth/foreign-hash.ts";
import { recordFields } from "../auth/user-record.ts";
import { type ExportedUser, readUsers } from "../database/export-users.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { createDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import type { Action } from "./action-log.ts";
import { type Command, exitStatus } from "./command.ts";
import { pathTaken } from "./failure.ts";
import { csvRow } from "./import/csv.ts";
import { onUsers } from "./users-session.ts";

interface ExportOptions extends Place {
  readonly format?: "jsonl" | "csv";
  readonly withHashes?: true;
  readonly output?: string;
}

/** Takes lines, and is waited for. */
type Write = (lines: string) => Promise<void>;

/** Writes everybody as they are at one moment, in the form that an import takes. */
export const exportUsers: Command<ExportOptions> = async (context, options) => {
  const { withHashes = false } = options;
  const format = options.format ?? (/\.csv$/i.test(options.output ?? "") ? "csv" : "jsonl");
  const fields = recordFields.filter((field) => withHashes || field !== "passwordHash");
  const lineOf = (user: ExportedUser): string => {
    const record = recordOf(user);
    if (format === "csv") return csvRow(fields.map((field) => String(record[field] ?? "")));
    return JSON.stringify(record, [...fields]);
  };
  const action: Action = { event: "account_export" };
  let count = 0;
  const exported = await onUsers(context, options, action, async ({ config, database }) => {
    const writeAll = async (write: Write) => {
      count = 0;
      if (format === "csv") await write(csvRow(fields));
      await readUsers(config.database, database, async (users) => {
        count += users.length;
        await write(users.map(lineOf).join("\n"));
      });
    };
    if (options.output === undefined)
      await writeAll(async (lines) => {
        context.stdout(lines);
        await context.drained();
      });
    else await writeFile(resolve(context.cwd, options.output), writeAll);
    action.counts = { exported: count };
    return count;
  });
  if (options.output !== undefined && options.json)
    context.stdout(
      JSON.stringify({ path: resolve(context.cwd, options.output), users: exported, withHashes }),
    );
  else
    context.stderr(
      `${exported} users${withHashes ? "; keep it secret: whoever has the hashes can guess at passwords" : ""}`,
    );
  return exitStatus.ok;
};

/** Whole or not at all, for its owner alone, and in nothing's place. */
async function writeFile(path: string, writeAll: (write: Write) => Promise<void>): Promise<void> {
  if (existsSync(path)) throw pathTaken(path);
  if (!existsSync(dirname(path)))
    throw new CommandError(`there is no folder ${dirname(path)}`, `mkdir -p ${dirname(path)}`, {
      wrongInput: "unusable_path",
    });
  const isOurs = await createDurably(path, async (temporary) => {
    const stream = createWriteStream(temporary, { mode: 0o600, flags: "wx" });
    // Its failure is that of the write, or of the end, that waits for it.
    const failed = once(stream, "error").then(([error]) => {
      throw error;
    });
    failed.catch(() => {});
    await writeAll(async (lines) => {
      if (!stream.write(`${lines}\n`)) await Promise.race([once(stream, "drain"), failed]);
    });
    stream.end();
    await Promise.race([once(stream, "close"), failed]);
  });
  if (!isOurs) throw pathTaken(path);
}

function recordOf(
  user: ExportedUser,
): Readonly<Record<(typeof recordFields)[number], string | boolean | null>> {
  const { id, email, name, emailVerified, image, createdAt, updatedAt, lockedAt, password } = user;
  return {
    id,
    email,
    name,
    emailVerified,
    image,
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
    lockedAt: lockedAt === null ? null : instant(lockedAt),
    passwordHash: password === null ? null : writtenHash(password),
  };
}

/** In UTC; a damaged one is left out. */
function instant(at: number): string | null {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
