import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/reaper.ts";
import type { LoadSpec } from "./protocol.ts";

export interface RequestParts {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Requests that go out in rotation, and how they are to be answered. */
export interface RequestSet {
  /** Where a load generator reads them. */
  readonly file: string;
  readonly first: RequestParts;
  /** Of every answer. */
  readonly status: number;
  /** In place of `status` and the one body length: what else may come. */
  readonly mayAnswer?: LoadSpec["expect"];
}

/** Writes requests, of which there must be one, where a load generator reads them. */
export function writeRequests(
  requests: readonly RequestParts[],
  status: number,
  mayAnswer?: LoadSpec["expect"],
): RequestSet {
  const [first] = requests;
  if (first === undefined) throw new Error("no requests");
  const file = join(temporaryDirectory("bench-requests"), "requests.json");
  writeFileSync(file, JSON.stringify(requests.map(requestText)));
  return { file, first, status, ...(mayAnswer === undefined ? {} : { mayAnswer }) };
}

/** A whole HTTP/1.1 request. Its Host names no port, so that it fits every target. */
function requestText({ method = "GET", path, headers = {}, body }: RequestParts): string {
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  const lines = Object.entries({ Host: "127.0.0.1", ...headers, ...length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}
