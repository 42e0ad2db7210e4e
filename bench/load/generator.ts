import { readFileSync } from "node:fs";
import type { LoadSpec } from "./protocol.ts";
import { runLoad } from "./run-load.ts";

/** The load generator's process: a `LoadSpec` a line on stdin, a `LoadResult` or `{error}` a line on stdout. */
const requestsOf = new Map<string, readonly Uint8Array[]>();

function loadRequests(path: string): readonly Uint8Array[] {
  const known = requestsOf.get(path);
  if (known !== undefined) return known;
  const texts = JSON.parse(readFileSync(path, "utf8")) as string[];
  const requests = texts.map((text) => Buffer.from(text, "latin1"));
  requestsOf.set(path, requests);
  return requests;
}

for await (const line of console) {
  const spec = JSON.parse(line) as LoadSpec;
  try {
    console.log(JSON.stringify(await runLoad(spec, loadRequests(spec.requests))));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
