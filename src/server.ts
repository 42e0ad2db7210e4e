import type { Server } from "bun";
import type { Front } from "./front.ts";
import { AppError, CommandError } from "./errors.ts";
import { errorResponse, publicError } from "./http/error-response.ts";

/**
 * How long a connection stays on which nothing more is asked, or nothing of an answer read. Longer than nginx (60 s) and
 * Caddy (120 s) keep a connection, or they would send requests into closed ones. A first header has Bun's 10 s.
 */
const idleTimeoutDefaultSeconds = 240;
/** Bun's own 413 has an empty body; bodies are counted in the application. */
const parserBodyMaxBytes = 64 * 1024 * 1024;

export interface Listener {
  readonly url: string;
  readonly port: number;
  /** Puts what answers in place of the 503 until then. */
  serve(front: Front): void;
  /** Takes no new connection and resolves when the requests under way are answered. */
  drain(): Promise<void>;
  /** Cuts what is left. */
  stop(): Promise<void>;
}

/** What every server of latchkey's is given. */
export function serverOptions(idleTimeoutSeconds = idleTimeoutDefaultSeconds) {
  return {
    maxRequestBodySize: parserBodyMaxBytes,
    development: false,
    error: () => errorResponse(publicError(undefined)),
    idleTimeout: idleTimeoutSeconds,
  };
}

/** A certificate in PEM, those that lead to its root behind it, and its key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface ListenOptions {
  /** What TLS is spoken with, 1.2 at the least; plain http without it. */
  readonly tls?: KeyPair;
  /** Whether other processes of this user may listen on the port too, and each gets its part of the connections. */
  readonly sharesPort?: boolean;
  readonly idleTimeoutSeconds?: number;
  /** Which setting names address and port; `HOST` and `PORT` by default. */
  readonly setting?: string;
}

/** Takes the port at once, so that a port in use is known before anything else is touched. @throws CommandError. */
export function listen(
  hostname: string,
  port: number,
  { sharesPort = false, idleTimeoutSeconds, setting, tls }: ListenOptions = {},
): Listener {
  const options = serverOptions(idleTimeoutSeconds);
  let server: Server<undefined>;
  try {
    server = Bun.serve({
      ...options,
      hostname,
      port,
      // Bun turns SO_REUSEPORT on outside development: a second server would start and take half of the requests.
      reusePort: sharesPort,
      ...(tls === undefined ? {} : { tls: { ...tls } }),
      fetch: starting,
    });
  } catch (cause) {
    throw listenError(hostname, port, cause, setting);
  }
  const bound = server.port ?? port;
  return {
    url: urlOf(hostname, bound, tls !== undefined),
    port: bound,
    serve({ fetch, routes }) {
      server.reload({ ...options, fetch, routes });
    },
    drain: () => server.stop(false),
    stop: () => server.stop(true),
  };
}

/** One listener that is several. */
export function together(first: Listener, ...others: readonly Omit<Listener, "url" | "port">[]): Listener {
  const all = [first, ...others];
  return {
    ...first,
    serve(front) {
      for (const one of all) one.serve(front);
    },
    drain: async () => void (await Promise.all(all.map((one) => one.drain()))),
    stop: async () => void (await Promise.all(all.map((one) => one.stop()))),
  };
}

export function urlOf(hostname: string, port: number, isSecure = false): string {
  return `${isSecure ? "https" : "http"}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** The answer until there is an application. */
export function starting(): Response {
  return errorResponse(
    new AppError("STARTING", "The server is starting. Try again shortly.", {
      headers: { "Retry-After": "1" },
    }),
  );
}

function listenError(
  hostname: string,
  port: number,
  cause: unknown,
  setting: string | undefined,
): CommandError {
  const code = (cause as { code?: unknown }).code;
  if (code === "EADDRINUSE") {
    return new CommandError(
      `port ${port} on ${hostname} is in use`,
      `stop what listens there, or set ${setting ?? "PORT"} to another one`,
      { cause },
    );
  }
  if (code === "EACCES") {
    return new CommandError(
      `port ${port} may not be opened by this user`,
      `set ${setting ?? "PORT"} to one above 1023, or give the right to lower ones: AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or setcap cap_net_bind_service=+ep ${process.execPath}`,
      { cause },
    );
  }
  return new CommandError(
    `cannot listen on ${hostname}:${port}`,
    `set ${setting ?? "HOST"} to an address of this machine`,
    {
      cause,
    },
  );
}
