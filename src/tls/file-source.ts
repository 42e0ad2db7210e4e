import { ConfigError, reasonOf } from "../errors.ts";
import type { KeyPair } from "../server.ts";
import {
  type CertificateFiles,
  type ReadCertificate,
  readCertificateFiles,
  stampOf,
} from "./certificate-files.ts";
import {
  certifiedHost,
  type CertificateSource,
  describeCertificate,
  type SourceDeps,
  warningsOf,
} from "./source.ts";

const lookEveryMs = 1_000;

/**
 * A certificate from two files, read again when they change and by `reload`. Files are looked at by their names every second,
 * which notices what writes into them, renames over them, and turns a symbolic link on the way (certbot, Kubernetes). While they
 * do not fit each other, the pair before stays. @throws ConfigError when they cannot be used from the start.
 */
export function openFileSource(files: CertificateFiles, deps: SourceDeps): CertificateSource {
  const { config, log, figures, onChange } = deps;
  let seen = stampOf(files);
  let pending: string | null = null;
  const first = readCertificateFiles(files);
  let current: KeyPair = first.certificate;
  figures.notAfter = first.certificate.notAfter;
  const tell = ({ certificate, warnings }: ReadCertificate): void => {
    log.info({ event: "certificate_loaded", ...describeCertificate(certificate) }, "a certificate is served");
    const host = certifiedHost(config.baseUrl);
    for (const warning of [...warnings, ...warningsOf(certificate, host, Date.now())]) log.warn(warning);
  };
  const read = (): void => {
    seen = stampOf(files);
    try {
      const found = readCertificateFiles(files);
      const { certificate } = found;
      if (certificate.cert === current.cert && certificate.key === current.key) return;
      onChange(certificate);
      current = certificate;
      figures.notAfter = certificate.notAfter;
      tell(found);
    } catch (error) {
      figures.failures += 1;
      const problem = error instanceof ConfigError ? error.problems[0] : undefined;
      const reason = problem === undefined ? reasonOf(error) : `${problem.variable} ${problem.reason}`;
      const remedy = problem?.remedy ?? "latchkey doctor";
      log.error(
        { event: "certificate_refused", reason, remedy },
        "the new certificate cannot be used; the one from before goes on",
      );
    }
  };
  /** Reads once they have been left alone for a turn: two files are not written at once. */
  const look = (): void => {
    const stamp = stampOf(files);
    if (stamp === seen) return void (pending = null);
    if (stamp === pending) {
      pending = null;
      return read();
    }
    pending = stamp;
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    current: () => current,
    challenges: new Map(),
    begin() {
      tell(first);
      timer = setInterval(look, lookEveryMs);
      timer.unref();
    },
    reload: read,
    stop: async () => clearInterval(timer),
  };
}
