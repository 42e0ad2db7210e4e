import { readFileSync } from "node:fs";
import type { TlsConfig } from "../../config/config.ts";
import { prepareDataDirectory } from "../../data-directory.ts";
import { ConfigError, reasonOf } from "../../errors.ts";
import { type Certificate, isUsable, parseCertificate } from "../certificate.ts";
import { certifiedHost, type CertificateSource, describeCertificate, type SourceDeps } from "../source.ts";
import { pauseAfter, renewalDue } from "./schedule.ts";
import { openAcmeStore } from "./store.ts";

type AcmeConfig = Extract<TlsConfig, { readonly by: "acme" }>;

/** Another process on the data directory may have renewed meanwhile, and clocks are set. */
const lookEveryMs = 60_000;
/** While another process orders, and while there is none. */
const shortPauseMs = 2_000;

/**
 * A certificate that a certificate authority gives for the host of BETTER_AUTH_URL, ordered when there is none and renewed in the last
 * third of its time. What fails is tried again, less and less often, and never ends the process.
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
  let current: Certificate | null = store.read();
  figures.notAfter = current?.notAfter ?? null;
  let failures = 0;
  /** Of the next try after one that failed, in ms since the epoch. */
  let notBefore = 0;
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
  const attempt = async (): Promise<void> => {
    const release = store.lock();
    if (release === null) {
      notBefore = Date.now() + shortPauseMs;
      return;
    }
    try {
      if (!adopt()) await order();
      failures = 0;
      notBefore = restUntil(current, Date.now());
    } catch (cause) {
      if (ending.signal.aborted) return;
      failures += 1;
      figures.failures += 1;
      const { type = null, retryAfterMs = 0 } = cause as { type?: string | null; retryAfterMs?: number };
      const wasRefused = type !== null;
      notBefore = Date.now() + pauseAfter({ failures, wasRefused, retryAfterMs }, Math.random());
      const nextTry = new Date(notBefore).toISOString();
      const event = current === null ? "certificate_order_failed" : "certificate_renewal_failed";
      const said = {
        host,
        directory,
        reason: reasonOf(cause),
        remedy: remedyFor(type, host),
        failures,
        nextTry,
      };
      if (event === "certificate_order_failed")
        log.error(
          { event: "certificate_order_failed", ...said },
          "there is no certificate yet; https waits for it",
        );
      else
        log.error(
          { event: "certificate_renewal_failed", ...said },
          "no new certificate; the one from before goes on",
        );
    } finally {
      release();
    }
  };
  const work = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const due = Math.max(notBefore, current === null ? 0 : renewalDue(current, jitter));
      const waitMs = due - Date.now();
      if (waitMs <= 0) await attempt();
      else {
        await sleepUntil(Math.min(waitMs, current === null ? shortPauseMs : lookEveryMs), wake.promise);
        if (!ending.signal.aborted) adopt();
      }
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
      notBefore = 0;
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
