import type { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import { nameFields, type RequestName } from "./request.ts";

const intervalMs = 1_000;

/** Writes a 5xx to the log, with its cause. */
export type LogFailure = (error: AppError, request: RequestName) => void;

/** An error is a line of its own; being too busy is one line a second with how many it concerned. */
export function createFailureLog(log: Log): LogFailure {
  let refused = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = () => {
    timer = undefined;
    if (refused === 0) return;
    log.warn({ code: "TOO_BUSY", refused }, "too many passwords to hash: requests were refused");
    refused = 0;
    timer = setTimeout(tell, intervalMs);
    timer.unref();
  };
  return ({ code, cause }, request) => {
    if (code !== "TOO_BUSY") return log.error({ ...nameFields(request), code, cause }, "request failed");
    refused += 1;
    if (timer === undefined) tell();
  };
}
