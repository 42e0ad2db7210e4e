import { readFileSync } from "node:fs";
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
