import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "bun:test";
import { createCertificateFigures } from "../../src/certificate-figures.ts";
import type { KeyPair } from "../../src/server.ts";
import { readFailedTries } from "../../src/tls/acme/failed-tries.ts";
import { openAcmeSource } from "../../src/tls/acme/source.ts";
import { makeCertificate } from "../support/certificate.ts";
import { heardLog } from "../support/heard-log.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { load } from "../config/load.ts";

const dayMs = 24 * 60 * 60 * 1_000;
const host = "a.latchkey.test";
const root = makeCertificate(["DNS:localhost"]);
let asked = 0;
let retryAfter = "";

/** An authority that has had enough of everybody. */
const authority = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: { cert: root.cert, key: root.key },
  fetch(request) {
    const { pathname, origin } = new URL(request.url);
    const headers = { "Replay-Nonce": "bm9uY2U", "Retry-After": retryAfter };
    const at = (name: string) => `${origin}/${name}`;
    if (pathname === "/directory")
      return Response.json({
        newNonce: at("nonce"),
        newAccount: at("account"),
        newOrder: at("order"),
      });
    if (request.method === "HEAD") return new Response(null, { headers });
    asked += 1;
    const type = "urn:ietf:params:acme:error:rateLimited";
    return Response.json({ type, detail: "too many" }, { status: 429, headers });
  },
});
afterAll(async () => await authority.stop(true));
beforeEach(() => {
  asked = 0;
  retryAfter = "3600";
});

async function open(dataDir: string, onChange: (pair: KeyPair) => void = () => {}) {
  const heard = heardLog();
  const figures = createCertificateFigures();
  const environment = { BETTER_AUTH_URL: `https://${host}`, LATCHKEY_DATA_DIR: dataDir };
  const { config } = load(environment);
  const directory = `https://localhost:${authority.port}/directory`;
  const acme = { by: "acme", directory, caFile: root.path, email: null, httpPort: 80 } as const;
  const source = await openAcmeSource(acme, { config, log: heard.log, version: "0.0.0", figures, onChange });
  const [folder = ""] = readdirSync(join(dataDir, "acme"));
  return { source, heard, figures, folder: join(dataDir, "acme", folder) };
}

test("a disk or a port that fails is a failure as any other: told, counted, and tried again", async () => {
  const served: string[] = [];
  let isPortTaken = true;
  const { source, heard, figures, folder } = await open(temporaryDirectory("acme"), ({ cert }) => {
    if (isPortTaken) throw new Error("cannot listen");
    served.push(cert);
  });
  renameSync(folder, `${folder}.away`);
  source.begin();
  await heard.until("certificate_order_failed");
  expect(heard.eventsOf("certificate_order_failed")).toMatchObject([
    { reason: expect.stringContaining("ENOENT"), failures: 1, nextTry: expect.any(String) },
  ]);
  expect({ failures: figures.failures, asked }).toEqual({ failures: 1, asked: 0 });

  // Another process has got one meanwhile.
  const { cert, key } = makeCertificate([`DNS:${host}`]);
  mkdirSync(folder);
  writeFileSync(join(folder, `${host}.pem`), `${key.trimEnd()}\n${cert}`);
  source.reload();
  await heard.until("certificate_order_failed", 2);
  expect(heard.eventsOf("certificate_order_failed")[1]).toMatchObject({ reason: "cannot listen" });
  isPortTaken = false;
  source.reload();
  await heard.until("certificate_loaded");
  expect(served).toEqual([cert]);
  expect(figures.failures).toBe(2);
  await source.stop();
});

test("it ends without an error in whatever state the disk is", async () => {
  const { source, heard, folder } = await open(temporaryDirectory("acme"));
  renameSync(folder, `${folder}.away`);
  source.begin();
  await heard.until("certificate_order_failed");
  source.reload();
  await heard.until("certificate_order_failed", 2);
  await source.stop();
});

test("a start after one that was refused does not ask again before its time, unless SIGHUP says so", async () => {
  const dataDir = temporaryDirectory("acme");
  const first = await open(dataDir);
  first.source.begin();
  await first.heard.until("certificate_order_failed");
  await first.source.stop();
  expect(asked).toBe(1);
  const [refused] = first.heard.eventsOf("certificate_order_failed");
  const file = join(first.folder, `${host}.failed-tries.json`);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const second = await open(dataDir);
  second.source.begin();
  await second.heard.until("certificate_order_delayed");
  expect(second.heard.eventsOf("certificate_order_delayed")).toMatchObject([
    { host, failures: 1, nextTry: refused?.["nextTry"], remedy: expect.stringContaining("reload") },
  ]);
  expect(asked).toBe(1);
  second.source.reload();
  await second.heard.until("certificate_order_failed");
  expect(asked).toBe(2);
  expect(second.heard.eventsOf("certificate_order_failed")).toMatchObject([{ failures: 1 }]);
  await second.source.stop();
});

test("a process that is gone in the midst of an order leaves a pause behind, and a certificate ends it", async () => {
  const dataDir = temporaryDirectory("acme");
  const { source, heard, folder } = await open(dataDir);
  const file = join(folder, `${host}.failed-tries.json`);
  source.begin();
  await heard.until("certificate_ordered");
  expect(readFailedTries(file, Date.now())).toMatchObject({ failures: 1 });
  await heard.until("certificate_order_failed");
  const { cert, key } = makeCertificate([`DNS:${host}`]);
  writeFileSync(join(folder, `${host}.pem`), `${key.trimEnd()}\n${cert}`);
  await heard.until("certificate_loaded");
  await source.stop();
  expect(readdirSync(folder)).not.toContain(`${host}.failed-tries.json`);
});

test.each(["999999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])(
  "Retry-After: %s is waited for a day at the most",
  async (written) => {
    retryAfter = written;
    const { source, heard, folder } = await open(temporaryDirectory("acme"));
    source.begin();
    await heard.until("certificate_order_failed");
    await source.stop();
    const nextTry = Date.parse(String(heard.eventsOf("certificate_order_failed")[0]?.["nextTry"]));
    expect(nextTry).toBeGreaterThan(Date.now() + dayMs / 2);
    expect(nextTry).toBeLessThanOrEqual(Date.now() + dayMs);
    const kept = readFailedTries(join(folder, `${host}.failed-tries.json`), Date.now());
    expect(kept).toEqual({ failures: 1, notBefore: nextTry });
  },
);

test("of what was kept, nothing counts that is no number of tries or further away than a day", () => {
  const file = join(temporaryDirectory("tries"), "tries.json");
  const now = Date.now();
  const kept = (text: string) => {
    writeFileSync(file, text);
    return readFailedTries(file, now);
  };
  const sound = { failures: 3, notBefore: now + dayMs };
  expect(kept(JSON.stringify(sound))).toEqual(sound);
  for (const text of [
    "",
    "null",
    "[]",
    "{",
    JSON.stringify({ ...sound, failures: -1 }),
    JSON.stringify({ ...sound, failures: "3" }),
    JSON.stringify({ ...sound, failures: 1e300 }),
    JSON.stringify({ ...sound, notBefore: now + dayMs + 1 }),
    JSON.stringify({ ...sound, notBefore: null }),
  ])
    expect(kept(text)).toBeNull();
  expect(readFailedTries(`${file}.none`, now)).toBeNull();
});
