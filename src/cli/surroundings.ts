import type { LoadedConfig } from "../config.ts";

/** What a command may touch, read once in main. */
export interface Surroundings {
  readonly version: string;
  /** @throws ConfigError */
  readonly loadConfig: () => LoadedConfig;
  /** Data, to stdout. */
  readonly print: (text: string) => void;
  /** Talk, to stderr. */
  readonly tell: (text: string) => void;
}

/** A command's work; resolves to the process's exit status. */
export type Command = (surroundings: Surroundings, options: { readonly json: boolean }) => Promise<number>;
