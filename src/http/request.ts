import type { Server } from "bun";
import ipaddr from "ipaddr.js";
import { AppError } from "../errors.ts";
import { findRoute, type NamedRoute, withoutTrailingSlash } from "../routes.ts";
import type { SessionReading } from "../session/get-session.ts";

/** What the server knows of a request beyond its bytes, found out once. */
export interface RequestContext {
  readonly request: Request;
  /** Its URL; null where the target is none. */
  readonly url: URL | null;
  /** Without its trailing slash; empty where the target is no URL. */
  readonly path: string;
  readonly route: NamedRoute | undefined;
  /** Of the answer and the log. */
  readonly requestId: string;
  /** W3C Trace Context's, of a trusted proxy: for the log. */
  readonly traceparent: string | undefined;
  readonly clientAddress: string;
  /** Whether the peer is a trusted proxy, whose `X-Forwarded-*` may be believed. */
  readonly fromProxy: boolean;
  /** What the fast path has found out about the session; undefined when it was not asked. */
  readonly reading: SessionReading | undefined;
}

/** Knows the addresses that requests come from. */
export type Peers = Pick<Server<undefined>, "requestIP">;
export type DescribeRequest = (request: Request, peers: Peers, reading?: SessionReading) => RequestContext;

/** @param trustedProxies CIDRs, e.g. `10.0.0.0/8`, `::1/128`. */
export function createRequestDescription(
  trustedProxies: readonly string[],
  nextRequestId: () => string,
): DescribeRequest {
  const addresses = createClientAddresses(trustedProxies);
  return (request, peers, reading) => {
    const peer = peers.requestIP(request)?.address ?? "";
    const url = URL.canParse(request.url) ? new URL(request.url) : null;
    const path = url === null ? "" : withoutTrailingSlash(url.pathname);
    const inbound = request.headers.get("x-request-id");
    const traceparent = request.headers.get("traceparent");
    const fromProxy = addresses.isTrusted(peer);
    return {
      request,
      url,
      path,
      route: findRoute(path),
      requestId: inbound !== null && fromProxy && isRequestId(inbound) ? inbound : nextRequestId(),
      traceparent: traceparent !== null && fromProxy && isTraceparent(traceparent) ? traceparent : undefined,
      clientAddress: addresses.resolve(peer, request.headers.get("x-forwarded-for")),
      fromProxy,
      reading,
    };
  };
}

const hostPattern = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Whether a request says, once and readably, which host it is for; two Host headers arrive joined by a comma. */
export function isHost(host: string | null): boolean {
  return host !== null && hostPattern.test(host);
}

/** Whether somebody looks at the answer in a browser, and not a script or a program. */
export function opensPage(headers: Headers): boolean {
  if ((headers.get("sec-fetch-mode") ?? "navigate") !== "navigate") return false;
  return /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(headers.get("accept") ?? "");
}

/** @throws AppError 400 when a parameter stands twice in the query. */
export function requireUniqueParameters({ url }: RequestContext): void {
  const names = [...(url?.searchParams.keys() ?? [])];
  if (new Set(names).size < names.length)
    throw new AppError("REPEATED_PARAMETER", "A parameter is given twice.");
}

/** Whether an inbound request id may be kept. */
export function isRequestId(value: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(value);
}

/** Whether a header is a trace's, https://www.w3.org/TR/trace-context/ §3.2: of a later version it may have more fields. */
function isTraceparent(value: string): boolean {
  const [, version, rest = ""] =
    /^([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}((?:-[\x21-\x7e]{1,100})?)$/.exec(
      value,
    ) ?? [];
  return version !== undefined && version !== "ff" && (version !== "00" || rest === "");
}

/** How a request is called in the log. */
export type RequestName = Pick<RequestContext, "requestId" | "traceparent">;

/** The fields of a line about a request. */
export function nameFields({ requestId, traceparent }: RequestName): Readonly<Record<string, string>> {
  return traceparent === undefined ? { requestId } : { requestId, traceparent };
}

/** Makes request ids that are unique across processes and cost next to nothing: a random prefix and a counter. */
export function createRequestIds(): RequestIds {
  const prefix = crypto.randomUUID().slice(0, 13);
  let count = 0;
  return { next: () => `${prefix}-${(count++).toString(36)}`, given: () => count };
}

export interface RequestIds {
  readonly next: () => string;
  /** How many there have been: one a request. */
  readonly given: () => number;
}

/** The address of a peer that cannot be parsed. */
const unknownAddress = "0.0.0.0";
/** Stands for whoever is connected by the Unix socket: who may be is the socket's own to say. */
const socketPeer = "unix:";
const thisMachine = ipaddr.parse("127.0.0.1");

/** The peers of a Unix socket, which have no address. */
export const socketPeers: Peers = {
  requestIP: () => ({ address: socketPeer, family: "IPv4", port: 0 }),
};

export interface ClientAddresses {
  /** Whether a peer is one of our own proxies, whose headers may be believed; whoever comes by the Unix socket is. */
  isTrusted(peer: string): boolean;
  /**
   * The client's address: the peer's, or, behind trusted proxies, the right-most hop of `X-Forwarded-For` that is not
   * one of them. IPv4 in IPv6 is written as IPv4. A peer of the Unix socket that names nobody is this machine.
   */
  resolve(peer: string, forwardedFor: string | null): string;
}

/** @param trustedProxies CIDRs. */
export function createClientAddresses(trustedProxies: readonly string[]): ClientAddresses {
  const ranges = trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr));
  const isTrustedAddress = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
    ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
  return {
    isTrusted: (peer) =>
      peer === socketPeer ||
      (ranges.length > 0 && ipaddr.isValid(peer) && isTrustedAddress(ipaddr.process(peer))),
    resolve(peer, forwardedFor) {
      const isLocal = peer === socketPeer;
      if (!isLocal && !ipaddr.isValid(peer)) return unknownAddress;
      let address = isLocal ? thisMachine : ipaddr.process(peer);
      if (forwardedFor === null || (!isLocal && ranges.length === 0)) return address.toString();
      const hops = forwardedFor.split(",");
      for (let isProxy = isLocal || isTrustedAddress(address); isProxy; isProxy = isTrustedAddress(address)) {
        const hop = hops.pop()?.trim();
        // A hop that is no address was not written by a proxy of ours: stop at the last one that is known.
        if (hop === undefined || !ipaddr.isValid(hop)) break;
        address = ipaddr.process(hop);
      }
      return address.toString();
    },
  };
}
