import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findPostgresBinaries, isRoot, type PostgresBinaries, unprivilegedId } from "./postgres-binaries.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";

/** An initialised data directory, owned by the user the server runs as. */
export interface Cluster {
  readonly binaries: PostgresBinaries;
  readonly directory: string;
  readonly dataDirectory: string;
  /** The superuser's, and the tests' role's too; needs no escaping in a URL or in SQL. */
  readonly password: string;
}

/** Runs initdb: superuser `postgres`, SCRAM for everybody, UTF-8, the C locale. */
export async function createCluster(): Promise<Cluster> {
  const binaries = findPostgresBinaries();
  const directory = temporaryDirectory("postgres");
  const dataDirectory = join(directory, "data");
  const passwordFile = join(directory, "password");
  const password = crypto.randomUUID();
  mkdirSync(dataDirectory, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot()) {
    for (const path of [directory, dataDirectory, passwordFile])
      chownSync(path, unprivilegedId, unprivilegedId);
  }
  const initdb = Bun.spawn(
    [
      binaries.initdb,
      `--pgdata=${dataDirectory}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync",
      "--no-instructions",
    ],
    { ...asServerUser(directory), stdout: "pipe", stderr: "pipe" },
  );
  watchProcess(initdb.pid, "KILL");
  const [stdout, stderr] = await Promise.all([
    new Response(initdb.stdout).text(),
    new Response(initdb.stderr).text(),
    initdb.exited,
  ]);
  forgetProcess(initdb.pid);
  if (initdb.exitCode !== 0) throw new Error(`initdb failed (${initdb.exitCode}):\n${stdout}${stderr}`);
  return { binaries, directory, dataDirectory, password };
}

/** No variable of the tests' environment (PGHOST, LC_ALL, TZ …) reaches the server, nor a Ctrl-C at the terminal. */
export function asServerUser(directory: string) {
  return {
    cwd: directory,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdin: "ignore",
    detached: true,
    ...(isRoot() ? { uid: unprivilegedId, gid: unprivilegedId } : {}),
  } as const;
}
