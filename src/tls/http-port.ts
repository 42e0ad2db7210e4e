import type { Front } from "../front.ts";
import { AppError } from "../errors.ts";
import { errorResponse } from "../http/error-response.ts";
import { type Listener, listen } from "../server.ts";

const challengePath = "/.well-known/acme-challenge/";
const idleTimeoutSeconds = 10;

/** What a certificate authority asks for: answers by their tokens (RFC 8555 §8.3). */
type Challenges = ReadonlyMap<string, string>;

export interface HttpPortOptions {
  /** Where everybody is led. */
  readonly baseUrl: string;
  readonly challenges: Challenges;
  /** Whether https is there to be led to. */
  readonly isSecured: () => boolean;
}

/** Listens for plain http, and leads to https. @throws CommandError. */
export function listenForHttp(hostname: string, port: number, options: HttpPortOptions): Listener {
  const listener = listen(hostname, port, { idleTimeoutSeconds, setting: "LATCHKEY_HTTP_PORT" });
  listener.serve(createHttpFront(options));
  return listener;
}

/**
 * Leads GET and HEAD to the same path of the public origin, whatever `Host` says. Anything else is refused: what it carries has been
 * readable on its way, and whoever sent it must learn that.
 */
function createHttpFront({ baseUrl, challenges, isSecured }: HttpPortOptions): Front {
  const answer = (request: Request): Response => {
    const url = URL.canParse(request.url) ? new URL(request.url) : null;
    const path = url?.pathname ?? "/";
    const isRead = request.method === "GET" || request.method === "HEAD";
    const asked = path.startsWith(challengePath)
      ? challenges.get(path.slice(challengePath.length))
      : undefined;
    if (asked !== undefined && isRead)
      return new Response(asked, { headers: { "Content-Type": "text/plain" } });
    if (path.startsWith(challengePath))
      return errorResponse(new AppError("NOT_FOUND", "There is no such challenge."));
    if (!isRead)
      return errorResponse(
        new AppError("HTTPS_REQUIRED", `Only https is spoken here, at ${baseUrl}; nothing was done.`),
      );
    if (!isSecured())
      return errorResponse(
        new AppError("STARTING", "The server waits for its certificate. Try again shortly.", {
          headers: { "Retry-After": "10" },
        }),
      );
    const location = `${baseUrl}${path}${url?.search ?? ""}`;
    return new Response(null, { status: 308, headers: { Location: location } });
  };
  const fetch = (request: Request) => {
    const response = answer(request);
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Referrer-Policy", "no-referrer");
    if (response.status !== 308) response.headers.set("Cache-Control", "no-store");
    return Promise.resolve(response);
  };
  return { fetch, routes: {} };
}
