import type { Config, TlsConfig } from "../config/config.ts";
import { ConfigError } from "../errors.ts";
import { type Check, failed, passed, warned } from "./check.ts";
import type { Certificate } from "../tls/certificate.ts";
import { certifiedHost, warningsOf } from "../tls/source.ts";
import { renewalDue } from "../tls/acme/schedule.ts";
import { readAcmeCertificate } from "../tls/acme/store.ts";
import { readCertificateFiles } from "../tls/certificate-files.ts";

const name = "certificate";
const dayMs = 24 * 60 * 60 * 1_000;
/** Whoever renews by hand, or by a timer that fails, has so long. */
const scarceMs = 14 * dayMs;

/** Checks the server's own certificate; nothing where it speaks plain http. @param now in ms since the epoch. */
export function tlsChecks(config: Config, now: number): readonly Check[] {
  const { tls } = config;
  if (tls === null) return [];
  return tls.by === "files" ? filesChecks(tls, config, now) : [acmeCheck(tls, config, now)];
}

function filesChecks(
  tls: Extract<TlsConfig, { by: "files" }>,
  config: Config,
  now: number,
): readonly Check[] {
  try {
    const { certificate, warnings } = readCertificateFiles(tls);
    const risks = warnings.map((warning) => warned(name, warning, `chmod 600 ${tls.keyFile}`));
    const findings = [...risks, ...certificateFindings(certificate, config, now)];
    if (findings.length > 0) return findings;
    if (certificate.notAfter - now < scarceMs)
      return [warned(name, describe(certificate, now), `renew it, into ${tls.certFile} and ${tls.keyFile}`)];
    return [passed(name, describe(certificate, now))];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable, reason, remedy }) =>
      failed(name, `${variable} ${reason}`, remedy),
    );
  }
}

/** It is renewed by the server: late is what has not been by the last tenth. */
function acmeCheck(tls: Extract<TlsConfig, { by: "acme" }>, config: Config, now: number): Check {
  const host = certifiedHost(config.baseUrl);
  const certificate = readAcmeCertificate(config.dataDir, tls.directory, host);
  if (certificate === null)
    return warned(
      name,
      `none yet for ${host}; the server orders it from ${tls.directory} when it runs`,
      `start it; http://${host}/.well-known/acme-challenge/ has to reach port ${String(tls.httpPort)}`,
    );
  const [finding] = certificateFindings(certificate, config, now);
  if (finding !== undefined) return finding;
  const { notBefore, notAfter } = certificate;
  if (now > notBefore + (notAfter - notBefore) * 0.9)
    return warned(
      name,
      `${describe(certificate, now)}, and should have been renewed since ${new Date(renewalDue(certificate, 1)).toISOString()}`,
      "look for certificate_renewal_failed in the log",
    );
  return passed(name, `${describe(certificate, now)}, from ${tls.directory}`);
}

function certificateFindings(certificate: Certificate, { baseUrl }: Config, now: number): readonly Check[] {
  return warningsOf(certificate, certifiedHost(baseUrl), now).map((warning) =>
    failed(name, warning, "latchkey's docs/https.md has the ways to another one"),
  );
}

function describe({ names, notAfter }: Certificate, now: number): string {
  const days = Math.floor((notAfter - now) / dayMs);
  return `for ${names.join(", ")}, until ${new Date(notAfter).toISOString()} (${days} days)`;
}
