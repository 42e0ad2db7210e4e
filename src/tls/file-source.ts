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
/** After a failure, though the files stay as they are: what was in the way may be gone. In looks. */
const tryAgainAfter = 60;

/**
 * A certificate from two files, read again when they change and by `reload`. Files are looked at by their names every second,
 * which notices what writes into them, renames over them, and turns a symbolic link on the way (certbot, Kubernetes). While they
 * do not fit each other, the pair before stays, and once a minute they are tried again. @throws ConfigError when they cannot be used from the start.
 */
export function openFileSource(files: CertificateFiles, deps: SourceDeps): CertificateSource {
  const { config, log, figures, onChange } = deps;
  let seen = stampOf(files);
  let pending: string | null = null;
  /** What was said of the failure that is still there. */
  let refusal: string | null = null;
  let looksSinceFailure = 0;
  const first = readCertificateFiles(files);
  let current: KeyPair = first.certificate;
  figures.notAfter = first.certificate.notAfter;
  const tell = ({ certificate, warnings }: ReadCertificate): void => {
    log.info({ event: "certificate_loaded", ...describeCertificate(certificate) }, "a certificate is served");
    const host = certifiedHost(config.baseUrl);
    for (const warning of [...warnings, ...warningsOf(certificate, host, Date.now())]) log.warn(warning);
  };
  /** @param isAgain whether a reason that was told already goes without saying. */
  const read = (isAgain: boolean): void => {
    seen = stampOf(files);
    looksSinceFailure = 0;
    try {
      const found = readCertificateFiles(files);
      const { certificate } = found;
      const isSame = certificate.cert === current.cert && certificate.key === current.key;
      if (!isSame) onChange(certificate);
      refusal = null;
      if (isSame) return;
      current = certificate;
      figures.notAfter = certificate.notAfter;
      tell(found);
    } catch (error) {
      figures.failures += 1;
      const problem = error instanceof ConfigError ? error.problems[0] : undefined;
      const reason = problem === undefined ? reasonOf(error) : `${problem.variable} ${problem.reason}`;
      const remedy = problem?.remedy ?? "latchkey doctor";
      if (isAgain && reason === refusal) return;
      refusal = reason;
      log.error(
        { event: "certificate_refused", reason, remedy },
        "the new certificate cannot be used; the one from before goes on",
      );
    }
  };
  /** Reads once they have been left alone for a turn: two files are not written at once. */
  const look = (): void => {
    const stamp = stampOf(files);
    if (refusal !== null) looksSinceFailure += 1;
    if (refusal !== null && looksSinceFailure >= tryAgainAfter) return read(true);
    if (stamp === seen) return void (pending = null);
    if (stamp === pending) {
      pending = null;
      return read(false);
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
    reload: () => read(false),
    stop: async () => clearInterval(timer),
  };
}
