import type { Database } from "./database.ts";

/** A statement whose parameters are `?`, as the dialect writes them: `$1` and so on on a server. */
export function numbered(provider: Database["provider"], text: string): string {
  let at = 0;
  return provider === "pg" ? text.replaceAll("?", () => `$${(at += 1)}`) : text;
}
