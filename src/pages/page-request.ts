import { AppError } from "../errors.ts";
import { requestTimeoutMs } from "../http/auth.ts";
import type { ReadBody } from "../http/body.ts";
import { type CallbackRules, checkCallback, foreignOrigin, resolveCallback } from "../http/callback-url.ts";
import type { LogRefusal } from "../http/refusal-log.ts";
import type { RequestContext } from "../http/request.ts";
import { textsFor } from "./language.ts";
import type { Destination } from "./views/sign-in-page.tsx";
import type { Texts } from "./views/texts.tsx";

/** A request for a page, its form read and its destination known. */
export interface PageRequest {
  readonly context: RequestContext;
  /** The form's fields; none of a GET. */
  readonly fields: Readonly<Record<string, string>>;
  readonly destination: Destination;
  readonly texts: Texts;
  /** Until the answer is due. */
  readonly remainingMs: () => number;
}

/** Reads a request for a page. @throws AppError 400, 408, 413 or 415. */
export type ReadPageRequest = (context: RequestContext) => Promise<PageRequest>;

export interface PageRequestDeps {
  readonly callbackRules: CallbackRules;
  /** The clock, in ms. */
  readonly now: () => number;
  readonly logRefusal: LogRefusal;
  readonly readBody: ReadBody;
}

export function createPageRequestReader({
  callbackRules: rules,
  now,
  logRefusal,
  readBody,
}: PageRequestDeps): ReadPageRequest {
  return async (context) => {
    const fields = context.request.method === "POST" ? await readForm(context, readBody) : {};
    const inQuery = context.url?.searchParams.get("callbackUrl") ?? null;
    const inForm = fields["callbackUrl"];
    if (inQuery !== null && inForm !== undefined)
      throw new AppError("REPEATED_PARAMETER", "callbackUrl is given twice.");
    const asked = inForm ?? inQuery;
    const foreign = foreignOrigin(asked, rules);
    if (foreign !== null) {
      logRefusal({ what: "callback", value: foreign, path: context.path, request: context });
    }
    const due = now() + requestTimeoutMs;
    return {
      context,
      fields,
      destination: destinationOf(asked, rules),
      texts: textsFor(context.request.headers),
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

async function readForm(
  { request, clientAddress }: RequestContext,
  readBody: ReadBody,
): Promise<Record<string, string>> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && type !== "application/x-www-form-urlencoded")
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send application/x-www-form-urlencoded.");
  const body = await readBody(request, clientAddress);
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
