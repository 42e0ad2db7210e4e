import type { Listener } from "../server.ts";
import type { Service } from "../service.ts";
import type { DrainReason } from "../workers/messages.ts";

/** How long requests under way may take once the process is told to end. */
const drainTimeoutMs = 10_000;

export interface Running {
  readonly listener: Listener;
  readonly service: Service;
}

/**
 * Finishes the requests under way, for 10 s at most, and what goes on behind the answers, which may take as long as a
 * database does. @param atOnce ends the waiting, whatever is left.
 */
export async function drain<AtOnce extends string = never>(
  { listener, service }: Running,
  atOnce: Promise<AtOnce> = new Promise<never>(() => {}),
): Promise<DrainReason | AtOnce> {
  const late = Promise.withResolvers<"drain timeout">();
  const timer = setTimeout(() => late.resolve("drain timeout"), drainTimeoutMs);
  const reason = await Promise.race([listener.drain().then(() => "drained" as const), atOnce, late.promise]);
  clearTimeout(timer);
  if (reason !== "drained" && reason !== "drain timeout") return reason;
  const close = async () => {
    await listener.stop();
    await service.close();
    return reason;
  };
  return await Promise.race([close(), atOnce]);
}
