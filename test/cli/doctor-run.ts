import type { Check } from "../../src/doctor/check.ts";
import { type CommandOptions, runCommand } from "./run-command.ts";

export interface Diagnosis {
  readonly exitCode: number;
  readonly checks: readonly Check[];
  /** The checks of that name; throws when there is none. */
  readonly named: (name: string) => readonly Check[];
  /** The one check of that name. */
  readonly only: (name: string) => Check;
}

/** Runs `latchkey doctor --json`. */
export async function diagnoseBy(options: CommandOptions): Promise<Diagnosis> {
  const { exitCode, stdout } = await runCommand(["doctor", "--json"], options);
  const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
  const named = (name: string) => {
    const found = checks.filter((check) => check.name === name);
    if (found.length === 0)
      throw new Error(`no check ${name} among ${checks.map((check) => check.name).join(", ")}`);
    return found;
  };
  const only = (name: string) => {
    const [check, ...more] = named(name);
    if (check === undefined || more.length > 0) throw new Error(`${more.length + 1} checks ${name}`);
    return check;
  };
  return { exitCode, checks, named, only };
}
