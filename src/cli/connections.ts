import type { Config } from "../config/config.ts";
import { capConnections } from "../connection-cap.ts";
import { createClientAddresses } from "../http/request.ts";
import type { Log } from "../log.ts";

/** Nobody is to take all connections, as nobody is to guess without end. @returns what ends it. */
export function watchConnections(
  { limits, port, tls, trustedProxies, workers }: Config,
  log: Log,
  onClosed: (count: number) => void = () => {},
): () => void {
  if (limits === null) return () => {};
  return capConnections({
    // Of several workers none has the port of plain http.
    ports: [port, ...(workers === 1 && tls?.httpPort ? [tls.httpPort] : [])],
    // The system deals them out to the workers evenly, as good as.
    max: Math.ceil(limits.connections / workers),
    isTrusted: createClientAddresses(trustedProxies).isTrusted,
    onClosed(clientAddress, closed) {
      onClosed(closed);
      log.warn(
        { event: "connections_closed", clientAddress, closed, setting: "LATCHKEY_LIMIT_CONNECTIONS" },
        "an address held too many connections",
      );
    },
  });
}
