import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

const url = { BETTER_AUTH_URL: "https://auth.example.com" };
const files = { LATCHKEY_TLS_CERT_FILE: "tls/cert.pem", LATCHKEY_TLS_KEY_FILE: "/etc/key.pem" };
const acme = { ...url, LATCHKEY_TLS: "acme" };

const reasonsOf = (env: Readonly<Record<string, string>>) =>
  problemsOf(env).map(({ variable, reason }) => `${variable} ${reason}`);

describe("LATCHKEY_TLS", () => {
  test("is files where both are set, and changes neither PORT nor HOST", () => {
    const { config } = load({ ...url, ...files });
    expect(config).toMatchObject({ port: 3001, host: "127.0.0.1", trustedProxies: [] });
    expect(config.tls).toEqual({
      by: "files",
      certFile: "/srv/latchkey/tls/cert.pem",
      keyFile: "/etc/key.pem",
      httpPort: null,
    });
  });

  test("acme is all that a machine of its own needs", () => {
    const { config, warnings } = load(acme);
    expect(config).toMatchObject({ port: 443, host: "::", trustedProxies: [] });
    expect(config.tls).toEqual({
      by: "acme",
      directory: "https://acme-v02.api.letsencrypt.org/directory",
      caFile: null,
      email: null,
      httpPort: 80,
    });
    expect(warnings).toEqual([]);
  });

  test("acme asks for IPv4 alone where the machine has nothing else", () => {
    expect(load(acme, { hasIpv6: () => false }).config.host).toBe("0.0.0.0");
    expect(load({ ...acme, HOST: "::" }, { hasIpv6: () => false }).config.host).toBe("::");
  });

  test("acme takes another directory, ports and address", () => {
    const { config } = load({
      ...acme,
      PORT: "8443",
      HOST: "::1",
      LATCHKEY_HTTP_PORT: "8080",
      LATCHKEY_ACME_DIRECTORY: "LetsEncrypt-Staging",
      LATCHKEY_ACME_CA_FILE: "ca.pem",
      LATCHKEY_ACME_EMAIL: "admin@example.com",
    });
    expect(config).toMatchObject({ port: 8443, host: "::1" });
    expect(config.tls).toEqual({
      by: "acme",
      directory: "https://acme-staging-v02.api.letsencrypt.org/directory",
      caFile: "/srv/latchkey/ca.pem",
      email: "admin@example.com",
      httpPort: 8080,
    });
  });

  test("off leaves the files alone", () => {
    expect(load({ ...url, ...files, LATCHKEY_TLS: "off" }).config.tls).toBeNull();
  });

  test.each<[Readonly<Record<string, string>>, readonly string[]]>([
    [{ LATCHKEY_TLS: "acme" }, ["BETTER_AUTH_URL must be set: LATCHKEY_TLS is acme"]],
    [
      { ...files, BETTER_AUTH_URL: "http://localhost:3001" },
      ["BETTER_AUTH_URL is plain http, but LATCHKEY_TLS is files"],
    ],
    [
      { ...acme, BETTER_AUTH_URL: "https://203.0.113.7" },
      [
        'BETTER_AUTH_URL names "203.0.113.7", for which no certificate authority vouches by LATCHKEY_TLS=acme',
      ],
    ],
    [
      { ...acme, BETTER_AUTH_URL: "https://localhost" },
      ['BETTER_AUTH_URL names "localhost", for which no certificate authority vouches by LATCHKEY_TLS=acme'],
    ],
    [
      { ...url, LATCHKEY_TLS_CERT_FILE: "cert.pem" },
      ["LATCHKEY_TLS_KEY_FILE is not set, and a certificate needs both files"],
    ],
    [
      { ...acme, ...files },
      [
        "LATCHKEY_TLS_CERT_FILE is set, but LATCHKEY_TLS is acme",
        "LATCHKEY_TLS_KEY_FILE is set, but LATCHKEY_TLS is acme",
      ],
    ],
    [
      { ...url, ...files, LATCHKEY_ACME_EMAIL: "a@example.com" },
      ["LATCHKEY_ACME_EMAIL is set, but LATCHKEY_TLS is files"],
    ],
    [{ LATCHKEY_HTTP_PORT: "80" }, ["LATCHKEY_HTTP_PORT is set, but there is no https to lead to"]],
    [{ ...acme, LATCHKEY_HTTP_PORT: "443" }, ["LATCHKEY_HTTP_PORT is 443, as PORT is"]],
    [
      { ...acme, LATCHKEY_ACME_DIRECTORY: "http://ca.example" },
      ['LATCHKEY_ACME_DIRECTORY "http://ca.example" is no ACME directory'],
    ],
    [{ ...acme, LATCHKEY_ACME_EMAIL: "nobody" }, ["LATCHKEY_ACME_EMAIL is not an e-mail address"]],
  ])("refuses %j with its reasons", (env, reasons) => {
    expect(reasonsOf(env)).toEqual([...reasons]);
  });
});
