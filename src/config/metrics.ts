import type { ConfigDeps, MetricsConfig, MetricsListen } from "./config.ts";
import { isLoopbackHost, parseListenHost } from "./listen.ts";
import { accepted, parseInteger, type Parsed, quote, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";
import { weaknessOf } from "./secret-strength.ts";
import { parseSocketPath } from "./socket.ts";

const [listenName, tokenName] = ["LATCHKEY_METRICS_LISTEN", "LATCHKEY_METRICS_TOKEN"] as const;
const example = "write 127.0.0.1:9464, or unix:/run/latchkey/metrics.sock";

/** Reads LATCHKEY_METRICS_LISTEN and LATCHKEY_METRICS_TOKEN; null where nobody wants figures. */
export function readMetrics(
  reader: ConfigReader,
  { platform }: Pick<ConfigDeps, "platform">,
): MetricsConfig | null {
  const listen = readParsed<MetricsListen | null>(reader, listenName, null, parseMetricsListen, showListen);
  const entry = reader.secretEntry(tokenName);
  const weakness = entry === undefined ? null : weaknessOf(entry.text);
  if (entry !== undefined && weakness !== null)
    reader.reject(entry.variable, weakness, "generate one: latchkey secret");
  // RFC 6750 §2.1: what `Authorization` can carry behind `Bearer`.
  else if (entry !== undefined && !/^[A-Za-z0-9._~+/-]+=*$/.test(entry.text))
    reader.reject(entry.variable, "has characters that no bearer token has", "generate one: latchkey secret");
  reader.record(tokenName, entry === undefined ? "" : "********", entry);
  if (listen !== null && "path" in listen && platform === "win32")
    reader.reject(listenName, "is not for Windows as a Unix socket", "write 127.0.0.1:9464");
  const isOpen = listen !== null && "host" in listen && !isLoopbackHost(listen.host);
  if (isOpen && entry === undefined && !reader.isRejected(tokenName))
    reader.reject(
      listenName,
      `others than this machine reach ${quote(showListen(listen))}, and there is no ${tokenName}`,
      `set ${tokenName} (generate one: latchkey secret), or write 127.0.0.1:${listen.port}`,
    );
  if (isOpen && listen.port === 0)
    reader.reject(listenName, "port 0 (any free port) is for loopback only", "write a port from 1 to 65535");
  return listen === null && entry === undefined ? null : { listen, token: entry?.text ?? null };
}

function parseMetricsListen(text: string): Parsed<MetricsListen> {
  if (text.startsWith("unix:")) {
    const path = parseSocketPath(text, example);
    return path.ok ? accepted({ path: path.value }) : path;
  }
  const [, bracketed, plain, digits = ""] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return refused(`${quote(text)} is no address with a port`, example);
  const host = parseListenHost(address);
  if (!host.ok) return refused(host.reason, example);
  const port = parseInteger(digits, 0, 65_535);
  return port.ok ? accepted({ host: host.value, port: port.value }) : port;
}

function showListen(listen: MetricsListen | null): string {
  if (listen === null) return "";
  if ("path" in listen) return `unix:${listen.path}`;
  return `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
}
