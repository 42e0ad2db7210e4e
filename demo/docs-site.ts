import { serveDocs } from "../test/support/docusaurus.ts";

/** The built docs site, until SIGTERM: its folder, its port, and where latchkey and the API are. */
const [buildDir = "", port = "", latchkeyUrl = "", apiUrl = ""] = process.argv.slice(2);
await serveDocs({ buildDir, port: Number(port), config: { latchkeyUrl, apiUrl } });
