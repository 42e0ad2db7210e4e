import type { ReadStream } from "node:tty";
import { printable } from "./columns.ts";
import type { Environment, LoadedConfig } from "../config/config.ts";

/** What a command may touch, read once in main. */
export interface CommandContext {
  readonly version: string;
  /**
   * Loads the configuration.
   * @param replaced variables to read instead of the environment's; undefined is unset.
   * @throws ConfigError
   */
  readonly loadConfig: (replaced?: Environment) => LoadedConfig;
  /** The same for a server that is started elsewhere, by nothing but `environment`, in the directory `cwd`. */
  readonly loadConfigOf: (environment: Environment, cwd: string) => LoadedConfig;
  /** What this process was started with, for a command that picks its settings itself. */
  readonly environment: Environment;
  /** What a process that is started from here sees: places, certificates and the like, no setting and no secret. */
  readonly workerEnvironment: Readonly<Record<string, string | undefined>>;
  /** The working directory. */
  readonly cwd: string;
  /** Writes a line of data. */
  readonly stdout: (line: string) => void;
  /** Writes a line for people. */
  readonly stderr: (line: string) => void;
  /** Writes a question, without a line feed. */
  readonly prompt: (text: string) => void;
  /** Whether stderr is a terminal, which shows how far a long command is. */
  readonly isTerminal: boolean;
  /** Resolves once whoever reads stdout has taken what was written. */
  readonly drained: () => Promise<void>;
  /** What is typed, or piped. Touched by commands that ask alone. */
  readonly stdin: () => ReadStream;
  /** Whether somebody sits at a terminal: what is asked is seen, and what is typed comes here. */
  readonly isInteractive: () => boolean;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

interface CommandOptions {
  /** Whether data is printed as JSON. */
  readonly json: boolean;
}

/** A command's work; resolves to the process's exit status. */
export type Command<Options = unknown> = (
  context: CommandContext,
  options: CommandOptions & Options,
) => Promise<number>;

/** Exit statuses: done, failed, used wrongly. */
export const exitStatus = { ok: 0, failed: 1, usage: 2 } as const;

/** Says on stderr what went wrong, and the step to take. */
export function printFailure(
  { stderr }: Pick<CommandContext, "stderr">,
  message: string,
  remedy: string,
): void {
  // It may repeat what a stranger wrote.
  const safe = (text: string) => text.split("\n").map(printable).join("\n");
  stderr(`Error: ${safe(message)}\nTry: ${safe(remedy)}`);
}
