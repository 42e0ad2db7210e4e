import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";

/** Which installation is asked, and by which way. */
export interface OutsidePlace {
  /** Its public address, an origin. */
  readonly url: URL;
  /** Where to connect in place of what the name leads to. */
  readonly connect?: Destination;
  /** As `connect`, for plain http; port 80 of the same host by default. */
  readonly connectPlain?: Destination;
  /** Certificates of a private CA, in PEM. */
  readonly ca?: string;
}

export interface Destination {
  readonly host: string;
  readonly port: number;
}

export interface Answer {
  readonly status: number;
  /** The values in the order in which they came; none for a header that is not there. Names in lower case. */
  all(name: string): readonly string[];
  /** The values joined by a comma, as a browser has them; null for none. */
  header(name: string): string | null;
  /** Of the body, the first 256 KiB; empty where it is compressed. */
  readonly text: string;
  /** When the answer began, and how long it took until then, in ms. */
  readonly at: number;
  readonly tookMs: number;
  /** The connection's two ends, as this machine sees them; empty where unknown. */
  readonly ends: { readonly here: string; readonly there: string };
}

interface Question {
  readonly method?: "GET" | "POST" | "OPTIONS";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Plain http in place of https. */
  readonly plain?: true;
}

/** Asks for a path with its query. @throws Error with the socket's or TLS's `code`. */
export type Ask = (path: string, question?: Question) => Promise<Answer>;

const timeoutMs = 10_000;
const textMaxBytes = 256 * 1024;

/** @param checksCertificate whether an answer under a certificate that no browser takes is none. @param now the clock, in ms. */
export function createAsk(place: OutsidePlace, checksCertificate: boolean, now: () => number): Ask {
  const { url, connect, connectPlain, ca } = place;
  return (path, { method = "GET", headers = {}, body, plain } = {}) =>
    new Promise((resolve, reject) => {
      const isSecure = url.protocol === "https:" && plain !== true;
      const bytes = body === undefined ? undefined : Buffer.from(body);
      const to =
        plain === true
          ? (connectPlain ?? { ...destinationOf(place), port: 80 })
          : (connect ?? destinationOf(place));
      const options = {
        host: to.host,
        port: to.port,
        path,
        method,
        agent: false as const,
        timeout: timeoutMs,
        headers: {
          host: plain === true ? url.hostname : url.host,
          connection: "close",
          "user-agent": "latchkey doctor",
          ...(bytes === undefined ? {} : { "content-length": String(bytes.length) }),
          ...headers,
        },
        ...(isSecure
          ? {
              ...serverName(url),
              rejectUnauthorized: checksCertificate,
              ...(ca === undefined ? {} : { ca }),
            }
          : {}),
      };
      const begun = now();
      const sent = (isSecure ? requestSecure : requestPlain)(options, (incoming) => {
        const at = now();
        const { localAddress: here = "", remoteAddress: there = "" } = incoming.socket;
        const ends = { here, there };
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on("data", (chunk: Buffer) => {
          if (size < textMaxBytes) chunks.push(chunk);
          size += chunk.length;
        });
        incoming.on("error", reject);
        incoming.on("end", () => {
          const pairs = Array.from({ length: incoming.rawHeaders.length / 2 }, (_, pair) => [
            (incoming.rawHeaders[2 * pair] ?? "").toLowerCase(),
            incoming.rawHeaders[2 * pair + 1] ?? "",
          ]);
          const all = (name: string) =>
            pairs.flatMap(([known, value = ""]) => (known === name ? [value] : []));
          const header = (name: string) => (all(name).length === 0 ? null : all(name).join(", "));
          const text = header("content-encoding") === null ? Buffer.concat(chunks).toString("utf8") : "";
          resolve({ status: incoming.statusCode ?? 0, all, header, text, at, tookMs: at - begun, ends });
        });
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      sent.on("error", reject);
      sent.end(bytes);
    });
}

/** Where the public address leads to. */
export function destinationOf({ url }: Pick<OutsidePlace, "url">): Destination {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  return { host: bareHost(url), port };
}

/** A host without the brackets of an IPv6 address. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** What TLS asks for; an address is no name that a server could be asked for. */
export function serverName(url: URL): { readonly servername?: string } {
  const host = bareHost(url);
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}
