import { X509Certificate } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { hasIpv6 } from "../../src/config/has-ipv6.ts";
import { type Certificate, makeCertificate } from "../support/certificate.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { connectSecurely, fetchAnew, untilServed } from "../support/tls-client.ts";

setDefaultTimeout(60_000);

const host = "auth.latchkey.test";
const names = [`DNS:${host}`];
const fingerprintOf = ({ cert }: Certificate) => new X509Certificate(cert).fingerprint256;

/** Folders as certbot and Kubernetes have them: a link that leads to the version in force. */
function linkedFolder(first: Certificate) {
  const folder = temporaryDirectory("tls");
  let version = 0;
  const put = (certificate: Certificate) => {
    version += 1;
    const target = join(folder, `version-${version}`);
    mkdirSync(target);
    writeFileSync(join(target, "tls.crt"), certificate.cert);
    writeFileSync(join(target, "tls.key"), certificate.key, { mode: 0o600 });
    symlinkSync(target, join(folder, "next"));
    renameSync(join(folder, "next"), join(folder, "live"));
  };
  put(first);
  return {
    put,
    certFile: join(folder, "live", "tls.crt"),
    keyFile: join(folder, "live", "tls.key"),
  };
}

async function serve(certFile: string, keyFile: string, more: Readonly<Record<string, string>> = {}) {
  const env = {
    BETTER_AUTH_URL: `https://${host}`,
    LATCHKEY_TLS_CERT_FILE: certFile,
    LATCHKEY_TLS_KEY_FILE: keyFile,
    ...more,
  };
  const server = await spawnLatchkey({ env });
  return { server, env, port: Number(new URL(server.url).port) };
}

const eventsOf = (server: RunningLatchkey, event: string) =>
  server.logs().filter((line) => line["event"] === event);

async function untilEvents(server: RunningLatchkey, event: string, count: number): Promise<void> {
  while (eventsOf(server, event).length < count) await Bun.sleep(20);
}

test("two files make the port https, TLS 1.2 at the least; plain http leads there, and refuses what it should not have heard", async () => {
  const made = makeCertificate(names);
  const httpPort = freePort();
  const key = join(dirname(made.path), "key.pem");
  const { server, env, port } = await serve(made.path, key, { LATCHKEY_HTTP_PORT: String(httpPort) });
  expect(server.url).toBe(`https://127.0.0.1:${port}`);
  const trusted = await fetch(`https://127.0.0.1:${port}/signin`, {
    tls: { ca: made.cert, serverName: host },
  });
  expect({ status: trusted.status, hsts: trusted.headers.get("strict-transport-security") }).toEqual({
    status: 200,
    hsts: "max-age=31536000",
  });
  const socket = await connectSecurely(port);
  expect(["TLSv1.2", "TLSv1.3"]).toContain(socket.getProtocol() ?? "");
  socket.destroy();
  const old = Bun.spawnSync(
    ["openssl", "s_client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-connect", `127.0.0.1:${port}`],
    { stdin: "ignore" },
  );
  expect(old.stderr.toString()).toContain("alert protocol version");

  const led = await fetch(`http://127.0.0.1:${httpPort}/evil.example//a?b=c`, {
    headers: { host: "evil.example" },
    redirect: "manual",
  });
  expect({ status: led.status, location: led.headers.get("location") }).toEqual({
    status: 308,
    location: `https://${host}/evil.example//a?b=c`,
  });
  const refused = await fetch(`http://127.0.0.1:${httpPort}/api/auth/sign-in/email`, {
    method: "POST",
    body: "{}",
    redirect: "manual",
  });
  expect({ status: refused.status, location: refused.headers.get("location") }).toEqual({
    status: 403,
    location: null,
  });
  expect(await refused.json()).toMatchObject({ code: "HTTPS_REQUIRED" });
  const challenge = await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/x`);
  expect(challenge.status).toBe(404);

  const asked = await runLatchkey(["healthcheck"], { env: { ...env, PORT: String(port) } });
  expect(asked).toMatchObject({ exitCode: 0, stdout: `https://127.0.0.1:${port}/health is ready\n` });
  const settings = Object.entries({ ...env, PORT: port }).map(([name, value]) => `${name}=${value}`);
  const file = join(temporaryDirectory("settings"), "latchkey.env");
  writeFileSync(file, settings.join("\n"));
  expect(await runLatchkey(["healthcheck", "--env-file", file])).toEqual(asked);
  const doctor = await runLatchkey(["doctor", "--json"], { env: { ...env, PORT: String(port) } });
  const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; status: string }[] };
  expect(checks.filter(({ name }) => name === "certificate")).toMatchObject([{ status: "ok" }]);
  expect(await server.stop()).toBe(0);
});

