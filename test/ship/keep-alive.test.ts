import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  deployedCommand,
  type DeployedProxy,
  type DeployedProxyName,
  startDeployed,
} from "../support/deployed-proxy.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(900_000);

/** How long each keeps a connection to latchkey on which nothing is said. */
const keptSeconds: Readonly<Record<DeployedProxyName, number>> = {
  nginx: 60,
  traefik: 90,
  caddy: 120,
  haproxy: 60,
};
/** How long latchkey does. */
const latchkeySeconds = 240;
/** Concurrent requests just before, at and just after the pause: each time more than are fresh. */
const bursts = [
  [-0.3, 10],
  [0, 20],
  [0.3, 40],
] as const;
const auth = "https://auth.example.com";

const names = Object.keys(keptSeconds) as DeployedProxyName[];
const commands = await Promise.all(names.map(deployedCommand));

describe("connections that proxies keep to latchkey", () => {
  let latchkey: RunningLatchkey;
  const proxies: DeployedProxy[] = [];
  beforeAll(async () => {
    latchkey = await spawnLatchkey({ env: { BETTER_AUTH_URL: auth } });
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await latchkey.stop();
  });

  /** What changes something, which no proxy sends twice. @returns each status that was not 200. */
  const ask = async (proxy: DeployedProxy, count: number) => {
    const asked = Array.from({ length: count }, () =>
      proxy.ask("auth.example.com", "/api/auth/sign-out", { method: "POST", headers: { origin: auth } }),
    );
    return (await Promise.all(asked)).flatMap(({ status }) => (status === 200 ? [] : [status]));
  };

  for (const [at, name] of names.entries()) {
    const command = commands[at];
    const reason = typeof command === "string" ? ` (${command})` : "";
    test.concurrent.skipIf(reason !== "")(
      `${name}: nothing is sent into one that is being closed${reason}`,
      async () => {
        const places = { latchkey: new URL(latchkey.url).host, program: "127.0.0.1:1" };
        const proxy = await startDeployed(name, [command ?? ""].flat(), places);
        proxies.push(proxy);
        const failures = [await ask(proxy, 40)];
        for (const pauseSeconds of [keptSeconds[name], keptSeconds[name], latchkeySeconds]) {
          const begun = performance.now();
          for (const [offset, count] of bursts) {
            await Bun.sleep((pauseSeconds + offset) * 1000 - (performance.now() - begun));
            failures.push(await ask(proxy, count));
          }
        }
        expect(failures.flat()).toEqual([]);
        expect(failures.length).toBe(10);
      },
    );
  }
});
