import { isIP } from "node:net";
import { parsePath } from "./file-path.ts";
import { isLoopbackHost, type Listen, type TlsSource } from "./listen.ts";
import { addressPattern } from "./mail.ts";
import { isSecure } from "./origin.ts";
import { accepted, parseChoice, parseInteger, type Parsed, quote, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";
import type { ConfigDeps, TlsConfig } from "./config.ts";

const name = "LATCHKEY_TLS";
const fileNames = ["LATCHKEY_TLS_CERT_FILE", "LATCHKEY_TLS_KEY_FILE"] as const;
const acmeNames = ["LATCHKEY_ACME_DIRECTORY", "LATCHKEY_ACME_CA_FILE", "LATCHKEY_ACME_EMAIL"] as const;
const httpPortName = "LATCHKEY_HTTP_PORT";
const urlName = "BETTER_AUTH_URL";

/** By their names; any other one by its address. */
const directories = {
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
} as const;

/** Reads LATCHKEY_TLS; `files` where both files are set and it is not. */
export function readTlsSource(reader: ConfigReader): TlsSource {
  const hasFiles = fileNames.some((file) => reader.entry(file) !== undefined);
  return readParsed<TlsSource>(reader, name, hasFiles ? "files" : "off", (text) =>
    parseChoice(text, ["off", "files", "acme"]),
  );
}

/** Reads the rest of what is said about the server's certificate; null where it has none. */
export function readTls(
  reader: ConfigReader,
  source: TlsSource,
  baseUrl: string | undefined,
  { port }: Listen,
  { cwd }: Pick<ConfigDeps, "cwd">,
): TlsConfig | null {
  const path = (setting: (typeof fileNames)[number] | (typeof acmeNames)[1]) =>
    readParsed<string | null>(
      reader,
      setting,
      null,
      (text) => parsePath(text, cwd),
      (one) => one ?? "",
    );
  const [certFile, keyFile] = [path(fileNames[0]), path(fileNames[1])];
  const directory = readParsed<string>(reader, acmeNames[0], directories.letsencrypt, parseDirectory);
  const caFile = path(acmeNames[1]);
  const email = readParsed<string | null>(reader, acmeNames[2], null, parseEmail, (one) => one ?? "");
  const httpPort = readParsed<number | null>(
    reader,
    httpPortName,
    source === "acme" ? 80 : null,
    (text) => parseInteger(text, 1, 65_535),
    (one) => (one === null ? "" : String(one)),
  );
  refuseStrays(reader, source);
  if (source === "off") return null;
  requirePublicUrl(reader, source, baseUrl);
  if (httpPort !== null && httpPort === port)
    reader.reject(httpPortName, `is ${port}, as PORT is`, "write another one, such as 80");
  if (source === "acme") return { by: "acme", directory, caFile, email, httpPort };
  if (certFile !== null && keyFile !== null) return { by: "files", certFile, keyFile, httpPort };
  for (const file of fileNames)
    if (reader.entry(file) === undefined)
      reader.reject(
        file,
        "is not set, and a certificate needs both files",
        `set ${file}, or LATCHKEY_TLS=off`,
      );
  return null;
}

/** What is set for another source than the one that is chosen would have no effect. */
function refuseStrays(reader: ConfigReader, source: TlsSource): void {
  if (reader.isRejected(name)) return;
  const isStray = (setting: (typeof fileNames | typeof acmeNames)[number] | typeof httpPortName) =>
    reader.entry(setting) !== undefined && !reader.isRejected(setting);
  for (const setting of acmeNames)
    if (source !== "acme" && isStray(setting))
      reader.reject(setting, `is set, but ${name} is ${source}`, `set ${name}=acme, or remove it`);
  for (const setting of fileNames)
    if (source === "acme" && isStray(setting))
      reader.reject(setting, `is set, but ${name} is acme`, `set ${name}=files, or remove it`);
  if (source === "off" && isStray(httpPortName))
    reader.reject(httpPortName, "is set, but there is no https to lead to", `set ${name}, or remove it`);
}

/** Cookies are for https alone by BETTER_AUTH_URL, and links lead there. */
function requirePublicUrl(reader: ConfigReader, source: "files" | "acme", baseUrl: string | undefined): void {
  if (baseUrl === undefined) return;
  const isSet = reader.entry(urlName) !== undefined;
  if (!isSet || !isSecure(baseUrl)) {
    const reason = isSet ? `is plain http, but ${name} is ${source}` : `must be set: ${name} is ${source}`;
    reader.reject(urlName, reason, "write the https:// URL that browsers open");
    return;
  }
  const host = new URL(baseUrl).hostname.replace(/^\[|\]$/g, "");
  if (source === "files" || (isIP(host) === 0 && !isLoopbackHost(host) && host.includes("."))) return;
  reader.reject(
    urlName,
    `names ${quote(host)}, for which no certificate authority vouches by ${name}=acme`,
    `write a public name, such as https://auth.example.com, or set ${fileNames.join(" and ")}`,
  );
}

function parseDirectory(text: string): Parsed<string> {
  const known = Object.entries(directories).find(([word]) => word === text.toLowerCase());
  if (known !== undefined) return accepted(known[1]);
  const remedy = `write ${Object.keys(directories).join(", ")} or the https:// address of a directory`;
  if (!/^https:\/\/[^/\\]/i.test(text) || !URL.canParse(text))
    return refused(`${quote(text)} is no ACME directory`, remedy);
  const { username, password, href } = new URL(text);
  return username === "" && password === ""
    ? accepted(href)
    : refused("holds a user name or password", remedy);
}

function parseEmail(text: string): Parsed<string> {
  if (text.length <= 254 && addressPattern.test(text)) return accepted(text);
  return refused("is not an e-mail address", "write one, such as admin@example.com, or remove it");
}
