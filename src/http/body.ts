import { clientOf } from "../auth/hash-line.ts";
import type { Body } from "../auth/input.ts";
import { withDeadline } from "../deadline.ts";
import { AppError } from "../errors.ts";
import type { Pace } from "./pace.ts";

const bodyMaxBytes = 32 * 1024;
const bodyTimeoutMs = 10_000;

/**
 * Reads a JSON or form body of at most 32 KiB that arrives within 10 s. Of repeated JSON keys the last one counts.
 * @returns the fields; none for an empty body.
 * @throws AppError 400, 408, 413 or 415.
 */
export async function readBody(request: Request): Promise<Body> {
  const bytes = await withDeadline(
    readBytes(request),
    bodyTimeoutMs,
    () =>
      new AppError("REQUEST_TIMEOUT", "The request's body did not arrive in time.", {
        // Or the rest of it would keep the connection for as long as an idle one.
        headers: { Connection: "close" },
      }),
  );
  if (bytes.byteLength === 0) return {};
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const text = decode(bytes);
  if (type === "application/json" || type.endsWith("+json")) return parseJson(text);
  if (type === "application/x-www-form-urlencoded") return parseForm(text);
  throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send application/json or application/x-www-form-urlencoded.");
}

/** Reads the body of a request, from an address. @throws as `readBody`, and AppError 503 beyond what one client may send at once. */
export type ReadBody = (request: Request, clientAddress: string) => Promise<Body>;

/** Bodies that one client may be sending: each is there at once, but for those that are held back on purpose. */
const bodiesMax = 100;

/** Builds a reader that one client alone cannot keep busy. */
export function createBodyReader(pace: Pace, max = bodiesMax): ReadBody {
  const reading = new Map<string, number>();
  return async (request, clientAddress) => {
    const client = clientOf(clientAddress);
    const own = reading.get(client) ?? 0;
    if (own >= max) {
      await pace(performance.now());
      throw new AppError("TOO_BUSY", "Too many requests at once come from here.", {
        headers: { "Retry-After": "1", Connection: "close" },
      });
    }
    reading.set(client, own + 1);
    try {
      return await readBody(request);
    } finally {
      const left = (reading.get(client) ?? 1) - 1;
      if (left === 0) reading.delete(client);
      else reading.set(client, left);
    }
  };
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = () => new AppError("PAYLOAD_TOO_LARGE", `A body has at most ${bodyMaxBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > bodyMaxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > bodyMaxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    // The caller hung up, and hears of nothing.
    throw new AppError("INVALID_BODY", "The body did not arrive whole.", { cause });
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("INVALID_BODY", "The body is not valid UTF-8.", { cause });
  }
}

function parseJson(text: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("INVALID_BODY", "Invalid JSON in request body", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AppError("INVALID_BODY", "The body must be a JSON object.");
  }
  return withoutPrototypeKeys(value as Body);
}

function parseForm(text: string): Body {
  const fields: Body = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (Object.hasOwn(fields, name)) throw new AppError("REPEATED_PARAMETER", "A field is given twice.");
    fields[name] = value;
  }
  return withoutPrototypeKeys(fields);
}

/** Drops the names that would reach an object's prototype instead of its fields. */
function withoutPrototypeKeys(body: Body): Body {
  return Object.fromEntries(
    Object.entries(body).filter(
      ([name]) => name !== "__proto__" && name !== "constructor" && name !== "prototype",
    ),
  );
}
