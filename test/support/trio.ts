import { buildDocs, type DocsServer, serveDocs } from "./docusaurus.ts";
import { type RunningLatchkey, spawnLatchkey } from "./executable.ts";
import { type RunningApi, startFastApi } from "./fastapi.ts";
import { freePort } from "./free-port.ts";

/** The founding plan's three: a docs site, latchkey and an API, each on a port of its own. */
export interface Trio {
  readonly docs: DocsServer;
  /** As a browser knows them. */
  readonly docsUrl: string;
  readonly latchkeyUrl: string;
  readonly apiUrl: string;
  readonly latchkey: RunningLatchkey;
  stop(): Promise<void>;
}

export interface TrioOptions {
  /** 0: free ones. */
  readonly ports: { readonly docs: number; readonly latchkey: number; readonly api: number };
  /** How a browser names each on this machine; default `localhost` for all. */
  readonly hosts?: { readonly docs: string; readonly latchkey: string; readonly api: string };
  readonly env?: Readonly<Record<string, string>>;
}

/** Builds the site, starts all three and tells them of each other. */
export async function startTrio(options: TrioOptions): Promise<Trio> {
  const hosts = options.hosts ?? { docs: "localhost", latchkey: "localhost", api: "localhost" };
  const latchkeyPort = options.ports.latchkey || freePort();
  const apiPort = options.ports.api || freePort();
  const latchkeyUrl = `http://${hosts.latchkey}:${latchkeyPort}`;
  const apiUrl = `http://${hosts.api}:${apiPort}`;
  const docs = await serveDocs({
    buildDir: await buildDocs(),
    config: { latchkeyUrl, apiUrl },
    port: options.ports.docs,
  });
  const docsUrl = `http://${hosts.docs}:${new URL(docs.url).port}`;
  const latchkey = await spawnLatchkey({
    env: {
      PORT: String(latchkeyPort),
      BETTER_AUTH_URL: latchkeyUrl,
      BETTER_AUTH_TRUSTED_ORIGINS: `${docsUrl},${apiUrl}`,
      ...options.env,
    },
  });
  const api: RunningApi = await startFastApi({
    port: apiPort,
    latchkeyUrl: `http://127.0.0.1:${latchkeyPort}`,
    allowedOrigins: [docsUrl],
  });
  return {
    docs,
    docsUrl,
    latchkeyUrl,
    apiUrl,
    latchkey,
    async stop() {
      await Promise.all([docs.stop(), latchkey.stop(), api.stop()]);
    },
  };
}
