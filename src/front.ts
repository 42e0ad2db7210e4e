import type { Config } from "./config/config.ts";
import { createFastPath, type FastRoutes, type Respond } from "./http/fast-path.ts";
import { securityHeaders } from "./http/headers.ts";
import { live } from "./http/health.ts";
import { createRequestIds, type Peers, type RequestIds } from "./http/request.ts";
import { type AnswerVerify, createVerifyAnswer } from "./http/verify.ts";
import type { Log } from "./log.ts";
import type { ReadSession } from "./session/get-session.ts";
import type { Verify } from "./session/verifier.ts";

/** What the application has from here, so that both answer alike. */
export interface Shared {
  readonly answerVerify: AnswerVerify;
  readonly requestIds: RequestIds;
  /** Headers that every answer carries. */
  readonly fixedHeaders: Readonly<Record<string, string>>;
}

export interface FrontDeps {
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  readonly verify: Verify;
  readonly readSession: ReadSession;
  readonly health: () => Promise<Response>;
  /** Loads the application, for the first request that needs it. */
  readonly load: (shared: Shared) => Promise<Respond>;
}

/** What `Bun.serve` is given. */
export interface Front {
  readonly fetch: (request: Request, peers: Peers) => Promise<Response>;
  /** What answers before `fetch`, where the request is plain. */
  readonly routes: FastRoutes;
}

/**
 * Builds what stands before the application: verify, get-session and health answer by themselves; the first request for anything
 * else has the application loaded, which a start does not wait for.
 */
export function createFront(deps: FrontDeps): Front {
  const { config, log } = deps;
  const requestIds = createRequestIds();
  const fixedHeaders = securityHeaders(config.secure);
  const answerVerify = createVerifyAnswer({
    verify: deps.verify,
    sessionMaxAgeSeconds: config.sessionMaxAgeSeconds,
    readsBearer: config.bearer === "signed",
    fixedHeaders,
    onFailure: (cause, requestId) =>
      log.error({ requestId, code: "SESSION_STORE_UNAVAILABLE", cause }, "session lookup failed"),
  });
  let loading: Promise<Respond> | undefined;
  const load = async (): Promise<Respond> => {
    try {
      return await deps.load({ answerVerify, requestIds, fixedHeaders });
    } catch (cause) {
      // Whoever asks next has it tried again.
      loading = undefined;
      log.error({ cause }, "the application could not be loaded");
      throw cause;
    }
  };
  const respond: Respond = async (request, peers, reading) => {
    loading ??= load();
    return await (await loading)(request, peers, reading);
  };
  const routes = createFastPath({
    answerVerify,
    readSession: deps.readSession,
    health: deps.health,
    live: () => live(deps.version),
    nextRequestId: requestIds.next,
    fixedHeaders,
    keepsRequestIds: config.trustedProxies.length > 0 || config.socket !== null,
    respond,
  });
  return { fetch: (request, peers) => respond(request, peers), routes };
}
