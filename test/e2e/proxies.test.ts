import { setDefaultTimeout } from "bun:test";
import { describeDeployed } from "../support/proxy-trials.ts";

setDefaultTimeout(60_000);

// Traefik, which takes minutes to build, is tried by `bun run test:ship`.
await describeDeployed(["nginx", "caddy", "haproxy"]);
