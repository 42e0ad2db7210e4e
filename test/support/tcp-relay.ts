import type { Socket } from "bun";
import {
  createLinks,
  createSocketWriter,
  type Link,
  type Network,
  networkOf,
  type RelayOptions,
  type SocketWriter,
} from "./relay.ts";

/** Listens on 127.0.0.1 and relays to another port there, e.g. PostgreSQL behind a slow network. */
export interface TcpRelay extends Network {
  readonly port: number;
  /** Breaks every connection and takes no more. */
  close(): Promise<void>;
}

export interface TcpRelayOptions extends RelayOptions {
  readonly targetPort: number;
}

interface Connection {
  readonly writer: SocketWriter;
  readonly link: Link;
}

export async function startTcpRelay({ targetPort, ...options }: TcpRelayOptions): Promise<TcpRelay> {
  const links = createLinks(options);
  const connections = new WeakMap<Socket, Connection>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        const writer = createSocketWriter();
        writer.attach(socket);
        connections.set(socket, { writer, link: links.open(writer, targetPort) });
      },
      data: (socket, bytes) => connections.get(socket)?.link.received(bytes),
      drain: (socket) => connections.get(socket)?.writer.flush(),
      close: (socket) => connections.get(socket)?.link.closed(),
      error: () => {},
    },
  });
  return {
    port: listener.port,
    ...networkOf(links),
    async close() {
      listener.stop(true);
      links.cut();
    },
  };
}
