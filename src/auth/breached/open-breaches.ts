import type { BreachedConfig } from "../../config/config.ts";
import { type Breaches, type BreachListener, createBreachRule, type RequireUnbreached } from "./breaches.ts";

/** The rule that new passwords are in no known data breach, and what it asks. */
export interface OpenBreaches {
  rule(listener: BreachListener): RequireUnbreached;
  close(): Promise<void>;
}

/** Opens what the settings name. @throws CommandError for a file that cannot be used. */
export async function openBreaches(from: BreachedConfig, version: string): Promise<OpenBreaches> {
  const breaches = await open(from, version);
  return { rule: (listener) => createBreachRule(breaches, listener), close: breaches.close };
}

async function open(from: BreachedConfig, version: string): Promise<Breaches> {
  if (from.by === "file") return (await import("./filter-file.ts")).openFilterFile(from.path);
  return (await import("./range-api.ts")).createRangeApi({ url: from.url, version });
}
