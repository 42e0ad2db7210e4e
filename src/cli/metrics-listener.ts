import type { MetricsConfig, MetricsListen } from "../config/config.ts";
import { listen, type Listener } from "../server.ts";
import { claimSocketPaths, listenOnSocket } from "../unix-socket.ts";

/** Whoever is in latchkey's group may ask for figures: a socket has no other list. */
const socketMode = 0o660;
const setting = "LATCHKEY_METRICS_LISTEN";

/** Where figures are asked for, apart from all else. */
export interface MetricsListener extends Pick<Listener, "serve" | "stop"> {
  /** For people and the log: `http://127.0.0.1:9464/metrics`, or `unix:` and a path. */
  readonly url: string;
}

/** Listens where figures are asked for; null where they have no place of their own. @throws CommandError. */
export async function listenForMetrics(metrics: MetricsConfig | null): Promise<MetricsListener | null> {
  const place: MetricsListen | null = metrics?.listen ?? null;
  if (place === null) return null;
  if ("host" in place) {
    const listener = listen(place.host, place.port, { setting });
    return { ...listener, url: `${listener.url}/metrics` };
  }
  const { path } = place;
  const release = await claimSocketPaths([path], setting);
  try {
    return { ...listenOnSocket({ path, mode: socketMode, group: null }, setting), url: `unix:${path}` };
  } finally {
    release();
  }
}
