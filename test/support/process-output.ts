import { appendFileSync } from "node:fs";

/** What a process has written to one stream. */
export interface Output {
  readonly text: () => string;
  /** Once the stream has ended. */
  readonly ended: Promise<void>;
}

/** Keeps what a process writes; all of it also goes to the file LATCHKEY_TEST_LOG names, which a test searches for secrets. */
export function collectOutput(
  stream: ReadableStream<Uint8Array>,
  { onLine, mirror = false }: { readonly onLine?: (line: string) => void; readonly mirror?: boolean },
): Output {
  const logFile = process.env["LATCHKEY_TEST_LOG"];
  const decoder = new TextDecoder();
  let text = "";
  let lineStart = 0;
  const append = (part: string) => {
    text += part;
    for (let end = text.indexOf("\n", lineStart); end !== -1; end = text.indexOf("\n", lineStart)) {
      onLine?.(text.slice(lineStart, end));
      lineStart = end + 1;
    }
  };
  const read = async () => {
    for await (const chunk of stream) {
      if (logFile !== undefined && logFile !== "") appendFileSync(logFile, chunk);
      if (mirror) process.stderr.write(chunk);
      append(decoder.decode(chunk, { stream: true }));
    }
    append(decoder.decode());
  };
  return { text: () => text, ended: read() };
}

export interface ReadyLine {
  readonly url: string;
  readonly baseUrl: string | undefined;
}

/** Reads a `listening` log line or the ready line of `serve --json`; undefined for any other line. */
export function parseReadyLine(line: string): ReadyLine | undefined {
  const [entry] = parseObject(line);
  if (entry === undefined) return undefined;
  const { msg, event, url, baseUrl } = entry;
  if ((msg !== "listening" && event !== "listening") || typeof url !== "string") return undefined;
  return { url, baseUrl: typeof baseUrl === "string" ? baseUrl : undefined };
}

/** @returns the line's JSON object in a list, or an empty list when it is none. */
export function parseObject(line: string): Record<string, unknown>[] {
  if (!line.startsWith("{")) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** @returns the lines of a command's stderr that are for people, and those of the log. */
export function splitLog(stderr: string): { readonly talk: string; readonly log: Record<string, unknown>[] } {
  const lines = stderr.split("\n");
  return {
    talk: lines.filter((line) => parseObject(line).length === 0).join("\n"),
    log: lines.flatMap(parseObject),
  };
}
