import { checkServerIdentity, connect, type DetailedPeerCertificate } from "node:tls";
import { type Check, failed, passed, warned } from "../check.ts";
import { bareHost, destinationOf, type OutsidePlace, serverName } from "./ask.ts";

const name = "certificate";
const timeoutMs = 10_000;
const dayMs = 24 * 60 * 60_000;

interface Handshake {
  readonly certificate: DetailedPeerCertificate;
  /** Why a browser refuses it; null where it takes it. */
  readonly refusal: string | null;
  readonly protocol: string;
  /** HTTP/2 as well as HTTP/1.1. */
  readonly http2: boolean;
}

/** What a browser makes of the certificate. */
export interface CertificateFinding {
  readonly checks: readonly Check[];
  /** Whether anything secret may be sent under it. */
  readonly isTrusted: boolean;
}

/** @param caFile where `place.ca` comes from. @param now the clock, in ms. @throws Error of the socket when nobody answers in TLS. */
export async function certificateChecks(
  place: OutsidePlace,
  caFile: string | undefined,
  now: number,
): Promise<CertificateFinding> {
  const { certificate, refusal, protocol, http2 } = await shakeHands(place);
  const check = judge(place, certificate, refusal, caFile, now);
  const spoken = http2 ? "HTTP/2 and HTTP/1.1" : "HTTP/1.1";
  return {
    checks: [check, passed("protocol", `${spoken}, over ${protocol}`)],
    isTrusted: check.status !== "failure",
  };
}

function judge(
  place: OutsidePlace,
  certificate: DetailedPeerCertificate,
  refusal: string | null,
  caFile: string | undefined,
  now: number,
): Check {
  const host = bareHost(place.url);
  const names = (certificate.subjectaltname ?? "").replaceAll(/(?:DNS|IP Address):/g, "") || "no name";
  const [begins, ends] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)];
  const on = new Date(ends).toISOString().slice(0, 16).replace("T", " ");
  if (checkServerIdentity(host, certificate) !== undefined)
    return failed(name, `it is for ${names}, not for ${host}: no browser goes on`, `serve one for ${host}`);
  if (ends <= now) return failed(name, `it ended on ${on} UTC: no browser goes on`, "have it renewed");
  if (begins > now)
    return failed(
      name,
      `it begins on ${new Date(begins).toISOString()}: no browser goes on`,
      "set the clock of this machine, or of the one that made it",
    );
  if (refusal !== null) return failed(name, ...untrusted(refusal, certificate, caFile));
  const left = Math.floor((ends - now) / dayMs);
  const issuer = issuerOf(certificate);
  const by = caFile === undefined ? `by ${issuer}` : `by ${issuer}, which is trusted for ${caFile} alone`;
  const found = `for ${names}, ${by}, until ${on} UTC (${left} days)`;
  // The last sixth of its time: an automatic renewal comes before, in the last third.
  if (ends - now > (ends - begins) / 6) return passed(name, found);
  return warned(name, `${found}: it should have been renewed by now`, "see why the renewal fails");
}

function issuerOf({ issuer }: DetailedPeerCertificate): string {
  const { O: organization, CN: common } = issuer ?? {};
  return [organization, common].flat().filter(Boolean).join(" ") || "an issuer without a name";
}

/** @returns detail and remedy. */
function untrusted(
  refusal: string,
  certificate: DetailedPeerCertificate,
  caFile: string | undefined,
): readonly [string, string] {
  const own =
    caFile === undefined
      ? "if that is a CA of your own, name its certificate: --ca-file FILE"
      : `put the certificate of the CA that signed it into ${caFile}`;
  if (/SELF_SIGNED/.test(refusal))
    return [`it is signed by ${issuerOf(certificate)}, whom no browser knows (${refusal})`, own];
  return [
    `its chain does not end at a CA that is known (${refusal})`,
    `serve the whole chain (fullchain.pem, not cert.pem); ${own}`,
  ];
}

function shakeHands(place: OutsidePlace): Promise<Handshake> {
  const { host, port } = place.connect ?? destinationOf(place);
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host,
        port,
        ...serverName(place.url),
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ALPNProtocols: ["h2", "http/1.1"],
        ...(place.ca === undefined ? {} : { ca: place.ca }),
      },
      () => {
        const refusal = socket.authorizationError as unknown;
        const code = (refusal as { readonly code?: string } | null)?.code ?? refusal;
        resolve({
          certificate: socket.getPeerCertificate(true),
          refusal: socket.authorized || code === "ERR_TLS_CERT_ALTNAME_INVALID" ? null : String(code),
          protocol: socket.getProtocol() ?? "TLS",
          http2: socket.alpnProtocol === "h2",
        });
        socket.destroy();
      },
    );
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no TLS within ${timeoutMs / 1000} s`)));
    socket.on("error", reject);
  });
}
