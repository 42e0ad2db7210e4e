import type { Executables } from "../build.ts";
import type { CoreSet, Cores } from "../machine/cores.ts";
import type { SeededDatabase } from "./databases.ts";
import { startTarget, type Target } from "./target.ts";

export interface LatchkeyOptions {
  readonly executables: Executables;
  readonly database: Pick<SeededDatabase, "driver" | "env">;
  readonly cores: Cores | null;
  readonly on?: CoreSet;
  /** On top of the defaults. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the compiled executable as it is deployed: defaults, but for the database and the port. */
export async function startLatchkey({
  executables,
  database,
  cores,
  on = "server",
  env = {},
}: LatchkeyOptions): Promise<Target> {
  return await startTarget({
    name: `latchkey ${database.driver}`,
    executable: await executables("latchkey"),
    env: { ...database.env, PORT: "0", ...env },
    cores,
    on,
  });
}
