import type { Config } from "../config/load.ts";
import { AppError } from "../errors.ts";
import type { Destination } from "./views/sign-in-page.tsx";
import { type RequestFacts, requestTimeoutMs, requireUniqueParameters } from "../http/auth.ts";
import { readBody } from "../http/body.ts";
import { checkCallback, type CallbackRules, resolveCallback } from "../http/callback-url.ts";

/** A request for a page, its form read and its destination known. */
export interface Visit {
  readonly headers: Headers;
  readonly facts: RequestFacts;
  /** The form's fields; none of a GET. */
  readonly fields: Readonly<Record<string, string>>;
  readonly destination: Destination;
  /** Until the answer is due. */
  readonly remainingMs: () => number;
}

/** Reads a request for a page. @throws AppError 400, 408, 413 or 415. */
export type ReadVisit = (request: Request, facts: RequestFacts) => Promise<Visit>;

/** @param now the clock, in ms. */
export function createVisitReader(config: Config, now: () => number): ReadVisit {
  const rules: CallbackRules = {
    defaultRedirectUrl: config.defaultRedirectUrl,
    allowedOrigins: new Set(config.trustedOrigins),
    ownOrigin: config.baseUrl,
  };
  return async (request, facts) => {
    const url = new URL(request.url);
    requireUniqueParameters(url);
    const fields = request.method === "POST" ? await readForm(request) : {};
    const inQuery = url.searchParams.get("callbackUrl");
    const inForm = fields["callbackUrl"];
    if (inQuery !== null && inForm !== undefined) {
      throw new AppError(400, "REPEATED_PARAMETER", "callbackUrl is given twice.");
    }
    const due = now() + requestTimeoutMs;
    return {
      headers: request.headers,
      facts,
      fields,
      destination: destinationOf(inForm ?? inQuery, rules),
      remainingMs: () => Math.max(0, due - now()),
    };
  };
}

function destinationOf(value: string | null, rules: CallbackRules): Destination {
  const chosen = checkCallback(value, rules);
  const url = chosen ?? resolveCallback(null, rules);
  const { origin, host } = new URL(url);
  return {
    url,
    host: origin === rules.ownOrigin ? null : host,
    field: chosen ?? "",
    search: chosen === null ? "" : `?callbackUrl=${encodeURIComponent(chosen)}`,
  };
}

async function readForm(request: Request): Promise<Record<string, string>> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && type !== "application/x-www-form-urlencoded") {
    throw new AppError(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/x-www-form-urlencoded.");
  }
  const body = await readBody(request);
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
