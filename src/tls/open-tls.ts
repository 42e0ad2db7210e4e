import { type CertificateFigures, createCertificateFigures } from "../certificate-figures.ts";
import type { Config, TlsConfig } from "../config/config.ts";
import type { Log } from "../log.ts";
import { type Listener, listen, together } from "../server.ts";
import { claimPort } from "../workers/port-claim.ts";
import { listenForHttp } from "./http-port.ts";
import { createSecureListener } from "./secure-listener.ts";
import type { CertificateSource, SourceDeps } from "./source.ts";

/** https of one process. */
export interface Tls extends Pick<CertificateSource, "begin" | "reload"> {
  /** Of https, and of plain http beside it. */
  readonly listener: Listener;
  readonly figures: CertificateFigures;
}

interface TlsDeps {
  readonly log: Log;
  readonly version: string;
}

/**
 * Takes the ports, and listens for https where there is a certificate already.
 * @throws ConfigError where the certificate's files cannot be used, CommandError where a port cannot be had.
 */
export async function openTls(tls: TlsConfig, config: Config, deps: TlsDeps): Promise<Tls> {
  const figures = createCertificateFigures();
  const { hostname, port, sharing, release } = await takePort(config);
  const https = createSecureListener({ hostname, port, sharing });
  try {
    const source = await openCertificateSource(tls, { ...deps, config, figures, onChange: https.use });
    const pair = source.current();
    if (pair !== null) https.use(pair);
    const listener = tls.httpPort === null ? https : withHttp(https, tls.httpPort, config, source);
    return {
      listener: {
        ...listener,
        async drain() {
          await source.stop();
          await listener.drain();
        },
        async stop() {
          await source.stop();
          await listener.stop();
          release();
        },
      },
      figures,
      begin: source.begin,
      reload: source.reload,
    };
  } catch (error) {
    await https.stop();
    release();
    throw error;
  }
}

/** @throws ConfigError where the files cannot be used. */
async function openCertificateSource(tls: TlsConfig, deps: SourceDeps): Promise<CertificateSource> {
  if (tls.by === "files") {
    const { openFileSource } = await import("./file-source.ts");
    return openFileSource(tls, deps);
  }
  const { openAcmeSource } = await import("./acme/source.ts");
  return await openAcmeSource(tls, deps);
}

function withHttp(
  https: Listener,
  port: number,
  { host, baseUrl }: Config,
  source: CertificateSource,
): Listener {
  const { challenges, current } = source;
  const http = listenForHttp(host, port, { baseUrl, challenges, isSecured: () => current() !== null });
  return together(https, { ...http, serve: () => {} });
}

/** https of several workers, at their supervisor: it has the certificate and plain http. */
export interface SupervisedTls extends Pick<CertificateSource, "current" | "begin" | "reload"> {
  readonly figures: CertificateFigures;
  stop(): Promise<void>;
}

/** @param onChange hands another certificate to the workers. @throws as `openTls`. */
export async function openSupervisedTls(
  tls: TlsConfig,
  config: Config,
  deps: TlsDeps & Pick<SourceDeps, "onChange">,
): Promise<SupervisedTls> {
  const figures = createCertificateFigures();
  const source = await openCertificateSource(tls, { ...deps, config, figures });
  const { challenges, current, begin, reload } = source;
  const isSecured = () => current() !== null;
  const { host, baseUrl } = config;
  const http =
    tls.httpPort === null ? null : listenForHttp(host, tls.httpPort, { baseUrl, challenges, isSecured });
  return {
    figures,
    current,
    begin,
    reload,
    async stop() {
      await source.stop();
      await http?.stop();
    },
  };
}

/** On Linux two listeners share it while one certificate follows another, and no other latchkey gets a part. */
async function takePort({ host, port }: Config) {
  if (process.platform === "linux") {
    const { address, port: claimed, release } = await claimPort(host, port);
    return { hostname: address, port: claimed, sharing: "sole" as const, release };
  }
  const found = listen(host, port);
  await found.stop();
  return { hostname: host, port: found.port, sharing: "none" as const, release: () => {} };
}
