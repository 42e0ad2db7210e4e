import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";
import type { KeyPair } from "../../server.ts";
import { createCertificateRequest } from "./csr.ts";
import { AcmeError, type AcmeRequests, openAcmeRequests, problemOf } from "./requests.ts";

export interface OrderDeps {
  /** A DNS name. */
  readonly host: string;
  /** An https URL. */
  readonly directory: string;
  /** Of P-256. */
  readonly accountKey: KeyObject;
  readonly email: string | null;
  /** PEM; null for the public roots. */
  readonly ca: string | null;
  readonly userAgent: string;
  /** Where answers to the authority are put while it asks, by their tokens. */
  readonly challenges: Map<string, string>;
  readonly signal: AbortSignal;
}

/** What an order, or an authorization of it, has become: RFC 8555 §7.1.6. */
interface State {
  readonly status?: string;
  readonly error?: unknown;
  readonly authorizations?: readonly string[];
  readonly finalize?: string;
  readonly certificate?: string;
  readonly challenges?: readonly {
    readonly type?: string;
    readonly url?: string;
    readonly token?: string;
    readonly error?: unknown;
  }[];
}

/** Between two looks, unless the authority says how long. */
const [pauseMs, pauseMaxMs] = [1_000, 15_000];
const waitMaxMs = 180_000;

/**
 * Orders a certificate for one name, by HTTP-01 (RFC 8555 §7.4, §8.3), under an account that is made where there is none.
 * @returns a new key, and the certificate with its chain, in PEM. @throws AcmeError.
 */
export async function orderCertificate(deps: OrderDeps): Promise<KeyPair> {
  const { host, accountKey, email, challenges, signal } = deps;
  // The public parts alone.
  const { d: _, ...jwk }: JWK = await exportJWK(accountKey);
  const requests = await openAcmeRequests({ ...deps, jwk });
  const urlOf = (name: string): string => String(requests.directory[name]);
  const contact = email === null ? {} : { contact: [`mailto:${email}`] };
  const account = await requests.post(urlOf("newAccount"), { termsOfServiceAgreed: true, ...contact });
  requests.useAccount(account.location);
  const made = await requests.post(urlOf("newOrder"), { identifiers: [{ type: "dns", value: host }] });
  const order = made.body as State;
  const thumbprint = await calculateJwkThumbprint(jwk);
  for (const url of order.authorizations ?? [])
    await authorize(requests, url, thumbprint, challenges, signal);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const csr = createCertificateRequest(host, privateKey).toString("base64url");
  await requests.post(order.finalize ?? "", { csr });
  const done = await settle(requests, made.location, ["pending", "ready", "processing"], signal);
  if (done.status !== "valid" || done.certificate === undefined)
    throw refusal(done.error, `the order became ${String(done.status)}`);
  const { text } = await requests.post(done.certificate);
  return { cert: text, key: privateKey.export({ type: "pkcs8", format: "pem" }) };
}

/** Has the authority see that this server answers for the name; one that it has seen lately is enough. */
async function authorize(
  requests: AcmeRequests,
  url: string,
  thumbprint: string,
  challenges: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const before = (await requests.post(url)).body as State;
  if (before.status === "valid") return;
  const challenge = before.challenges?.find(({ type }) => type === "http-01");
  const { token, url: answerAt } = challenge ?? {};
  if (token === undefined || answerAt === undefined || !/^[\w-]+$/.test(token))
    throw new AcmeError("the certificate authority offers no HTTP-01 challenge");
  challenges.set(token, `${token}.${thumbprint}`);
  try {
    await requests.post(answerAt, {});
    const after = await settle(requests, url, ["pending", "processing"], signal);
    if (after.status === "valid") return;
    const failed = after.challenges?.find(({ error }) => error !== undefined);
    throw refusal(failed?.error, `the authorization became ${String(after.status)}`);
  } finally {
    challenges.delete(token);
  }
}

/** Looks until it is something else. */
async function settle(
  requests: AcmeRequests,
  url: string,
  passing: readonly string[],
  signal: AbortSignal,
): Promise<State> {
  const deadline = performance.now() + waitMaxMs;
  for (;;) {
    const { body, retryAfterMs } = await requests.post(url);
    const state = body as State;
    if (!passing.includes(state.status ?? "")) return state;
    if (performance.now() > deadline)
      throw new AcmeError("the certificate authority does not come to an end");
    await pause(Math.min(pauseMaxMs, Math.max(pauseMs, retryAfterMs)), signal);
  }
}

/** Until then, or until nobody wants it any more. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const timer = setTimeout(ended.resolve, ms);
  signal.addEventListener("abort", () => ended.resolve(), { once: true });
  await ended.promise;
  clearTimeout(timer);
  signal.throwIfAborted();
}

function refusal(error: unknown, otherwise: string): AcmeError {
  const problem = problemOf(error);
  return new AcmeError(problem?.detail ?? otherwise, { type: problem?.type ?? null });
}
