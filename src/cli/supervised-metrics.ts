import type { BackupFigures } from "../backup-figures.ts";
import type { CertificateFigures } from "../certificate-figures.ts";
import type { Config } from "../config/config.ts";
import type { Figures } from "../metrics/figures.ts";
import type { WorkerProcess } from "../workers/worker-process.ts";
import type { Announcing } from "./announce.ts";
import { listenForMetrics } from "./metrics-listener.ts";

/** Figures of all workers, at the supervisor. */
export interface SupervisedMetrics {
  /** Where they are asked for; undefined where workers answer. */
  readonly url: string | undefined;
  join(worker: WorkerProcess): void;
  gather(): Promise<Figures>;
  stop(): Promise<void>;
}

const nothing: SupervisedMetrics = {
  url: undefined,
  join: () => {},
  gather: () => Promise.resolve({}),
  stop: async () => {},
};

/**
 * Listens for whoever asks, and gathers what workers have counted. Nothing is loaded where nobody wants that.
 * @param serving how many workers listen. @param madeBackups of those that this process makes by itself.
 * @param certificate of the server's own, where it has one. @throws CommandError.
 */
export async function superviseMetrics(
  { metrics, secure, workers, database, backups }: Config,
  { version, droppedLines }: Announcing,
  serving: () => number,
  madeBackups: BackupFigures,
  certificate: CertificateFigures | undefined,
): Promise<SupervisedMetrics> {
  if (metrics === null) return nothing;
  const listener = await listenForMetrics(metrics);
  const [answer, counting, { sumOf }, { processFigures }, { keepFigures }] = await Promise.all([
    import("../metrics/answer.ts"),
    import("../metrics/counting.ts"),
    import("../metrics/figures.ts"),
    import("../metrics/process-figures.ts"),
    import("../workers/kept-figures.ts"),
  ]);
  const kept = keepFigures();
  const gather = async () =>
    sumOf([
      await kept.gather(),
      counting.droppedFigures(droppedLines()),
      counting.workerFigures({ serving: serving(), configured: workers }),
      processFigures("supervisor"),
      counting.backupFigures(backups === null ? undefined : madeBackups),
      counting.certificateFigures(certificate),
    ]);
  const { token } = metrics;
  const answerMetrics = answer.createMetricsAnswer({
    token,
    secure,
    version,
    driver: database.driver,
    gather,
  });
  listener?.serve(answer.createMetricsFront(answerMetrics));
  return {
    url: listener?.url,
    join: kept.join,
    gather,
    stop: async () => await listener?.stop(),
  };
}
