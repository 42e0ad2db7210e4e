import type { Environment, LoadedConfig } from "../config/config.ts";

/** What a command may touch, read once in main. */
export interface Surroundings {
  readonly version: string;
  /**
   * Loads the configuration.
   * @param replaced variables to read instead of the environment's; undefined is unset.
   * @throws ConfigError
   */
  readonly loadConfig: (replaced?: Environment) => LoadedConfig;
  /** Data, to stdout. */
  readonly print: (text: string) => void;
  /** Talk, to stderr. */
  readonly tell: (text: string) => void;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** What every command is told. */
export interface CommandOptions {
  /** Whether data is printed as JSON. */
  readonly json: boolean;
}

/** A command's work; resolves to the process's exit status. */
export type Command<Options = unknown> = (
  surroundings: Surroundings,
  options: CommandOptions & Options,
) => Promise<number>;
