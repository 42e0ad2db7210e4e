import { createBackupFigures } from "../backup-figures.ts";
import type { Config, LoadedConfig } from "../config/config.ts";
import { withPort } from "../config/load.ts";
import { prepareDataDirectory } from "../data-directory.ts";
import { listen, together } from "../server.ts";
import { openService, type Rehearsal, type Service } from "../service.ts";
import { claimSocketPaths, listenOnSocket } from "../unix-socket.ts";
import { type Announcing, describeEnd, describeListening, describeStart } from "./announce.ts";
import { watchConnections } from "./connections.ts";
import { drain } from "./drain.ts";
import { listenForMetrics, type MetricsListener } from "./metrics-listener.ts";
import { scheduleBackups } from "./scheduled-backups.ts";
import { beforeSignal, logStrays, watchSignals } from "./signals.ts";

/** What a server for tests does beside serving. */
interface TestServing extends Rehearsal {
  /** Hears where it listens, once it answers. */
  listening(config: Config, url: string): void;
  /** Ends it as a signal does. */
  readonly ended: Promise<string>;
}

const nothingToReload = "settings are read at the start: restart it";

/**
 * Serves in this process until SIGTERM, SIGINT or SIGHUP, which with a certificate looks for a new one instead; a second signal
 * ends it at once.
 * @param testing of a server for tests alone. @returns the exit status.
 */
export async function serveAlone(
  loaded: LoadedConfig,
  announcing: Announcing,
  testing?: TestServing,
): Promise<number> {
  const { log, version, droppedLines, notifier } = announcing;
  const tls = await openTls(loaded.config, announcing);
  const port = tls?.listener ?? listen(loaded.config.host, loaded.config.port);
  const config = withPort(loaded.config, port.port);
  describeStart(announcing, config, loaded.warnings);
  const backupFigures = createBackupFigures();
  // From here on: an unheard signal would end it without a word.
  // To systemd, SIGHUP asks for a reload, and never for the end.
  const reload = tls?.reload ?? (() => log.info({ event: "reload_ignored" }, nothingToReload));
  const signals = watchSignals(notifier ? () => void notifier.reload(reload) : tls?.reload);
  let listener = port;
  let metrics: MetricsListener | null = null;
  let service: Service;
  try {
    metrics = await listenForMetrics(config.metrics);
    if (config.socket !== null) {
      const release = await claimSocketPaths([config.socket.path]);
      listener = together(port, listenOnSocket(config.socket));
      release();
    }
    // Embedded data has an owner; files made from here on are for it alone.
    process.umask(0o077);
    const widened = config.database.driver === "sqlite" ? prepareDataDirectory(config.dataDir) : undefined;
    if (widened !== undefined) log.warn(widened);
    const rehearsal = testing === undefined ? {} : { rehearsal: testing };
    const opening = openService({
      config,
      log,
      version,
      now: Date.now,
      droppedLines,
      backups: backupFigures,
      certificate: tls?.figures,
      ...rehearsal,
    });
    const early = await beforeSignal(signals, opening);
    if (early !== null) {
      await Promise.all([listener.stop(), metrics?.stop()]);
      return describeEnd(log, early);
    }
    service = await opening;
  } catch (error) {
    await Promise.all([listener.stop(), metrics?.stop()]);
    throw error;
  }
  logStrays(log);
  listener.serve(service.front);
  if (service.metricsFront !== null) metrics?.serve(service.metricsFront);
  const stopCapping = watchConnections(config, log, service.counted?.closedConnections);
  describeListening(announcing, config, listener.url, metrics?.url);
  tls?.begin();
  notifier?.ready(`listening at ${listener.url} for ${config.baseUrl}`);
  const backups = scheduleBackups(config, announcing, backupFigures);
  testing?.listening(config, listener.url);
  const signal = await (testing === undefined ? signals.first : Promise.race([signals.first, testing.ended]));
  log.info({ event: "draining", signal }, "finishing the requests under way");
  notifier?.stopping();
  stopCapping();
  const end = async () => {
    const [reason] = await Promise.all([drain(listener), backups?.stop()]);
    // What goes on behind the answers may take as long as a database does.
    await service.close();
    await metrics?.stop();
    return reason;
  };
  return describeEnd(log, await Promise.race([end(), signals.second.then(() => "second signal")]));
}

/** Nothing of it is loaded where plain http is spoken. */
async function openTls(config: Config, { log, version }: Announcing) {
  if (config.tls === null) return undefined;
  const { openTls: open } = await import("../tls/open-tls.ts");
  return await open(config.tls, config, { log, version });
}
