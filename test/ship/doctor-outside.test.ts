import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { deployedCommand, startDeployed } from "../support/deployed-proxy.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const command = await deployedCommand("traefik");
const reason = typeof command === "string" ? ` (${command})` : "";

// The others are tried by `bun run test`: test/e2e/doctor-outside.test.ts.
test.skipIf(reason !== "")(
  `doctor --url finds nothing wrong behind traefik as in deploy/${reason}`,
  async () => {
    const latchkey = await spawnLatchkey({ env: { BETTER_AUTH_URL: "https://auth.example.com" } });
    const places = { latchkey: new URL(latchkey.url).host, program: "127.0.0.1:1" };
    const proxy = await startDeployed("traefik", [command].flat(), places);
    const ca = join(temporaryDirectory("ca"), "ca.pem");
    writeFileSync(ca, proxy.ca);
    const { stdout, exitCode } = await runLatchkey(
      [
        ["doctor", "--json", "--url", "https://auth.example.com", "--ca-file", ca],
        ["--connect", `127.0.0.1:${proxy.port}`, "--connect-http", `127.0.0.1:${proxy.plainPort}`],
      ].flat(),
    );
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { status: "ok" }]);
    await proxy.stop();
    await latchkey.stop();
  },
);
