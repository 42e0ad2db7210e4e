import { createImporter, type Importer, type ImportMode } from "../../auth/importer.ts";
import { type Fault, FaultError, readUserRecord, type UserRecord } from "../../auth/user-record.ts";
import type { Place } from "../../doctor/foreign-environment.ts";
import { CommandError, reasonOf } from "../../errors.ts";
import type { Action } from "../action-log.ts";
import { type Command, type CommandContext, exitStatus, printFailure } from "../command.ts";
import { type Input, openInput, unreadable } from "../input.ts";
import { knownSecrets } from "../known-secrets.ts";
import { onUsers, type UsersSession } from "../users-session.ts";
import { csvRows } from "./csv.ts";
import { jsonLines, type Fields } from "./json-lines.ts";
import { type BadLine, linesOf } from "./lines.ts";
import { createProgress } from "./progress.ts";

interface ImportOptions extends Place {
  /** A path, or `-` for stdin. */
  readonly file: string;
  readonly format?: "jsonl" | "csv";
  readonly atomic?: true;
  readonly dryRun?: true;
}

interface Refusal extends Fault {
  readonly line: number;
}

interface Result {
  imported: number;
  there: number;
  refused: number;
  /** The first of those that were refused. */
  readonly refusals: Refusal[];
}

/** Refused lines that are told of one by one. */
const refusalsMax = 50;

/** Makes users of the lines of a file. */
export const importUsers: Command<ImportOptions> = async (context, options) => {
  const mode = options.dryRun === true ? "dry-run" : options.atomic === true ? "atomic" : "each";
  const source = openSource(context, options);
  const action: Action = { event: "account_import" };
  const result = await onUsers(context, options, mode === "dry-run" ? undefined : action, async (session) => {
    const done = await runImport(context, session, source, mode, action);
    action.counts = countsOf(done);
    if (mode === "atomic" && done.refused > 0) action.reason = "refused_lines";
    return done;
  }).catch((error: unknown) => {
    const { counts } = action;
    if (!(error instanceof CommandError) || counts === undefined) throw error;
    const { message, remedy, wrongInput } = error;
    throw new CommandError(message, remedy, { cause: error.cause, wrongInput, counts });
  });
  report(context, options, mode, result);
  return result.refused > 0 ? exitStatus.usage : exitStatus.ok;
};

/** What is imported. */
interface Source extends Input {
  readonly format: "jsonl" | "csv";
}

function openSource(context: CommandContext, { file, format }: ImportOptions): Source {
  const input = openInput(context, file, "latchkey users import - < users.jsonl");
  return { ...input, format: format ?? (/\.csv$/i.test(file) ? "csv" : "jsonl") };
}

/** Imports all that a source has; of an atomic import nothing where a line is refused. */
async function runImport(
  context: CommandContext,
  session: UsersSession,
  source: Source,
  mode: ImportMode,
  action: Action,
): Promise<Result> {
  const run = async (how: ImportMode) => {
    const { config, database } = session;
    const importer = await createImporter({
      database,
      secrets: await knownSecrets(config),
      mode: how,
      now: context.now,
    });
    const result: Result = { imported: 0, there: 0, refused: 0, refusals: [] };
    try {
      await readInto(result, importer, context, source);
      if (how === "atomic" && result.refused > 0) return { ...result, imported: 0 };
      await importer.finish();
      return result;
    } catch (error) {
      action.counts = { ...countsOf(result), imported: how === "each" ? result.imported : 0 };
      if (how === "each" && result.imported > 0)
        context.stderr(
          `${result.imported} users were imported before it failed; the same import goes on from there`,
        );
      throw error;
    } finally {
      await importer.close();
    }
  };
  // What can be found without a lock is, before one is held.
  const checked = mode === "atomic" && source.bytes !== null ? await run("dry-run") : undefined;
  return checked === undefined || checked.refused === 0 ? await run(mode) : { ...checked, imported: 0 };
}

async function readInto(
  result: Result,
  importer: Importer,
  context: CommandContext,
  source: Source,
): Promise<void> {
  const progress = createProgress(context, () => performance.now(), "users");
  let readBytes = 0;
  const counted = async function* () {
    for await (const chunk of source.read()) {
      readBytes += chunk.length;
      yield chunk;
    }
  };
  const lines = linesOf(counted());
  const rows = source.format === "csv" ? csvRows(lines) : jsonLines(lines);
  let waiting: { readonly number: number; readonly record: UserRecord }[] = [];
  const refuse = (line: number, fault: Fault) => {
    result.refused += 1;
    if (result.refusals.length < refusalsMax) result.refusals.push({ line, ...fault });
  };
  const add = async (count: number): Promise<void> => {
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    const outcomes = await importer.add(batch.map(({ record }) => record));
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome === "imported" || outcome === "there") result[outcome] += 1;
      else refuse(batch[at]?.number ?? 0, outcome);
    }
    const share = source.bytes === null ? undefined : Math.min(1, readBytes / source.bytes);
    progress.show(result.imported + result.there, share);
  };
  try {
    for await (const some of rows) {
      for (const row of some) {
        const read = readRow(row, context.now());
        if ("record" in read) waiting.push(read);
        else refuse(row.number, read);
      }
      while (waiting.length >= importer.batchSize()) await add(importer.batchSize());
    }
    while (waiting.length > 0) await add(importer.batchSize());
  } catch (error) {
    throw readFailure(error);
  } finally {
    progress.end();
  }
  result.refusals.sort((one, other) => one.line - other.line);
}

function readRow(row: Fields | BadLine, now: number): { number: number; record: UserRecord } | Fault {
  if ("fault" in row) return row.fault;
  try {
    return { number: row.number, record: readUserRecord(row.fields, now) };
  } catch (error) {
    if (error instanceof FaultError) return error.fault;
    throw error;
  }
}

function report(
  context: CommandContext,
  { json }: { json: boolean },
  mode: ImportMode,
  result: Result,
): void {
  const { refusals, ...counts } = result;
  if (json) {
    context.stdout(JSON.stringify({ ...counts, refusals, dryRun: mode === "dry-run" }));
    return;
  }
  for (const { line, field, reason, remedy } of refusals)
    printFailure(context, `line ${line}: ${field === null ? "" : `${field}: `}${reason}`, remedy);
  const more = result.refused - refusals.length;
  if (more > 0) context.stderr(`and ${more} lines more that were refused`);
  const done = mode === "dry-run" ? "would be imported" : "imported";
  const nothing = mode === "atomic" && result.refused > 0 ? "; nothing was imported" : "";
  context.stdout(
    `${counts.imported} ${done}, ${counts.there} there already, ${counts.refused} refused${nothing}`,
  );
}

function countsOf({ imported, there, refused }: Result) {
  return { imported, there, refused };
}

/** The database's own failures stay as they are. */
function readFailure(error: unknown): unknown {
  if (error instanceof FaultError) {
    const { field, reason, remedy } = error.fault;
    return unreadable(`${field}: ${reason}`, remedy);
  }
  const { syscall } = error as { readonly syscall?: unknown };
  if (syscall === undefined) return error;
  return unreadable(
    `the file cannot be read: ${reasonOf(error)}`,
    "name a file that this user may read",
    error,
  );
}
