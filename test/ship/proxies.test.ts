import { setDefaultTimeout } from "bun:test";
import { describeDeployed } from "../support/proxy-trials.ts";

setDefaultTimeout(60_000);

// The others are tried by `bun run test`: test/e2e/proxies.test.ts.
await describeDeployed(["traefik"]);
