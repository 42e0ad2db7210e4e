import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./reaper.ts";

/** A certificate that signs itself. Needs `openssl`. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** The file of `cert`. */
  readonly path: string;
}

/** @param names such as `DNS:localhost` and `IP:127.0.0.1`. */
export function makeCertificate(names: readonly string[], days = 30): Certificate {
  const folder = temporaryDirectory("certificate");
  const [keyPath, path] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=mail".split(" ");
  const alternatives = `subjectAltName=${names.join(",")}`;
  const files = ["-keyout", keyPath, "-out", path];
  const { exitCode, stderr } = Bun.spawnSync(
    ["openssl", kind, "-days", String(days), "-addext", alternatives, files].flat(),
  );
  if (exitCode !== 0) throw new Error(`openssl: ${stderr.toString()}`);
  return { key: readFileSync(keyPath, "utf8"), cert: readFileSync(path, "utf8"), path };
}

/** One that ended in February 2020. */
export function makeExpiredCertificate(names: readonly string[]): Certificate {
  const folder = temporaryDirectory("certificate");
  const [key, request, path, list] = ["key.pem", "request.pem", "cert.pem", "list"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  writeFileSync(list, "");
  const config = join(folder, "ca.cnf");
  writeFileSync(
    config,
    [
      "[ca]\ndefault_ca = own",
      `[own]\ndatabase = ${list}\nnew_certs_dir = ${folder}\nrand_serial = yes\ndefault_md = sha256`,
      "policy = any\nx509_extensions = names\n[any]\ncommonName = supplied",
      `[names]\nsubjectAltName = ${names.join(",")}`,
    ].join("\n"),
  );
  const asked = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=mail".split(" ");
  const signed = "ca -batch -selfsign -startdate 20200101000000Z -enddate 20200201000000Z -config".split(" ");
  for (const args of [
    [...asked, "-keyout", key, "-out", request],
    [...signed, config, "-in", request, "-keyfile", key, "-out", path, "-notext"],
  ]) {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args]);
    if (exitCode !== 0) throw new Error(`openssl: ${stderr.toString()}`);
  }
  return { key: readFileSync(key, "utf8"), cert: readFileSync(path, "utf8"), path };
}