test.skipIf(!hasIpv6()).each(["1", "2"])(
  "HOST=:: is IPv6 and IPv4 on both ports, and whoever comes by IPv4 has that address (LATCHKEY_WORKERS=%s)",
  async (LATCHKEY_WORKERS) => {
    const made = makeCertificate(names);
    const [PORT, LATCHKEY_HTTP_PORT] = [String(freePort()), String(freePort())];
    const more = { HOST: "::", PORT, LATCHKEY_HTTP_PORT, LATCHKEY_WORKERS, LATCHKEY_LIMITS: "on" };
    const { server } = await serve(made.path, join(dirname(made.path), "key.pem"), {
      ...more,
      LATCHKEY_LIMIT_SIGN_IN: "5/1m",
    });
    const statuses: number[] = [];
    for (const address of ["127.0.0.1", "[::1]"]) {
      const led = await fetchAnew(`http://${address}:${LATCHKEY_HTTP_PORT}/signin`);
      expect(led.status).toBe(308);
      for (let tried = 0; tried < 6; tried += 1) {
        const refused = await fetchAnew(`https://${address}:${PORT}/api/auth/sign-in/email`, {
          method: "POST",
          headers: { "content-type": "application/json", origin: `https://${host}`, host },
          body: JSON.stringify({ email: `nobody-${tried}@example.com`, password: "purple walrus 77 tea" }),
        });
        statuses.push(refused.status);
      }
    }
    const asked = await runLatchkey(["healthcheck", "--pid", String(server.pid)]);
    expect(asked).toMatchObject({ exitCode: 0, stdout: `https://127.0.0.1:${PORT}/health is ready\n` });
    // Each family's address has tries of its own.
    const ofOne = [401, 401, 401, 401, 401, 429];
    expect(statuses).toEqual([...ofOne, ...ofOne]);
    expect(await server.stop()).toBe(0);
    const clients = eventsOf(server, "sign_in").map((line) => line["clientAddress"]);
    expect([...new Set(clients)]).toEqual(["127.0.0.1", "::1"]);
  },
);

