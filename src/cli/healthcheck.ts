import type { Config } from "../config/config.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { loadPartialConfig } from "../doctor/partial-config.ts";
import { CommandError } from "../errors.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { settingsAt } from "./place.ts";

interface HealthcheckOptions extends Place {
  readonly url?: URL;
  readonly timeout: number;
}

/** Where to ask, in turn, and by which name where the server speaks https itself. */
export interface Targets {
  readonly targets: readonly string[];
  readonly serverName?: string;
}

/** Asks the server for its readiness. @throws CommandError on any answer but 200, and on none in time. */
export const healthcheck: Command<HealthcheckOptions> = async (context, { json, url, timeout, ...place }) => {
  const { stdout } = context;
  if (url !== undefined && Object.keys(place).length > 0)
    throw new CommandError("--url names a server, and so does the other option", "keep one of them");
  const { targets, serverName } =
    url === undefined
      ? configuredTargets(settingsAt(context, place).loadConfig)
      : { targets: [healthUrl(url)] };
  const deadline = AbortSignal.timeout(timeout);
  let failure: unknown;
  for (const target of targets) {
    try {
      await requireReady(target, deadline, timeout, serverName);
      stdout(json ? JSON.stringify({ status: "ok", url: target }) : `${target} is ready`);
      return exitStatus.ok;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
};

/** Where the server listens, even while something else in the configuration is wrong. */
function configuredTargets(loadConfig: CommandContext["loadConfig"]): Targets {
  const { loaded } = loadPartialConfig(loadConfig);
  const { host = "127.0.0.1", port = 3001, tls = null, baseUrl = "" } = loaded?.config ?? {};
  return healthTargets({ host, port, tls, baseUrl }, "latchkey healthcheck --url");
}

/**
 * Where a server on this machine tells whether it is ready.
 * @param remedy what takes a URL, where only the server's log has it. @throws CommandError there.
 */
export function healthTargets(
  { host, port, tls, baseUrl }: Pick<Config, "host" | "port" | "tls" | "baseUrl">,
  remedy: string,
): Targets {
  const scheme = tls === null ? "http" : "https";
  if (port === 0) {
    throw new CommandError(
      "PORT is 0, so only the server's log says which port it took",
      `${remedy} ${scheme}://127.0.0.1:PORT`,
    );
  }
  const targets = loopbackOf(host).map((address) => {
    const name = address.includes(":") ? `[${address}]` : address;
    return healthUrl(new URL(`${scheme}://${name}:${port}`));
  });
  return tls === null ? { targets } : { targets, serverName: new URL(baseUrl).hostname };
}

/** A wildcard is no address to call. Every IPv6 interface is usually every IPv4 one too, and ::1 may be missing. */
function loopbackOf(host: string): readonly string[] {
  if (host === "0.0.0.0") return ["127.0.0.1"];
  return /^[0:]+$/.test(host) ? ["127.0.0.1", "::1"] : [host];
}

/** What is asked of a server that an option names. */
export function healthUrl(url: URL): string {
  return url.protocol !== "unix:" && url.pathname === "/" ? new URL("/health", url).href : url.href;
}

async function requireReady(
  url: string,
  signal: AbortSignal,
  timeoutMs: number,
  serverName: string | undefined,
): Promise<void> {
  let status: number;
  let body: string;
  try {
    ({ status, body } = await askHealth(url, signal, serverName));
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const reason = signal.aborted
      ? `did not answer within ${timeoutMs} ms`
      : `cannot be reached${typeof code === "string" ? ` (${code})` : ""}`;
    throw new CommandError(`${url} ${reason}`, "latchkey doctor", { cause });
  }
  if (status === 200) return;
  throw new CommandError(`${url} answered ${status}${unavailable(body)}`, "latchkey doctor");
}

/** Asks one of `Targets`. @throws where nothing answers. */
export async function askHealth(
  url: string,
  signal: AbortSignal,
  serverName: string | undefined,
): Promise<{ status: number; body: string }> {
  // This machine's own server, by an address that no certificate names; doctor says what is wrong with one.
  const tls = serverName === undefined ? {} : { tls: { serverName, rejectUnauthorized: false } };
  const { protocol, pathname } = new URL(url);
  const response =
    protocol === "unix:"
      ? await fetch("http://localhost/health", {
          signal,
          redirect: "manual",
          unix: decodeURIComponent(pathname),
        })
      : await fetch(url, { signal, redirect: "manual", ...tls });
  return { status: response.status, body: await response.text() };
}

/** Names the checks that fail: `: database unavailable`. */
function unavailable(body: string): string {
  try {
    const { checks } = JSON.parse(body) as { checks?: Record<string, { status?: unknown }> };
    const failing = Object.entries(checks ?? {})
      .filter(([, { status }]) => status !== "ok")
      .map(([name, { status }]) => `${name} ${String(status)}`);
    return failing.length === 0 ? "" : `: ${failing.join(", ")}`;
  } catch {
    // Some other server's answer; its status says enough.
    return "";
  }
}
