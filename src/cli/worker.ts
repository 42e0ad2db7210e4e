import { CommandError, reasonOf } from "../errors.ts";
import { openLog, openLogWriter } from "../log.ts";
import { type Listener, listen, together } from "../server.ts";
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
  const { config, number, supervisor } = await link.start;
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
    const port = listen(config.host, config.port, { sharesPort: true });
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
