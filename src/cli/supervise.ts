import { createBackupFigures } from "../backup-figures.ts";
import { createHashLine, hashLineLimits } from "../auth/hash-line.ts";
import { createHashSlots } from "../auth/hash-slots.ts";
import type { Config, LoadedConfig } from "../config/config.ts";
import { withPort } from "../config/load.ts";
import { socketsOf } from "../config/socket.ts";
import { connectionsOfEach } from "../config/workers.ts";
import { loadSecrets, orphanedSecret, prepareDataDirectory } from "../data-directory.ts";
import { type LogOptions, openLogLines } from "../log.ts";
import type { LogWriter } from "../log-writer.ts";
import { type KeyPair, urlOf } from "../server.ts";
import { claimSocketPaths } from "../unix-socket.ts";
import { claimPort } from "../workers/port-claim.ts";
import { createSharedHashing } from "../workers/shared-hashing.ts";
import { createSupervisor } from "../workers/supervisor.ts";
import { startWorker } from "../workers/worker-process.ts";
import { type Announcing, describeEnd, describeListening, describeStart } from "./announce.ts";
import { watchConnections } from "./connections.ts";
import { scheduleBackups } from "./scheduled-backups.ts";
import { superviseMetrics } from "./supervised-metrics.ts";
import { beforeSignal, logStrays, watchSignals } from "./signals.ts";

interface Surroundings extends Pick<LogOptions, "format"> {
  readonly writer: LogWriter;
}

/** Runs several workers on one port until SIGTERM or SIGINT; SIGHUP replaces them one after the other. */
export async function supervise(
  loaded: LoadedConfig,
  announcing: Announcing,
  { format, writer }: Surroundings,
): Promise<number> {
  const { log, workerEnvironment, notifier } = announcing;
  const { host, workers } = loaded.config;
  const claim = await claimPort(host, loaded.config.port);
  const config = withPort(loaded.config, claim.port);
  const tls = await openTls(config, announcing, (pair) => supervisor.certify(pair));
  describeStart(announcing, config, loaded.warnings);
  const forEach = await prepareOnce({ ...config, host: claim.address }, (warning) => log.warn(warning));
  const backupFigures = createBackupFigures();
  const metrics = await superviseMetrics(
    config,
    announcing,
    () => supervisor.serving(),
    backupFigures,
    tls?.figures,
  );
  const joinHashing = createSharedHashing(
    createHashLine(hashLineLimits(config)),
    createHashSlots(config.hashConcurrency),
  );
  const sockets = config.socket === null ? [] : socketsOf(config.socket, workers);
  const onLine = openLogLines({ format }, writer);
  const supervisor = createSupervisor({
    count: workers,
    log,
    startWorker(number) {
      const worker = startWorker({
        start: {
          kind: "start",
          number,
          config: { ...forEach, socket: sockets[number - 1] ?? null },
          certificate: tls?.current() ?? null,
          supervisor: process.pid,
        },
        environment: workerEnvironment,
        joinHashing,
        readiness: () => supervisor.readiness(),
        figures: () => metrics.gather(),
        onLine,
      });
      metrics.join(worker);
      return worker;
    },
  });
  const reload = async () => await (notifier ? notifier.reload(supervisor.restart) : supervisor.restart());
  const started = Promise.withResolvers<void>();
  // One that comes while they start replaces them once they are there, and ends nothing.
  const signals = watchSignals(() => {
    tls?.reload();
    void started.promise.then(reload);
  });
  const release = await claimSocketPaths(sockets.map(({ path }) => path));
  const early = await beforeSignal(signals, supervisor.start());
  if (early !== null) {
    supervisor.kill();
    await Promise.all([metrics.stop(), tls?.stop()]);
    return describeEnd(log, early);
  }
  release();
  started.resolve();
  logStrays(log);
  const url = urlOf(host, config.port, tls !== undefined);
  describeListening(announcing, config, url, metrics.url);
  tls?.begin();
  const httpPort = config.tls?.httpPort ?? null;
  // Workers watch their own.
  if (httpPort !== null) watchConnections({ ...config, port: httpPort, tls: null, workers: 1 }, log);
  notifier?.ready(`${workers} workers listening at ${url} for ${config.baseUrl}`, supervisor.hasAnswered);
  // Here, so that of all workers none makes any.
  const backups = scheduleBackups(config, announcing, backupFigures);
  log.info({ event: "draining", signal: await signals.first }, "finishing the requests under way");
  notifier?.stopping();
  const second = signals.second.then(() => {
    supervisor.kill();
    return "second signal";
  });
  const drained = async () => (await Promise.all([supervisor.drain(), backups?.stop(), tls?.stop()]))[0];
  const reason = await Promise.race([drained(), second]);
  await metrics.stop();
  return describeEnd(log, reason);
}

/** Nothing of it is loaded where plain http is spoken. */
async function openTls(config: Config, { log, version }: Announcing, onChange: (pair: KeyPair) => void) {
  if (config.tls === null) return undefined;
  const { openSupervisedTls } = await import("../tls/open-tls.ts");
  return await openSupervisedTls(config.tls, config, { log, version, onChange });
}

/** Makes what is made once, and must be the same for all. @returns the configuration of each worker. */
async function prepareOnce(config: Config, warn: (warning: string) => void): Promise<Config> {
  process.umask(0o077);
  const { database, workers } = config;
  const widened = database.driver === "sqlite" ? prepareDataDirectory(config.dataDir) : undefined;
  const orphaned = orphanedSecret(config);
  for (const warning of [widened, orphaned]) if (warning !== undefined) warn(warning);
  // Made here; each worker reads it, and follows it when it is rotated.
  await loadSecrets(config);
  if (database.driver === "sqlite") return config;
  const connections = connectionsOfEach(database.connections, workers);
  return { ...config, database: { ...database, connections } };
}
