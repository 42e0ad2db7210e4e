import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { createCertificateFigures } from "../../src/certificate-figures.ts";
import { ConfigError } from "../../src/errors.ts";
import type { KeyPair } from "../../src/server.ts";
import { openFileSource } from "../../src/tls/file-source.ts";
import { makeCertificate } from "../support/certificate.ts";
import { heardLog } from "../support/heard-log.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { load } from "../config/load.ts";

const [one, two] = [makeCertificate(["DNS:a.test"]), makeCertificate(["DNS:a.test"])];
const { config } = load({ BETTER_AUTH_URL: "https://a.test" });

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A source whose files stand in a folder of their own; `fails` has what it tells be refused. */
function open(folder = temporaryDirectory("files")) {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const put = ({ cert, key }: KeyPair, mode = 0o600) => {
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    chmodSync(keyFile, mode);
  };
  put(one);
  const heard = heardLog();
  const figures = createCertificateFigures();
  const served: string[] = [];
  const state = { fails: false };
  const onChange = ({ cert }: KeyPair) => {
    if (state.fails) throw new Error("too many open files");
    served.push(cert);
  };
  const deps = { config, log: heard.log, version: "0.0.0", figures, onChange };
  const source = openFileSource({ certFile, keyFile }, deps);
  source.begin();
  return { source, put, keyFile, certFile, folder, heard, figures, served, state };
}

test("a key that only its mode kept from being read is read once the mode is mended", async () => {
  const { source, put, keyFile, heard, served } = open();
  put(two, 0o666);
  jest.advanceTimersByTime(3_000);
  expect(heard.eventsOf("certificate_refused")).toMatchObject([
    { reason: expect.stringContaining("written to by others") },
  ]);
  chmodSync(keyFile, 0o600);
  jest.advanceTimersByTime(3_000);
  expect(served).toEqual([two.cert]);
  await source.stop();
});

test("what failed is tried again every minute though the files stay as they are, and told once", async () => {
  const { source, put, heard, figures, served, state } = open();
  state.fails = true;
  put(two);
  jest.advanceTimersByTime(150_000);
  expect(figures.failures).toBe(3);
  expect(heard.eventsOf("certificate_refused")).toMatchObject([{ reason: "too many open files" }]);
  expect(served).toEqual([]);
  source.reload();
  expect(heard.eventsOf("certificate_refused")).toHaveLength(2);
  state.fails = false;
  jest.advanceTimersByTime(60_000);
  expect(served).toEqual([two.cert]);
  jest.advanceTimersByTime(180_000);
  expect({ served: served.length, failures: figures.failures }).toEqual({ served: 1, failures: 4 });
  await source.stop();
});

test("a folder that cannot be gone through is refused by the setting's name at the start, and later leaves the pair in force", async () => {
  const closed = join(temporaryDirectory("files"), "closed");
  symlinkSync(closed, closed);
  const [certFile, keyFile] = [join(closed, "cert.pem"), join(closed, "key.pem")];
  const { log } = heardLog();
  const deps = { config, log, version: "0.0.0", figures: createCertificateFigures(), onChange: () => {} };
  let refusal: unknown;
  try {
    openFileSource({ certFile, keyFile }, deps);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(ConfigError);
  expect((refusal as ConfigError).problems).toMatchObject([
    { variable: "LATCHKEY_TLS_CERT_FILE", reason: expect.stringContaining("cannot be read (ELOOP)") },
  ]);

  const top = temporaryDirectory("files");
  const folder = join(top, "live");
  mkdirSync(folder);
  const { source, heard, put, served } = open(folder);
  renameSync(folder, join(top, "away"));
  symlinkSync(folder, folder);
  jest.advanceTimersByTime(3_000);
  expect(heard.eventsOf("certificate_refused")).toMatchObject([
    { reason: expect.stringContaining("cannot be read (ELOOP)") },
  ]);
  renameSync(join(top, "away"), join(top, "back"));
  renameSync(folder, join(top, "loop"));
  renameSync(join(top, "back"), folder);
  put(two);
  jest.advanceTimersByTime(3_000);
  expect(served).toEqual([two.cert]);
  await source.stop();
});
