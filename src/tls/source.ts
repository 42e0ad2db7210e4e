import type { CertificateFigures } from "../certificate-figures.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../log.ts";
import type { KeyPair } from "../server.ts";
import type { Certificate } from "./certificate.ts";

/** Where the server's certificate comes from, now and later. */
export interface CertificateSource {
  /** Null while none was obtained. */
  readonly current: () => KeyPair | null;
  /** Answers to a certificate authority, by their tokens. */
  readonly challenges: ReadonlyMap<string, string>;
  /** Begins to look for another one, and tells of the one that is there. To be called once. */
  begin(): void;
  /** Looks, or tries, at once. */
  reload(): void;
  stop(): Promise<void>;
}

export interface SourceDeps {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  readonly figures: CertificateFigures;
  /** Hears of every certificate but the one that is there from the start. May throw. */
  readonly onChange: (pair: KeyPair) => void;
}

/** What the log has of a certificate. */
export function describeCertificate({ names, issuer, notAfter }: Certificate) {
  return { names, issuer, notAfter: new Date(notAfter).toISOString() };
}

/** The host that a certificate has to vouch for. */
export function certifiedHost(baseUrl: string): string {
  return new URL(baseUrl).hostname.replace(/^\[|\]$/g, "");
}

/** What is wrong with one that can be served: whoever calls sees it sooner or later. */
export function warningsOf(certificate: Certificate, host: string, now: number): readonly string[] {
  const { notBefore, notAfter, names, covers } = certificate;
  const at = (ms: number) => new Date(ms).toISOString();
  return [
    ...(covers(host)
      ? []
      : [
          `the certificate is for ${names.join(", ") || "no name"}, and not for ${host}, the host of BETTER_AUTH_URL`,
        ]),
    ...(notAfter <= now ? [`the certificate ended at ${at(notAfter)}: browsers refuse it; renew it`] : []),
    ...(notBefore > now ? [`the certificate does not count before ${at(notBefore)}: look at the clock`] : []),
  ];
}
