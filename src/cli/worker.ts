import type { Config } from "../config/config.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { type Log, openLog, openLogWriter } from "../log.ts";
import { type KeyPair, type Listener, listen, together } from "../server.ts";
import { openService, type Service } from "../service.ts";
import { listenOnSocket } from "../unix-socket.ts";
import { endWithParent } from "../workers/parent-end.ts";
import { openSupervisorLink, type SupervisorLink } from "../workers/supervisor-link.ts";
import { type Command, exitStatus } from "./command.ts";
import { watchConnections } from "./connections.ts";
import { drain } from "./drain.ts";
import { ignoreSignals, logStrays } from "./signals.ts";

const flushTimeoutMs = 500;

/** Serves one part of the connections, for the supervisor that started this process and for as long as it lives. */
export const worker: Command = async ({ version }) => {
  const link = openSupervisorLink();
  ignoreSignals();
  endWithParent();
  const gone = link.closed.then(() => exitStatus.failed);
  return await Promise.race([gone, serveUntilDrained(link, version)]);
};

async function serveUntilDrained(link: SupervisorLink, version: string): Promise<number> {
  const { config, number, supervisor, certificate } = await link.start;
  // It ended before its end could be noticed.
  if (process.ppid !== supervisor) return exitStatus.failed;
  const writer = openLogWriter({ format: "json" });
  const base = { worker: number, pid: process.pid };
  const log = openLog({ level: config.logLevel, format: "json", base }, writer);
  logStrays(log);
  let service: Service;
  let listener: Listener;
  try {
    process.umask(0o077);
    const { line, inTurn, readiness, figures } = link;
    const shared = { line, inTurn, readiness, figures };
    const { droppedLines } = writer;
    service = await openService({ config, log, version, now: Date.now, shared, droppedLines });
    link.answerLooks(service.readiness);
    if (service.counted !== null) link.answerCounts(service.counted, `worker-${number}`);
    // Not before it can answer: others may be serving, and have no use for a part that answers 503.
    const port =
      config.tls === null
        ? listen(config.host, config.port, { sharesPort: true })
        : await listenSecurely(config, link, certificate, log);
    listener = config.socket === null ? port : together(port, listenOnSocket(config.socket));
    listener.serve(service.front);
  } catch (error) {
    const remedy = error instanceof CommandError ? error.remedy : "latchkey doctor";
    link.send({ kind: "failed", message: reasonOf(error), remedy });
    await writer.flush(flushTimeoutMs);
    // The supervisor ends it once it has heard of that.
    await link.closed;
    return exitStatus.failed;
  }
  link.send({ kind: "listening" });
  const stopCapping = watchConnections(config, log, service.counted?.closedConnections);
  await link.draining;
  stopCapping();
  const reason = await drain(listener);
  // What it has counted stays in the sum of all.
  if (service.counted !== null) link.tellFigures();
  link.send({ kind: "drained", reason });
  await link.closing;
  await service.close();
  await writer.flush(flushTimeoutMs);
  return exitStatus.ok;
}

/** Speaks TLS by what the supervisor hands on; not at all while there is nothing. */
async function listenSecurely(
  { host, port }: Config,
  link: SupervisorLink,
  certificate: KeyPair | null,
  log: Log,
): Promise<Listener> {
  const { createSecureListener } = await import("../tls/secure-listener.ts");
  const listener = createSecureListener({ hostname: host, port, sharing: "workers" });
  if (certificate !== null) listener.use(certificate);
  link.onCertificate((next) => {
    try {
      listener.use(next);
    } catch (cause) {
      log.error({ cause }, "a worker cannot serve the new certificate; it goes on with the one from before");
    }
  });
  return listener;
}
