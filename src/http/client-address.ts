import ipaddr from "ipaddr.js";

/** The address of the peer that a socket reports; what cannot be parsed counts as unknown. */
const unknownAddress = "0.0.0.0";

export interface ClientAddresses {
  /** Whether a peer is one of our own proxies, whose headers may be believed. */
  isTrusted(peer: string): boolean;
  /**
   * The client's address: the peer's, or, behind trusted proxies, the right-most hop of `X-Forwarded-For` that is not
   * one of them. IPv4 in IPv6 is written as IPv4.
   */
  resolve(peer: string, forwardedFor: string | null): string;
}

/** @param trustedProxies CIDRs, e.g. `10.0.0.0/8`, `::1/128`. */
export function createClientAddresses(trustedProxies: readonly string[]): ClientAddresses {
  const ranges = trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr));
  const isTrustedAddress = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
    ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
  return {
    isTrusted: (peer) => ranges.length > 0 && ipaddr.isValid(peer) && isTrustedAddress(ipaddr.process(peer)),
    resolve(peer, forwardedFor) {
      if (!ipaddr.isValid(peer)) return unknownAddress;
      let address = ipaddr.process(peer);
      if (ranges.length === 0 || forwardedFor === null) return address.toString();
      const hops = forwardedFor.split(",");
      while (isTrustedAddress(address)) {
        const hop = hops.pop()?.trim();
        // A hop that is no address was not written by a proxy of ours: stop at the last one that is known.
        if (hop === undefined || !ipaddr.isValid(hop)) break;
        address = ipaddr.process(hop);
      }
      return address.toString();
    },
  };
}
