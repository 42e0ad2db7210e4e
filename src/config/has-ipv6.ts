/** Whether this machine has IPv6, tried by a free port on its own address: EAFNOSUPPORT and EADDRNOTAVAIL say no. */
export function hasIpv6(): boolean {
  try {
    Bun.listen({ hostname: "::1", port: 0, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
