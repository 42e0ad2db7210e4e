import { createLinks, type Link, type Network, networkOf, type RelayOptions } from "./relay.ts";

/** Stands in for Neon's WebSocket proxy: `ws://127.0.0.1:port/v1?address=host:port` relays to PostgreSQL's port. */
export interface NeonRelay extends Network {
  /** For LATCHKEY_NEON_PROXY, without `?address=`. */
  proxyUrl(): string;
  /** Breaks every connection and takes no more. */
  close(): Promise<void>;
}

const maxMessageBytes = 64 * 1024 * 1024;

export async function startNeonRelay(options: RelayOptions = {}): Promise<NeonRelay> {
  const links = createLinks(options);
  const server = Bun.serve<{ readonly port: number; link?: Link }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/v1") return new Response("not found", { status: 404 });
      const port = loopbackPort(searchParams.get("address"));
      if (port === undefined) return new Response("only loopback addresses are relayed", { status: 403 });
      if (self.upgrade(request, { data: { port } })) return undefined;
      return new Response("WebSocket expected", { status: 426 });
    },
    websocket: {
      idleTimeout: 0,
      maxPayloadLength: maxMessageBytes,
      backpressureLimit: maxMessageBytes,
      perMessageDeflate: false,
      open(socket) {
        socket.data.link = links.open(
          {
            write: (bytes) => void socket.sendBinary(bytes),
            end: () => socket.close(),
            terminate: () => socket.terminate(),
          },
          socket.data.port,
        );
      },
      message: (socket, bytes) => socket.data.link?.received(Buffer.from(bytes)),
      close: (socket) => socket.data.link?.closed(),
    },
  });
  return {
    proxyUrl: () => `ws://127.0.0.1:${server.port}/v1`,
    ...networkOf(links),
    async close() {
      links.cut();
      await server.stop(true);
    },
  };
}

/** @returns the port of `127.0.0.1:port` or `localhost:port`; undefined for every other address. */
function loopbackPort(address: string | null): number | undefined {
  const port = Number(/^(?:127\.0\.0\.1|localhost):(\d{1,5})$/.exec(address ?? "")?.[1]);
  return port >= 1 && port <= 65_535 ? port : undefined;
}
