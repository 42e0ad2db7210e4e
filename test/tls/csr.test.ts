import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { createCertificateRequest } from "../../src/tls/acme/csr.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const longest = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(57)}.test`;

test.each(["a.test", "auth.example.com", longest])(
  "openssl reads the request for %s, and its signature",
  async (host) => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const file = join(temporaryDirectory("csr"), "request.der");
    await Bun.write(file, createCertificateRequest(host, privateKey));
    const read = Bun.spawnSync([
      "openssl",
      "req",
      "-inform",
      "DER",
      "-in",
      file,
      "-verify",
      "-noout",
      "-text",
    ]);
    const said = read.stdout.toString() + read.stderr.toString();
    expect(read.exitCode).toBe(0);
    expect(said).toContain("verify OK");
    expect(said).toContain("Subject: \n");
    expect(said).toContain(`DNS:${host}\n`);
    expect(said).toContain("Signature Algorithm: ecdsa-with-SHA256");
  },
);
