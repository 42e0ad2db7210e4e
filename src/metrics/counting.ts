import type { BackupFigures } from "../backup-figures.ts";
import type { CertificateFigures } from "../certificate-figures.ts";
import type { BreachOutcome } from "../auth/breached/breaches.ts";
import type { HashLine } from "../auth/hash-line.ts";
import type { MetricsConfig } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import type { LimitStore } from "../database/limit-store.ts";
import type { Front } from "../front.ts";
import type { AuthOutcome } from "../http/auth.ts";
import type { Verify } from "../session/verifier.ts";
import { createMetricsAnswer, createMetricsFront, withMetrics } from "./answer.ts";
import { countDatabase } from "./counted-database.ts";
import { countFront, countLimitStore, countLine, countOutcome, countVerify } from "./counted.ts";
import { createCounts } from "./counts.ts";
import { type Figures, sumOf } from "./figures.ts";
import { createLiveSessions } from "./live-sessions.ts";
import { createMailFigures } from "./mail-figures.ts";
import type { MailOutcome } from "./metrics.ts";
import { processFigures } from "./process-figures.ts";

/** What one process has counted. */
export interface Counted {
  /** @param name stands for the process: `server`, `worker-1`. */
  figures(name: string): Figures;
  /** What is the same to all processes on the database, asked of it: sessions that live, mail that waits. */
  shared(): Promise<Figures>;
  /** Notes connections that the limit closed. */
  closedConnections(count: number): void;
}

export interface CountingDeps {
  readonly metrics: MetricsConfig;
  /** Whether the public origin is https. */
  readonly secure: boolean;
  readonly version: string;
  readonly database: Database;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
  /** Whether mail is sent. */
  readonly sendsMail: boolean;
  /** Lines of the log that nobody took, so far. */
  readonly droppedLines?: (() => number) | undefined;
  /** Of a process that makes backups by itself. */
  readonly backups?: BackupFigures | undefined;
  /** Of a process that has the server's certificate. */
  readonly certificate?: CertificateFigures | undefined;
  /** Of a worker: what all of them have counted. */
  readonly figures?: (() => Promise<Figures>) | undefined;
}

/** Builds what stands before all that is counted, and what answers with it. */
export function createCounting(deps: CountingDeps) {
  const counts = createCounts();
  const { metrics, secure, version } = deps;
  const countSessions = createLiveSessions(deps.database, deps.now);
  const countMails = deps.sendsMail ? createMailFigures(deps.database, deps.now) : async () => ({});
  const counted: Counted = {
    figures: (name) =>
      sumOf([counts.figures(), droppedFigures(deps.droppedLines?.() ?? 0), processFigures(name)]),
    async shared() {
      const [sessions, mails] = await Promise.all([countSessions(), countMails()]);
      return { ...sessionFigures(sessions), ...mails };
    },
    closedConnections: (count) => counts.add("latchkey_limits_reached_total", "connections", count),
  };
  const gatherAlone = async () =>
    sumOf([
      counted.figures("server"),
      await counted.shared(),
      workerFigures({ serving: 1, configured: 1 }),
      backupFigures(deps.backups),
      certificateFigures(deps.certificate),
    ]);
  const { driver } = deps.database;
  const gather = deps.figures ?? gatherAlone;
  const answer = createMetricsAnswer({ token: metrics.token, secure, version, driver, gather });
  return {
    counted,
    database: countDatabase(deps.database, counts),
    metricsFront: metrics.listen === null ? null : createMetricsFront(answer),
    verify: (verify: Verify) => countVerify(verify, counts),
    line: (line: HashLine) => countLine(line, counts),
    limitStore: (store: LimitStore) => countLimitStore(store, counts),
    onMail: (outcome: MailOutcome) => counts.add("latchkey_mails_total", outcome),
    onOutcome: (outcome: AuthOutcome) => countOutcome(outcome, counts),
    onLookup: (outcome: BreachOutcome) => counts.add("latchkey_password_lookups_total", outcome),
    front: (front: Front) => {
      const countedFront = countFront(front, counts);
      return metrics.listen === null ? withMetrics(countedFront, answer) : countedFront;
    },
  };
}

export function droppedFigures(count: number): Figures {
  return { latchkey_log_lines_dropped_total: { "": [count] } };
}

function sessionFigures(count: number | null): Figures {
  return count === null ? {} : { latchkey_sessions_live: { "": [count] } };
}

/** @param backups undefined where nobody makes any by itself. */
export function backupFigures(backups: BackupFigures | undefined): Figures {
  if (backups === undefined) return {};
  const { lastMadeAt, lastBytes, failures } = backups;
  return {
    latchkey_backup_failures_total: { "": [failures] },
    ...(lastMadeAt === null
      ? {}
      : { latchkey_backup_last_made_timestamp_seconds: { "": [lastMadeAt / 1_000] } }),
    ...(lastBytes === null ? {} : { latchkey_backup_size_bytes: { "": [lastBytes] } }),
  };
}

/** @param certificate undefined where the server speaks plain http. */
export function certificateFigures(certificate: CertificateFigures | undefined): Figures {
  if (certificate === undefined) return {};
  const { notAfter, failures } = certificate;
  return {
    latchkey_tls_certificate_failures_total: { "": [failures] },
    ...(notAfter === null
      ? {}
      : { latchkey_tls_certificate_expiry_timestamp_seconds: { "": [notAfter / 1_000] } }),
  };
}

export function workerFigures(workers: { readonly serving: number; readonly configured: number }): Figures {
  return {
    latchkey_workers_serving: { "": [workers.serving] },
    latchkey_workers_configured: { "": [workers.configured] },
  };
}
