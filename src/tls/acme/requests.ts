import type { KeyObject } from "node:crypto";
import { FlattenedSign, type JWK } from "jose";

const requestTimeoutMs = 30_000;
/** A nonce is used up by another request, or ends: RFC 8555 §6.5 has it tried again. */
const nonceTriesMax = 5;
const answerMaxCharacters = 300;

/** What a certificate authority refused, or that it could not be asked. */
export class AcmeError extends Error {
  override readonly name = "AcmeError";
  /** The problem's type without its prefix (RFC 8555 §6.7): `rateLimited`; null of none. */
  readonly type: string | null;
  /** When it may be asked again, in ms from now. */
  readonly retryAfterMs: number;
  constructor(
    message: string,
    {
      type = null,
      retryAfterMs = 0,
      cause,
    }: { type?: string | null; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.type = type;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An answer that is no refusal. */
interface AcmeAnswer {
  /** JSON, or PEM as it came. */
  readonly body: unknown;
  readonly text: string;
  /** Of what was made; empty where nothing was. */
  readonly location: string;
  readonly retryAfterMs: number;
}

export interface AcmeRequests {
  readonly directory: Readonly<Record<string, unknown>>;
  /** Once registered: the account stands in place of the key. */
  useAccount(url: string): void;
  /** Signed; without a payload it reads (POST-as-GET). @throws AcmeError. */
  post(url: string, payload?: unknown): Promise<AcmeAnswer>;
}

export interface AcmeRequestsDeps {
  /** An https URL. */
  readonly directory: string;
  /** Of P-256. */
  readonly accountKey: KeyObject;
  readonly jwk: JWK;
  /** PEM that its certificate is checked by; null for the public roots. */
  readonly ca: string | null;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

/** Opens a conversation with a certificate authority (RFC 8555 §6). @throws AcmeError. */
export async function openAcmeRequests(deps: AcmeRequestsDeps): Promise<AcmeRequests> {
  const { accountKey, jwk, ca, userAgent, signal } = deps;
  let nonce: string | null = null;
  let account: string | undefined;
  const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
    try {
      const response = await fetch(url, {
        ...init,
        redirect: "error",
        headers: { "User-Agent": userAgent, ...init.headers },
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
        ...(ca === null ? {} : { tls: { ca } }),
      });
      nonce = response.headers.get("replay-nonce") ?? nonce;
      return response;
    } catch (cause) {
      throw new AcmeError(`${new URL(url).origin} cannot be asked`, { cause });
    }
  };
  const described = await ask(deps.directory);
  const directory = jsonOf(await described.text());
  if (!described.ok || directory === null || typeof directory["newOrder"] !== "string")
    throw new AcmeError(`${deps.directory} is no ACME directory (status ${described.status})`);

  const signed = async (url: string, payload: unknown): Promise<Response> => {
    if (nonce === null) await ask(String(directory["newNonce"]), { method: "HEAD" });
    if (nonce === null) throw new AcmeError(`${deps.directory} gave no nonce`);
    const header = { alg: "ES256", nonce, url, ...(account === undefined ? { jwk } : { kid: account }) };
    nonce = null;
    const text = payload === undefined ? "" : JSON.stringify(payload);
    const body = await new FlattenedSign(new TextEncoder().encode(text))
      .setProtectedHeader(header)
      .sign(accountKey);
    const headers = { "Content-Type": "application/jose+json" };
    return await ask(url, { method: "POST", headers, body: JSON.stringify(body) });
  };
  return {
    directory,
    useAccount: (url) => void (account = url),
    async post(url, payload) {
      for (let tried = 1; ; tried += 1) {
        const response = await signed(url, payload);
        const text = await response.text();
        const retryAfterMs = retryAfterOf(response);
        const body = jsonOf(text);
        if (response.ok)
          return { body: body ?? text, text, location: response.headers.get("location") ?? "", retryAfterMs };
        const problem = problemOf(body) ?? { type: null, detail: `status ${response.status}` };
        if (problem.type === "badNonce" && tried < nonceTriesMax) continue;
        throw new AcmeError(problem.detail, { type: problem.type, retryAfterMs });
      }
    },
  };
}

/** What a problem document says (RFC 7807), fit for the log; null of none. */
export function problemOf(body: unknown): { readonly type: string | null; readonly detail: string } | null {
  if (typeof body !== "object" || body === null) return null;
  const { type, detail } = body as { type?: unknown; detail?: unknown };
  if (typeof type !== "string" && typeof detail !== "string") return null;
  const short = typeof type === "string" ? type.replace(/^urn:ietf:params:acme:error:/, "") : null;
  const said = typeof detail === "string" ? detail.replaceAll(/\s+/g, " ").slice(0, answerMaxCharacters) : "";
  return { type: short, detail: [short, said].filter(Boolean).join(": ") };
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    // A certificate, or a proxy's page.
    return null;
  }
}

/** Seconds or a date: RFC 9110 §10.2.3. In ms; who waits so long has a bound of its own. */
function retryAfterOf({ headers }: Response): number {
  const written = headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(written) ? Number(written) * 1_000 : Date.parse(written) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}
