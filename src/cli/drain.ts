import type { Listener } from "../server.ts";
import type { DrainReason } from "../workers/messages.ts";

/** How long requests under way may take once the process is told to end. */
const drainTimeoutMs = 10_000;

/** Finishes the requests under way, for 10 s at most, and cuts what is left. */
export async function drain(listener: Listener): Promise<DrainReason> {
  const late = Promise.withResolvers<"drain timeout">();
  const timer = setTimeout(() => late.resolve("drain timeout"), drainTimeoutMs);
  const reason = await Promise.race([listener.drain().then(() => "drained" as const), late.promise]);
  clearTimeout(timer);
  await listener.stop();
  return reason;
}
