import { appendFileSync, chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { isRoot, unprivilegedId } from "./postgres-binaries.ts";
import { type Cluster, createCluster } from "./postgres-cluster.ts";
import { freePort, startOnFreePort } from "./postgres.ts";
import { type Postmaster, startPostmaster } from "./postmaster.ts";
import { temporaryDirectory } from "./reaper.ts";
import type { Network } from "./relay.ts";
import { startTcpRelay, type TcpRelay } from "./tcp-relay.ts";

const replicaTimeoutMs = 20_000;

/** Two PostgreSQL 18 servers on 127.0.0.1, one of them a standby of the other that takes no connections. */
export interface ReplicatedPostgres {
  /** Of both, in an order that never changes. */
  readonly ports: readonly [number, number];
  /** Of a database there, at any port: `postgres://latchkey:…@127.0.0.1:port/latchkey`. */
  url(port: number): string;
  /** Between the standby and its primary. */
  network(): Network;
  /** Asks the primary, as its superuser. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** SIGKILL of the primary; nobody takes its place yet. */
  killPrimary(what: "machine" | "postmaster"): Promise<void>;
  /** Makes the standby the primary, which has no standby then and waits for none. */
  promote(): void;
  /** Starts the former primary as if nothing had happened, beside the new one. */
  resurrect(): Promise<void>;
  /** Makes a standby anew, from a copy of the primary, in the place of the server that is none. */
  replicate(commit: "synchronous" | "asynchronous"): Promise<void>;
  stop(): Promise<void>;
}

interface Server {
  readonly cluster: Cluster;
  readonly port: number;
  /** Undefined while it does not run. */
  postmaster: Postmaster | undefined;
}

/** What the documentation has an operator paste. */
export interface ReplicationOptions {
  /** For each server's postgresql.conf. */
  readonly settings: string;
  /** SQL that has a primary wait for its standby at every commit. */
  readonly together: string;
  /** SQL that has it wait for nobody. */
  readonly alone: string;
}

/** The standby that it starts with is one that the primary waits for. */
export async function startReplicatedPostgres(options: ReplicationOptions): Promise<ReplicatedPostgres> {
  const cluster = await createCluster();
  appendFileSync(
    join(cluster.dataDirectory, "postgresql.conf"),
    `\n${options.settings}\nwal_keep_size = 1GB\n`,
  );
  const started = await startOnFreePort(cluster);
  const { password, binaries } = cluster;
  const url = (port: number, user = "latchkey", database = "latchkey") =>
    `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  const first: Server = { cluster, port: started.port, postmaster: started };
  await asking(url(first.port, "postgres", "postgres"), async (ask) => {
    await ask(`CREATE ROLE latchkey LOGIN NOSUPERUSER PASSWORD '${password}'`);
    await ask("CREATE DATABASE latchkey OWNER latchkey");
  });
  const directory = temporaryDirectory("standby");
  const own = { binaries, password, directory, dataDirectory: join(directory, "data") };
  const second: Server = { cluster: own, port: freePort(), postmaster: undefined };
  if (isRoot()) chownSync(directory, unprivilegedId, unprivilegedId);

  let [primary, other] = [first, second];
  let relay: TcpRelay | undefined;
  const asAdmin = <T>(use: (ask: Ask) => Promise<T>) =>
    asking(url(primary.port, "postgres", "latchkey"), use);
  const isReplicated = async (ask: Ask, state: string) =>
    (await ask(`SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '${state}'`))
      .length > 0;
  const replicate: ReplicatedPostgres["replicate"] = async (commit) => {
    await other.postmaster?.stop("immediate");
    await relay?.close();
    relay = await startTcpRelay({ targetPort: primary.port });
    await asAdmin(async (ask) => {
      await copyRunning(ask, primary.cluster, other.cluster);
      follow(other.cluster, relay?.port ?? 0);
      other.postmaster = await startPostmaster(other.cluster, other.port);
      for (const statement of statementsOf(commit === "synchronous" ? options.together : options.alone))
        await ask(statement);
      const state = commit === "synchronous" ? "sync" : "async";
      const deadline = Date.now() + replicaTimeoutMs;
      while (!(await isReplicated(ask, state))) {
        if (Date.now() > deadline) throw new Error(`no ${state} standby:\n${logOf(other.cluster)}`);
        await Bun.sleep(20);
      }
    });
  };
  await replicate("synchronous");
  return {
    ports: [first.port, second.port],
    url,
    network() {
      if (relay === undefined) throw new Error("there is no standby");
      return relay;
    },
    query: (sql) => asAdmin((ask) => ask(sql)),
    async killPrimary(what) {
      await primary.postmaster?.kill(what);
      primary.postmaster = undefined;
    },
    promote() {
      [primary, other] = [other, primary];
      primary.postmaster?.promote();
    },
    async resurrect() {
      other.postmaster = await startPostmaster(other.cluster, other.port);
    },
    replicate,
    async stop() {
      await relay?.close();
      for (const { postmaster, cluster } of [first, second]) {
        await postmaster?.stop("immediate");
        rmSync(cluster.directory, { recursive: true, force: true });
      }
    },
  };
}

/** One that changes the server's settings may stand in no transaction, and so in no text with another one. */
export function statementsOf(sql: string): string[] {
  return sql.trim().replace(/;$/, "").split(";\n");
}

type Ask = (sql: string) => Promise<Record<string, unknown>[]>;

async function asking<T>(url: string, use: (ask: Ask) => Promise<T>): Promise<T> {
  const sql = new SQL(url, { max: 1, prepare: false });
  try {
    return await use(async (text) => [...(await sql.unsafe(text))]);
  } finally {
    await sql.close();
  }
}

/**
 * What pg_basebackup does, which the package of the binaries lacks: a copy of the files of a server that runs, between
 * pg_backup_start and pg_backup_stop on one connection.
 */
async function copyRunning(ask: Ask, from: Cluster, to: Cluster): Promise<void> {
  rmSync(to.dataDirectory, { recursive: true, force: true });
  await ask("SELECT pg_backup_start('standby', fast => true)");
  const copy = Bun.spawnSync(["cp", "-a", from.dataDirectory, to.dataDirectory]);
  const [stopped] = await ask("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)");
  // A file that went away meanwhile is in the log that is played over the copy.
  const failures = copy.stderr
    .toString()
    .split("\n")
    .filter((line) => line !== "" && !line.includes("No such file"));
  if (failures.length > 0) throw new Error(failures.join("\n"));
  for (const name of ["postmaster.pid", "postmaster.opts", "standby.signal"])
    rmSync(join(to.dataDirectory, name), { force: true });
  writeOwned(join(to.dataDirectory, "backup_label"), String(stopped?.["labelfile"]));
}

/** As `pg_basebackup --write-recovery-conf` leaves it. */
function follow({ dataDirectory, password }: Cluster, port: number): void {
  const settings = join(dataDirectory, "postgresql.auto.conf");
  // The last one counts; and a standby that becomes the primary has nobody to wait for.
  appendFileSync(
    settings,
    `synchronous_standby_names = ''\nprimary_conninfo = 'host=127.0.0.1 port=${port} user=postgres password=${password}'\n`,
  );
  writeOwned(join(dataDirectory, "standby.signal"), "");
}

function writeOwned(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  if (isRoot()) chownSync(path, unprivilegedId, unprivilegedId);
}

function logOf({ directory }: Cluster): string {
  return readFileSync(join(directory, "server.log"), "utf8");
}
