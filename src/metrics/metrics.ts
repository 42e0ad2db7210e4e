/** What is known of a metric, once: docs/monitoring.md shows it as a table, and the answer has its help. */
export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Of a metric with one label: its values that are there from the start, so that the first event is an increase. */
  readonly values?: readonly string[];
  /** Of a histogram: upper bounds, in seconds. */
  readonly bounds?: readonly number[];
  /** Of one process: it ends with it, and is nobody else's. */
  readonly ofProcess?: true;
}

const requestBounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];
const databaseBounds = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4];
const waitBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4];

const verificationOutcomes = [
  "authenticated",
  "no_credentials",
  "invalid_session",
  "session_expired",
  "unavailable",
] as const;
export const entryOutcomes = ["success", "refused", "limited", "busy", "unavailable", "error"] as const;
export const databaseOperations = ["lookup", "query", "read", "change", "begin", "commit"] as const;
const limitNames = [
  "account",
  "pair",
  "sign-ins",
  "sign-ups",
  "changes",
  "mails",
  "mails-to",
  "codes",
  "connections",
] as const;
const mailOutcomes = ["sent", "deferred", "failed", "void"] as const;

/** Every metric. Labels have few values, whatever clients send: names of routes, statuses, outcomes. */
export const metrics = {
  latchkey_build_info: {
    type: "gauge",
    help: "1, with the version, Bun's and the kind of database",
    labels: ["version", "bun", "database"],
  },
  latchkey_workers_serving: { type: "gauge", help: "Processes that answer requests", labels: [] },
  latchkey_workers_configured: { type: "gauge", help: "Processes that should", labels: [] },
  latchkey_http_requests_total: {
    type: "counter",
    help: "Requests that were answered, by the route's name in the OpenAPI document, or unknown",
    labels: ["route", "status"],
  },
  latchkey_http_request_duration_seconds: {
    type: "histogram",
    help: "From a request's headers to its answer",
    labels: ["route"],
    bounds: requestBounds,
  },
  latchkey_verifications_total: {
    type: "counter",
    help: "What verify and forward found",
    labels: ["outcome"],
    values: verificationOutcomes,
  },
  latchkey_sign_ins_total: {
    type: "counter",
    help: "Sign-ins that were tried, by pages and programs",
    labels: ["outcome"],
    values: entryOutcomes,
  },
  latchkey_sign_ups_total: {
    type: "counter",
    help: "Sign-ups that were tried, likewise",
    labels: ["outcome"],
    values: entryOutcomes,
  },
  latchkey_limits_reached_total: {
    type: "counter",
    help: "Requests that a limit refused, and connections that one closed",
    labels: ["limit"],
    values: limitNames,
  },
  latchkey_limit_wait_seconds: {
    type: "histogram",
    help: "How long a limit's count in the database was waited for, other counts before it included",
    labels: [],
    bounds: databaseBounds,
  },
  latchkey_hash_line_waiting: {
    type: "gauge",
    help: "Requests that wait for their turn to hash a password",
    labels: [],
  },
  latchkey_hash_line_wait_seconds: {
    type: "histogram",
    help: "How long those waited that had their turn",
    labels: [],
    bounds: waitBounds,
  },
  latchkey_hash_line_refusals_total: {
    type: "counter",
    help: "Requests that were told to come back, since they would have waited for too long",
    labels: [],
  },
  latchkey_password_lookups_total: {
    type: "counter",
    help: "New passwords that were looked up among those of data breaches; unavailable: taken without an answer",
    labels: ["outcome"],
    values: ["breached", "unknown", "unavailable"],
  },
  latchkey_database_duration_seconds: {
    type: "histogram",
    help: "How long the database was waited for; look-ups of sessions on a server alone, a query with its wait for a connection or the lock",
    labels: ["operation"],
    bounds: databaseBounds,
  },
  latchkey_database_failures_total: {
    type: "counter",
    help: "What the database failed to do",
    labels: ["operation"],
    values: databaseOperations,
  },
  latchkey_sessions_live: {
    type: "gauge",
    help: "Sessions that live, counted now and then; missing where that is not known",
    labels: [],
  },
  latchkey_mails_total: {
    type: "counter",
    help: "Tries to send a mail: sent, deferred, failed for good, or void, since nobody is there who wants it",
    labels: ["outcome"],
    values: mailOutcomes,
  },
  latchkey_mails_waiting: {
    type: "gauge",
    help: "Mails that wait to be sent; there where SMTP_URL is set, and missing where that is not known",
    labels: [],
  },
  latchkey_mails_given_up: {
    type: "gauge",
    help: "Mails that were given up within seven days, likewise",
    labels: [],
  },
  latchkey_mail_oldest_seconds: {
    type: "gauge",
    help: "How long the oldest of those that wait has done so, 0 where none does, likewise",
    labels: [],
  },
  latchkey_log_lines_dropped_total: {
    type: "counter",
    help: "Lines of the log that nobody took",
    labels: [],
  },
  latchkey_backup_last_made_timestamp_seconds: {
    type: "gauge",
    help: "When the newest backup in LATCHKEY_BACKUP_DIR was made, since the epoch",
    labels: [],
  },
  latchkey_backup_size_bytes: { type: "gauge", help: "The size of that one", labels: [] },
  latchkey_backup_failures_total: {
    type: "counter",
    help: "Tries to make one that failed; there where the server makes backups",
    labels: [],
  },
  latchkey_tls_certificate_expiry_timestamp_seconds: {
    type: "gauge",
    help: "When the certificate that is served ends, since the epoch; there where the server speaks https itself",
    labels: [],
  },
  latchkey_tls_certificate_failures_total: {
    type: "counter",
    help: "Orders of a certificate, and new files of one, that came to nothing",
    labels: [],
  },
  process_cpu_seconds_total: {
    type: "counter",
    help: "Processor time, the system's for it included",
    labels: ["process"],
    ofProcess: true,
  },
  process_resident_memory_bytes: {
    type: "gauge",
    help: "Memory that it holds",
    labels: ["process"],
    ofProcess: true,
  },
  process_start_time_seconds: {
    type: "gauge",
    help: "When it began, since the epoch",
    labels: ["process"],
    ofProcess: true,
  },
  process_open_fds: {
    type: "gauge",
    help: "Files and connections that it has open; on Linux",
    labels: ["process"],
    ofProcess: true,
  },
} as const satisfies Record<string, Metric>;

export type MailOutcome = (typeof mailOutcomes)[number];

export type MetricName = keyof typeof metrics;

export const metricList: readonly (Metric & { readonly name: MetricName })[] = Object.entries(metrics).map(
  ([name, metric]) => ({ name: name as MetricName, ...metric }),
);
