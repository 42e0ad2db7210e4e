import type { Config } from "../config/load.ts";
import { createOpenApi } from "./openapi/document.ts";

/** The document changes with the configuration or the version alone: with a restart. */
const cacheControl = "public, max-age=300";

/** Builds `GET /openapi.json`: rendered once, for any origin's eyes. */
export function createOpenApiAnswer(config: Config, version: string): () => Response {
  const body = JSON.stringify(createOpenApi(config, version));
  return () =>
    new Response(body, { headers: { "Content-Type": "application/json", "Cache-Control": cacheControl } });
}
