import { join } from "node:path";
import { existsSync } from "node:fs";

export async function traefikCommand(): Promise<readonly string[]> {
  const path = process.env["LATCHKEY_TEST_TRAEFIK"] ?? "/tmp/traefik-bin";
  if (!existsSync(path)) throw new Error("no traefik");
  return [join(path)];
}
