import { type ParsedResponse, parseResponse } from "./response.ts";

/** One keep-alive connection that has one request under way at the most. */
export interface Connection {
  /** When the request under way was due, in `performance.now()` ms. */
  dueAt: number;
  readonly send: (request: Uint8Array, dueAt: number) => void;
  readonly close: () => void;
}

export interface ConnectionEvents {
  /** An answer; `response` is only good during the call. */
  readonly answered: (connection: Connection, response: ParsedResponse) => void;
  /** The server closed, or an answer could not be read. */
  readonly broke: (connection: Connection, reason: string) => void;
}

/** Connects to `http://address:port` and resolves once connected. */
export async function openConnection(url: string, events: ConnectionEvents): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const response: ParsedResponse = { status: 0, bodyLength: 0 };
  let partial: Buffer | undefined;
  let unsent: Uint8Array | undefined;
  let closing = false;
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_socket, chunk) {
        const bytes = partial === undefined ? chunk : Buffer.concat([partial, chunk]);
        if (!parseResponse(bytes, response)) {
          partial = bytes;
          return;
        }
        partial = undefined;
        events.answered(connection, response);
      },
      drain: () => write(unsent),
      close() {
        if (!closing) events.broke(connection, "closed by the server");
        closing = true;
      },
      error(_socket, error) {
        closing = true;
        events.broke(connection, error.message);
        socket.terminate();
      },
    },
  });
  const write = (bytes: Uint8Array | undefined) => {
    if (bytes === undefined) return;
    const written = Math.max(0, socket.write(bytes));
    unsent = written < bytes.length ? bytes.subarray(written) : undefined;
  };
  const connection: Connection = {
    dueAt: 0,
    send(request, dueAt) {
      connection.dueAt = dueAt;
      write(request);
    },
    close() {
      closing = true;
      socket.end();
    },
  };
  return connection;
}
