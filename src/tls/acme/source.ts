import { readFileSync } from "node:fs";
import type { TlsConfig } from "../../config/config.ts";
import { prepareDataDirectory } from "../../data-directory.ts";
import { ConfigError, reasonOf } from "../../errors.ts";
import { type Certificate, isUsable, parseCertificate } from "../certificate.ts";
import { certifiedHost, type CertificateSource, describeCertificate, type SourceDeps } from "../source.ts";
import { pauseAfter, renewalDue, retryAfterMaxMs } from "./schedule.ts";
import { type AcmeStore, openAcmeStore } from "./store.ts";

type AcmeConfig = Extract<TlsConfig, { readonly by: "acme" }>;

/** Another process on the data directory may have renewed meanwhile, and clocks are set. */
const lookEveryMs = 60_000;
/** While another process orders, and while there is none. */
const shortPauseMs = 2_000;

/**
 * A certificate that a certificate authority gives for the host of BETTER_AUTH_URL, ordered when there is none and renewed in the last
 * third of its time. What fails is tried again, less and less often, also after another start, and never ends the process.
 * @throws ConfigError where LATCHKEY_ACME_CA_FILE cannot be read, CommandError where the data directory cannot be used.
 */
export async function openAcmeSource(acme: AcmeConfig, deps: SourceDeps): Promise<CertificateSource> {
  const { config, log, version, figures, onChange } = deps;
  const { directory, email } = acme;
  const host = certifiedHost(config.baseUrl);
  const ca = readCa(acme.caFile);
  prepareDataDirectory(config.dataDir);
  const store = openAcmeStore(config.dataDir, directory, host);
  const challenges = new Map<string, string>();
  const ending = new AbortController();
  const jitter = Math.random();
  let current: Certificate | null = readOrNull(store);
  figures.notAfter = current?.notAfter ?? null;
  let failures = 0;
  /** Of the next try after one that failed, in ms since the epoch. */
  let notBefore = 0;
  /** Of the next look at the disk after one that failed, in ms since the epoch. */
  let lookFrom = 0;
  /** What failed before counts no longer. */
  let isForced = false;
  let wake = Promise.withResolvers<void>();

  const tell = (certificate: Certificate): void =>
    log.info({ event: "certificate_loaded", ...describeCertificate(certificate) }, "a certificate is served");
  const serve = (certificate: Certificate): void => {
    onChange(certificate);
    current = certificate;
    figures.notAfter = certificate.notAfter;
    tell(certificate);
  };
  /** Whether another process, or a restored backup, has a later one. */
  const adopt = (): boolean => {
    const kept = store.read();
    if (kept === null || kept.notAfter <= (current?.notAfter ?? 0)) return false;
    serve(kept);
    return true;
  };
  const order = async (): Promise<void> => {
    const { orderCertificate } = await import("./order.ts");
    log.info({ event: "certificate_ordered", host, directory }, "a certificate is ordered");
    const pair = await orderCertificate({
      host,
      directory,
      accountKey: await store.accountKey(),
      email,
      ca,
      userAgent: `latchkey/${version}`,
      challenges,
      signal: ending.signal,
    });
    const parsed = parseCertificate(pair);
    if (!isUsable(parsed) || !parsed.covers(host))
      throw new Error("the certificate authority gave a certificate that does not fit");
    await store.keep(pair);
    log.info({ event: "certificate_obtained", host, directory }, "a certificate was obtained");
    serve(parsed);
  };
  /** What has failed before this start, or in another process, is waited for too. @returns whether it is too early to order. */
  const isTooEarly = (): boolean => {
    const kept = store.failedTries(Date.now());
    if (kept === null) return false;
    failures = Math.max(failures, kept.failures);
    if (kept.notBefore <= Date.now()) return false;
    notBefore = kept.notBefore;
    log.warn(
      {
        event: "certificate_order_delayed",
        host,
        directory,
        failures,
        nextTry: new Date(notBefore).toISOString(),
        remedy: "mend what the tries before it failed by; systemctl reload latchkey tries at once",
      },
      "no certificate is ordered yet, since the tries before this start failed",
    );
    return true;
  };
  const nextTryAfter = (type: string | null, retryAfterMs: number): number => {
    const wasRefused = type !== null;
    const pause = pauseAfter({ failures: failures + 1, wasRefused, retryAfterMs }, Math.random());
    return Math.max(notBefore, Date.now() + Math.round(pause));
  };
  const succeed = async (): Promise<void> => {
    failures = 0;
    lookFrom = 0;
    const now = Date.now();
    notBefore = restUntil(current, now);
    if (notBefore === 0) store.forgetFailedTries();
    else await store.keepFailedTries({ failures, notBefore: Math.min(notBefore, now + retryAfterMaxMs) });
  };
  const attempt = async (): Promise<void> => {
    const release = store.lock();
    if (release === null) {
      notBefore = Date.now() + shortPauseMs;
      return;
    }
    try {
      if (!adopt()) {
        if (isTooEarly()) return;
        // A process that dies over it, again and again, asks less and less often.
        await store.keepFailedTries({ failures: failures + 1, notBefore: nextTryAfter(null, 0) });
        await order();
      }
      await succeed();
    } finally {
      release();
    }
  };
  const fail = async (cause: unknown): Promise<void> => {
    const { type = null, retryAfterMs } = cause as { type?: string | null; retryAfterMs?: number };
    notBefore = nextTryAfter(type, retryAfterMs ?? 0);
    failures += 1;
    figures.failures += 1;
    // Not the authority's, but of this machine: its disk, its port.
    if (retryAfterMs === undefined) lookFrom = notBefore;
    const nextTry = new Date(notBefore).toISOString();
    const said = {
      host,
      directory,
      reason: reasonOf(cause),
      remedy: remedyFor(type, host),
      failures,
      nextTry,
    };
    if (current === null)
      log.error(
        { event: "certificate_order_failed", ...said },
        "there is no certificate yet; https waits for it",
      );
    else
      log.error(
        { event: "certificate_renewal_failed", ...said },
        "no new certificate; the one from before goes on",
      );
    // Where not even that can be written no order is begun either.
    await store.keepFailedTries({ failures, notBefore }).catch(() => {});
  };
  const turn = async (): Promise<void> => {
    if (isForced) {
      [isForced, failures, notBefore, lookFrom] = [false, 0, 0, 0];
      store.forgetFailedTries();
    }
    const due = Math.max(notBefore, current === null ? 0 : renewalDue(current, jitter));
    const waitMs = due - Date.now();
    if (waitMs <= 0) return await attempt();
    await sleepUntil(Math.min(waitMs, current === null ? shortPauseMs : lookEveryMs), wake.promise);
    if (!ending.signal.aborted && Date.now() >= lookFrom && adopt()) await succeed();
  };
  /** Ends with the server alone, whatever fails. */
  const work = async (): Promise<void> => {
    while (!ending.signal.aborted)
      try {
        await turn();
      } catch (cause) {
        if (!ending.signal.aborted) await fail(cause);
      }
  };
  let working = Promise.resolve();
  return {
    current: () => current,
    challenges,
    begin() {
      if (current !== null) tell(current);
      working = work();
    },
    reload() {
      isForced = true;
      wake.resolve();
      wake = Promise.withResolvers();
    },
    async stop() {
      ending.abort();
      wake.resolve();
      await working;
    },
  };
}

