import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { afterAll, expect, test } from "bun:test";
import type { Front } from "../../src/front.ts";
import { createSecureListener } from "../../src/tls/secure-listener.ts";
import { claimPort } from "../../src/workers/port-claim.ts";
import { makeCertificate } from "../support/certificate.ts";
import { hasIpv6 } from "../../src/config/has-ipv6.ts";
import { freePort } from "../support/free-port.ts";
import { connectSecurely } from "../support/tls-client.ts";

const isLinux = process.platform === "linux";
const front: Front = { fetch: () => Promise.resolve(new Response("here")), routes: {} };
const [one, two] = [makeCertificate(["DNS:a.test"]), makeCertificate(["DNS:a.test"])];
const claim = await claimPort("127.0.0.1", 0);
const listener = createSecureListener({ hostname: "127.0.0.1", port: claim.port, sharing: "sole" });
afterAll(async () => {
  await listener.stop();
  claim.release();
});

/** One answer, headers and all, in lower case; what came where the other end closed it. */
async function ask(socket: TLSSocket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = "";
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString().toLowerCase();
    if (said.includes("\r\n\r\nhere")) resolve(said);
  });
  socket.on("close", () => resolve(said));
  socket.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  return await promise;
}

test.skipIf(!isLinux)(
  "from the moment of another certificate every new connection has it, and a kept one is asked to leave with its next answer",
  async () => {
    await expect(connectSecurely(claim.port)).rejects.toThrow("ECONNREFUSED");
    listener.serve(front);
    listener.use(one);
    const kept = await connectSecurely(claim.port);
    expect(await ask(kept)).not.toContain("connection: close");
    const fingerprintOf = ({ cert }: { readonly cert: string }) => new X509Certificate(cert).fingerprint256;
    expect(kept.getPeerCertificate().fingerprint256).toBe(fingerprintOf(one));
    listener.use(two);
    const parted = ask(kept);
    const fresh = await Promise.all(Array.from({ length: 40 }, () => connectSecurely(claim.port)));
    const served = new Set(fresh.map((socket) => socket.getPeerCertificate().fingerprint256));
    expect([...served]).toEqual([fingerprintOf(two)]);
    expect(await parted).toContain("connection: close");
    for (const socket of [kept, ...fresh]) socket.destroy();
  },
);

test.skipIf(!isLinux)("three certificates in a row leave the last one, to everybody", async () => {
  for (const pair of [one, two, one]) listener.use(pair);
  const fresh = await Promise.all(Array.from({ length: 20 }, () => connectSecurely(claim.port)));
  const served = new Set(fresh.map((socket) => socket.getPeerCertificate().fingerprint256));
  expect([...served]).toEqual([new X509Certificate(one.cert).fingerprint256]);
  for (const socket of fresh) socket.destroy();
});

test.skipIf(!isLinux || !hasIpv6())("on :: every new connection of IPv6 and of IPv4 has it", async () => {
  const claimed = await claimPort("::", 0);
  const every = createSecureListener({ hostname: "::", port: claimed.port, sharing: "sole" });
  every.serve(front);
  for (const pair of [one, two]) {
    every.use(pair);
    const fresh = await Promise.all(
      (["127.0.0.1", "::1"] as const).flatMap((host) =>
        Array.from({ length: 20 }, () => connectSecurely(claimed.port, undefined, host)),
      ),
    );
    const served = new Set(fresh.map((socket) => socket.getPeerCertificate().fingerprint256));
    expect([...served]).toEqual([new X509Certificate(pair.cert).fingerprint256]);
    for (const socket of fresh) socket.destroy();
  }
  await every.stop();
  claimed.release();
});

test("where two cannot listen on one port, a pair that cannot be served leaves the one before in force", async () => {
  const alone = createSecureListener({ hostname: "127.0.0.1", port: freePort(), sharing: "none" });
  const served = async () => {
    const socket = await connectSecurely(alone.port);
    const { fingerprint256 } = socket.getPeerCertificate();
    expect(await ask(socket)).toContain("here");
    socket.destroy();
    return fingerprint256;
  };
  try {
    alone.serve(front);
    alone.use(one);
    for (let tried = 1; tried <= 2; tried += 1) {
      expect(() => alone.use({ cert: two.cert, key: "no key" })).toThrow("cannot listen");
      expect(await served()).toBe(new X509Certificate(one.cert).fingerprint256);
    }
    alone.use(two);
    expect(await served()).toBe(new X509Certificate(two.cert).fingerprint256);
  } finally {
    await alone.stop();
  }
});
