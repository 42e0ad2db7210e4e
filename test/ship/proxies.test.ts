import { setDefaultTimeout } from "bun:test";
import { describeDeployed } from "../support/proxy-trials.ts";

setDefaultTimeout(60_000);

await describeDeployed(["nginx", "caddy", "haproxy", "traefik"], { patiently: true });
