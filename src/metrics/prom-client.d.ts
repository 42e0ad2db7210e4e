/** Of the whole package, which declares no types of its files, the registry alone is needed: it writes the format. */
declare module "prom-client/lib/registry.js" {
  import type { Registry } from "prom-client";
  const registry: typeof Registry;
  export default registry;
}
