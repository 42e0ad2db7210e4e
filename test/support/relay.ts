import type { Socket } from "bun";
import { createDelayLine, type DelayLine, type Sink } from "./delay-line.ts";

/** What a network between the server and its database can do. */
export interface Network {
  /** Breaks every connection at once; new ones are let through. */
  readonly cut: () => void;
  /** Breaks the connection on which the server next says something, which does not arrive: it dies in mid-request. */
  readonly cutNext: () => void;
  /** Breaks each connection on which latchkey says this, which does not arrive; null no more. */
  readonly cutOn: (text: string | null) => void;
  /** Adds to every round trip from now on, half of it each way. */
  readonly delay: (ms: number) => void;
  /** While on, no byte passes in either direction and nobody is told; afterwards what was held arrives. */
  readonly stall: (on: boolean) => void;
  /** As `stall`, but of what the database says alone: it carries out what it is asked, and nobody hears of it. */
  readonly mute: (on: boolean) => void;
  /** While on, each connection is reset as soon as the database has said something of more than one byte, of which half arrives. */
  readonly tear: (on: boolean) => void;
  /** While on, whatever the database says is followed by the end of what it says; what it is told still arrives. */
  readonly halfClose: (on: boolean) => void;
  /** Lets so many bytes a second pass each way on each connection, a few at a time; null lifts it. */
  readonly throttle: (bytesPerSecond: number | null) => void;
  /** While on, what connects hangs: nothing passes on it, then or ever. */
  readonly hang: (on: boolean) => void;
  /** Falls asleep: breaks every connection, takes the next ones, and answers on them `wakeMs` after the first. */
  readonly sleep: (wakeMs: number) => void;
}

export interface RelayOptions {
  /** Added to every round trip, half of it each way, in milliseconds; default 0. */
  readonly delayMs?: number;
}

/** The side that connected to the relay, over TCP or WebSocket. */
interface ClientSide extends Sink {
  readonly terminate: () => void;
  /** Says that nothing more is said, and goes on listening. */
  readonly shutdown?: () => void;
}

/** One relayed connection: what the client's socket reports goes in here. */
export interface Link {
  readonly received: (bytes: Uint8Array) => void;
  readonly closed: () => void;
}

export interface Links extends Network {
  /** Connects to 127.0.0.1:`port` and relays between it and `client`. */
  readonly open: (client: ClientSide, port: number) => Link;
}

/** What a relay shows of its links. */
export function networkOf({ open: _open, ...network }: Links): Network {
  return network;
}

export function createLinks({ delayMs = 0 }: RelayOptions): Links {
  const live = new Map<object, { readonly lines: readonly DelayLine[]; readonly terminate: () => void }>();
  let stalled = false;
  let wakeMs: number | undefined;
  let cutsNext = false;
  let delay = delayMs;
  let bytesPerSecond: number | null = null;
  let isMute = false;
  let tears = false;
  let fatal: string | null = null;
  let halfCloses = false;
  let hangs = false;
  const pace = { delayMs: () => delay / 2, bytesPerSecond: () => bytesPerSecond };
  const stall = (on: boolean) => {
    stalled = on;
    for (const { lines } of live.values()) for (const line of lines) line.stall(on);
  };
  const cut = () => {
    for (const { terminate } of live.values()) terminate();
    live.clear();
  };
  return {
    open(client, port) {
      if (wakeMs !== undefined) setTimeout(() => stall(false), wakeMs);
      wakeMs = undefined;
      if (hangs) return { received: () => {}, closed: () => {} };
      const link = {};
      const forget = () => void live.delete(link);
      const toClient = createDelayLine(
        pace,
        { write: client.write, end: () => (client.end(), forget()) },
        stalled || isMute,
      );
      const said = (bytes: Uint8Array) => {
        if (tears && bytes.length > 1) {
          client.write(bytes.subarray(0, bytes.length >> 1));
          live.delete(link);
          return terminate();
        }
        toClient.push(bytes);
        if (halfCloses) client.shutdown?.();
      };
      const server = connectToServer(port, { received: said, closed: toClient.end });
      const toServer = createDelayLine(
        pace,
        { write: server.write, end: () => (server.end(), forget()) },
        stalled,
      );
      const lines = [toClient, toServer];
      const terminate = () => {
        for (const line of lines) line.drop();
        client.terminate();
        server.terminate();
      };
      live.set(link, { lines, terminate });
      const received = (bytes: Uint8Array) => {
        const isFatal = fatal !== null && Buffer.from(bytes).includes(fatal);
        if (!cutsNext && !isFatal) return toServer.push(bytes);
        cutsNext = false;
        live.delete(link);
        terminate();
      };
      return { received, closed: toServer.end };
    },
    cut,
    cutNext() {
      cutsNext = true;
    },
    delay(ms) {
      delay = ms;
    },
    stall,
    cutOn(text) {
      fatal = text;
    },
    mute(on) {
      isMute = on;
      for (const { lines } of live.values()) lines[0]?.stall(on);
    },
    tear(on) {
      tears = on;
    },
    halfClose(on) {
      halfCloses = on;
    },
    hang(on) {
      hangs = on;
    },
    throttle(rate) {
      bytesPerSecond = rate;
    },
    sleep(ms) {
      cut();
      stall(true);
      wakeMs = ms;
    },
  };
}

/** What is written before the connection stands is kept; a refused connection is a closed one. */
function connectToServer(port: number, link: Link): ClientSide {
  const writer = createSocketWriter();
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => writer.attach(socket),
      data: (_socket, bytes) => link.received(bytes),
      drain: () => writer.flush(),
      close: () => link.closed(),
      error: () => {},
    },
  }).catch(() => link.closed());
  return writer;
}

export interface SocketWriter extends ClientSide {
  readonly attach: (socket: Socket<unknown>) => void;
  readonly flush: () => void;
}

/** Bun's `socket.write` may take only a part: keeps the rest in order until `drain`. */
export function createSocketWriter(): SocketWriter {
  let socket: Socket<unknown> | undefined;
  let pending: Uint8Array[] = [];
  let state: "open" | "ending" | "terminated" = "open";

  const flush = () => {
    if (socket === undefined || state === "terminated") return;
    if (pending.length > 0) {
      const bytes = pending.length === 1 ? (pending[0] ?? new Uint8Array()) : Buffer.concat(pending);
      const written = Math.max(0, socket.write(bytes));
      pending = written < bytes.length ? [bytes.subarray(written)] : [];
    }
    if (pending.length === 0 && state === "ending") socket.end();
  };
  return {
    attach(opened) {
      socket = opened;
      if (state === "terminated") socket.terminate();
      else flush();
    },
    flush,
    write(bytes) {
      const idle = pending.length === 0;
      pending.push(bytes);
      if (idle) flush();
    },
    end() {
      if (state !== "open") return;
      state = "ending";
      flush();
    },
    shutdown() {
      if (state === "open") socket?.shutdown();
    },
    terminate() {
      state = "terminated";
      socket?.terminate();
    },
  };
}
