import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian.ts";
import { temporaryDirectory } from "./reaper.ts";

/** @returns a folder for PATH with `pg_dump` and `pg_restore` of Debian's PostgreSQL of that version. */
export async function postgresTools(version: 15 | 18): Promise<string> {
  const suite = version === 15 ? "bookworm" : "forky";
  const folder = temporaryDirectory(`postgresql-${version}`);
  for (const name of ["pg_dump", "pg_restore"]) {
    const program = `usr/lib/postgresql/${version}/bin/${name}`;
    const { command } = await debianProgram({ suite, name: `postgresql-client-${version}`, program });
    const words = command.map((word) => `'${word}'`).join(" ");
    // What was said on the command line, and which passwords the environment had.
    const note = `printf '%s\\n' "$0 $*" "password \${PGPASSWORD:+given}" >> '${join(folder, "called")}'`;
    writeFileSync(join(folder, name), `#!/bin/sh\n${note}\nexec ${words} "$@"\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}
