import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/reaper.ts";

export interface RequestParts {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A whole HTTP/1.1 request. Its Host names no port, so that it fits every target. */
export function requestText({ method = "GET", path, headers = {}, body }: RequestParts): string {
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  const lines = Object.entries({ Host: "127.0.0.1", ...headers, ...length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}

/** Writes requests where a load generator reads them. @returns the file's path. */
export function writeRequests(name: string, requests: readonly RequestParts[]): string {
  const path = join(temporaryDirectory("bench-requests"), `${name}.json`);
  writeFileSync(path, JSON.stringify(requests.map(requestText)));
  return path;
}