test("several reloads by SIGHUP fail no request, neither on new connections nor on one that is kept, nor the one under way", async () => {
  const [one, two] = [makeCertificate(names), makeCertificate(names)];
  const folder = temporaryDirectory("tls");
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const put = (certificate: Certificate) => {
    writeFileSync(certFile, certificate.cert);
    writeFileSync(keyFile, certificate.key, { mode: 0o600 });
  };
  put(one);
  const { server, port } = await serve(certFile, keyFile);
  const held = await connectSecurely(port);
  let answer = "";
  held.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  const body = JSON.stringify({ email: "a@example.com", password: "correct horse battery" });
  held.write(
    `POST /api/auth/sign-in/email HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  let isOver = false;
  const failures: unknown[] = [];
  let answered = 0;
  const live = `${server.url}/health/live`;
  const again = () => fetch(live, { tls: { rejectUnauthorized: false } });
  const load = [fetchAnew, fetchAnew, again].map(async (ask) => {
    while (!isOver)
      await ask(live).then(
        ({ status }) => (status === 200 ? (answered += 1) : failures.push(status)),
        (error: unknown) => failures.push(error),
      );
  });
  for (const next of [two, one, two]) {
    put(next);
    process.kill(server.pid, "SIGHUP");
    await untilServed(port, fingerprintOf(next));
    // The listener before is closed by then.
    await Bun.sleep(1_200);
  }
  isOver = true;
  await Promise.all(load);
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(50);
  held.write(body.slice(-1));
  while (!answer.includes("INVALID_EMAIL_OR_PASSWORD")) await Bun.sleep(20);
  expect(answer).toStartWith("HTTP/1.1 401");
  expect(eventsOf(server, "certificate_loaded")).toHaveLength(4);
  expect(await server.stop()).toBe(0);
});

test.each([1, 2])(
  "what changes the files is noticed, and a pair that does not fit is not served (%i workers)",
  async (workers) => {
    const [one, two, three] = [makeCertificate(names), makeCertificate(names), makeCertificate(names)];
    const folder = linkedFolder(one);
    const { server, port } = await serve(folder.certFile, folder.keyFile, {
      LATCHKEY_WORKERS: String(workers),
      LATCHKEY_METRICS_LISTEN: "127.0.0.1:0",
    });
    await untilServed(port, fingerprintOf(one));
    folder.put({ ...two, key: three.key });
    await untilEvents(server, "certificate_refused", 1);
    expect(eventsOf(server, "certificate_refused")).toMatchObject([
      { reason: expect.stringContaining("holds the key of another certificate"), level: "error" },
    ]);
    await untilServed(port, fingerprintOf(one));
    folder.put(two);
    await untilServed(port, fingerprintOf(two));
    const listening = server.logs().find((line) => line["event"] === "listening");
    const figures = await (await fetch(String(listening?.["metrics"]))).text();
    expect(figures).toContain("latchkey_tls_certificate_failures_total 1\n");
    const notAfter = new X509Certificate(two.cert).validToDate.getTime() / 1_000;
    expect(figures).toContain(`latchkey_tls_certificate_expiry_timestamp_seconds ${notAfter}\n`);
    expect(await server.stop()).toBe(0);
  },
);

test("a start is refused with its reason where the files cannot be used, and goes on with what only browsers refuse", async () => {
  const [one, other] = [makeCertificate(names), makeCertificate(["DNS:other.example"])];
  const folder = temporaryDirectory("tls");
  const [cert, key, open] = ["cert.pem", "key.pem", "open.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(cert, one.cert);
  writeFileSync(key, other.key, { mode: 0o600 });
  cpSync(key, open);
  chmodSync(open, 0o666);
  const start = async (certFile: string, keyFile: string) =>
    await runLatchkey([], {
      env: {
        PORT: "0",
        BETTER_AUTH_URL: `https://${host}`,
        LATCHKEY_TLS_CERT_FILE: certFile,
        LATCHKEY_TLS_KEY_FILE: keyFile,
      },
    });
  const said = async (certFile: string, keyFile: string) => {
    const { exitCode, stderr } = await start(certFile, keyFile);
    return { exitCode, reason: /Error: (.*)/.exec(stderr)?.[1] };
  };
  expect(await said(cert, key)).toEqual({
    exitCode: 2,
    reason: `LATCHKEY_TLS_KEY_FILE: names ${key}, which holds the key of another certificate`,
  });
  expect(await said(key, key)).toEqual({
    exitCode: 2,
    reason: `LATCHKEY_TLS_CERT_FILE: names ${key}, which holds no certificate in PEM`,
  });
  expect(await said(cert, join(folder, "none.pem"))).toEqual({
    exitCode: 2,
    reason: `LATCHKEY_TLS_KEY_FILE: names ${join(folder, "none.pem")}, which cannot be read (ENOENT)`,
  });
  expect(await said(cert, open)).toEqual({
    exitCode: 2,
    reason: `LATCHKEY_TLS_KEY_FILE: names ${open}, which may be written to by others (mode 0666)`,
  });
  const { server } = await serve(other.path, join(dirname(other.path), "key.pem"));
  await untilEvents(server, "certificate_loaded", 1);
  const warning = `the certificate is for other.example, and not for ${host}, the host of BETTER_AUTH_URL`;
  while (!server.stderr().includes(warning)) await Bun.sleep(20);
  expect(await server.stop()).toBe(0);
});