/** Where this machine's clock is wrong a new certificate is due at once, again and again; authorities take few orders. */
function restUntil(current: Certificate | null, now: number): number {
  if (current === null || renewalDue(current, 0) > now) return 0;
  return now + (current.notAfter - current.notBefore) / 3;
}

/** What stands in the way is told by the first turn, and tried again. */
function readOrNull(store: AcmeStore): Certificate | null {
  try {
    return store.read();
  } catch {
    return null;
  }
}

function readCa(file: string | null): string | null {
  if (file === null) return null;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const variable = "LATCHKEY_ACME_CA_FILE";
    const reason = `names ${file}, which cannot be read (${String(code)})`;
    throw new ConfigError([{ variable, reason, remedy: "give the path of a file that this user may read" }]);
  }
}

/** By what the authority says: RFC 8555 §6.7. */
function remedyFor(type: string | null, host: string): string {
  if (type === "dns" || type === "connection" || type === "unauthorized" || type === "incorrectResponse")
    return `have ${host} lead to this machine, and let http://${host}/.well-known/acme-challenge/ through to LATCHKEY_HTTP_PORT`;
  if (type === "rateLimited")
    return "wait, and try things out with LATCHKEY_ACME_DIRECTORY=letsencrypt-staging";
  if (type === "rejectedIdentifier" || type === "caa") return `see that the authority may certify ${host}`;
  if (type === "externalAccountRequired")
    return "choose a LATCHKEY_ACME_DIRECTORY that takes accounts without an external one";
  return "see that this machine reaches LATCHKEY_ACME_DIRECTORY; systemctl reload latchkey tries at once";
}

async function sleepUntil(waitMs: number, woken: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
  await Promise.race([waited, woken]);
  clearTimeout(timer);
}
