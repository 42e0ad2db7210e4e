import type { Front } from "../front.ts";
import { type KeyPair, type Listener, listen, urlOf } from "../server.ts";
import { createPartingFront } from "./parting.ts";
import { openSteering } from "./steer.ts";

/** Connections that are on their way to the listener of the certificate before have so long to reach it. */
const overlapMs = 1_000;

export interface SecureListener extends Listener {
  /** Speaks TLS by this pair from now on, and with the first one begins to listen. @throws CommandError; the one before goes on. */
  use(pair: KeyPair): void;
}

export interface SecureListenerOptions {
  readonly hostname: string;
  /** Claimed already where it is shared. */
  readonly port: number;
  /** `sole`: no other process listens there; `none`: two cannot listen on one port. */
  readonly sharing: "sole" | "workers" | "none";
}

/**
 * Listens for https, and changes its certificate: `Bun.serve` cannot, so that another one listens beside it and the first goes. What
 * is under way is answered by the first, which then has clients open another connection; those on which nothing is asked for a second
 * are closed.
 */
export function createSecureListener({ hostname, port, sharing }: SecureListenerOptions): SecureListener {
  let front: Front | undefined;
  let current: Listener | undefined;
  let pair: KeyPair | undefined;
  const former = new Map<Listener, ReturnType<typeof setTimeout>>();
  let isEnding = false;
  const retire = (listener: Listener): void => {
    clearTimeout(former.get(listener));
    void listener.drain().then(() => former.delete(listener));
  };
  const everyone = () => [...former.keys(), ...(current === undefined ? [] : [current])];
  const replace = (open: () => Listener): void => {
    const before = current;
    current = open();
    if (front !== undefined) current.serve(front);
    if (before === undefined) return;
    if (front !== undefined) before.serve(createPartingFront(front));
    former.set(
      before,
      setTimeout(() => retire(before), overlapMs),
    );
  };
  return {
    url: urlOf(hostname, port, true),
    port,
    serve(next) {
      front = next;
      current?.serve(next);
    },
    use(tls) {
      if (isEnding) return;
      // Of three that listen nobody knows which one is meant.
      for (const one of former.keys()) retire(one);
      const open = (one: KeyPair) => () =>
        listen(hostname, port, { sharesPort: sharing !== "none", tls: one });
      if (current === undefined || pair === undefined || sharing === "workers") replace(open(tls));
      else if (sharing === "sole") replace(() => openSteering(open(tls)));
      else {
        void current.drain();
        try {
          replace(open(tls));
        } catch (error) {
          replace(open(pair));
          throw error;
        }
      }
      pair = tls;
    },
    async drain() {
      isEnding = true;
      for (const timer of former.values()) clearTimeout(timer);
      await Promise.all(everyone().map((one) => one.drain()));
    },
    async stop() {
      isEnding = true;
      for (const timer of former.values()) clearTimeout(timer);
      await Promise.all(everyone().map((one) => one.stop()));
    },
  };
}
