import { connect, type TLSSocket } from "node:tls";

/** A connection of its own to this machine, with TLS, whoever vouches for the other end. */
export function connectSecurely(
  port: number,
  minVersion?: "TLSv1.2" | "TLSv1.3",
  host: "127.0.0.1" | "::1" = "127.0.0.1",
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const options = { host, port, rejectUnauthorized: false };
  const socket = connect(minVersion === undefined ? options : { ...options, minVersion });
  socket.once("secureConnect", () => resolve(socket));
  socket.once("error", reject);
  return promise;
}

/** What tells the certificate that is served there: SHA-256 in hex, with colons. */
async function servedFingerprint(port: number): Promise<string> {
  const socket = await connectSecurely(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** Waits until that certificate is served. */
export async function untilServed(port: number, fingerprint: string): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    const served = await servedFingerprint(port).catch(() => "");
    if (served === fingerprint) return;
    if (tried === 400) throw new Error(`${served} is served, and not ${fingerprint}`);
    await Bun.sleep(50);
  }
}

/** Fetches on a connection of its own, whoever vouches for the other end. */
export async function fetchAnew(url: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(url, {
    redirect: "manual",
    ...init,
    keepalive: false,
    tls: { rejectUnauthorized: false },
  });
}
