import type { BreachedConfig, ConfigDeps } from "./config.ts";
import { parsePath } from "./file-path.ts";
import { isLoopbackOrigin } from "./origin.ts";
import { accepted, parseChoice, type Parsed, quote, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

const useName = "LATCHKEY_PASSWORD_BREACHED";
const urlName = "LATCHKEY_PASSWORD_BREACHED_URL";
const fileName = "LATCHKEY_PASSWORD_BREACHED_FILE";
/** Pwned Passwords. */
const defaultUrl = "https://api.pwnedpasswords.com/range";

/** Reads LATCHKEY_PASSWORD_BREACHED and what it needs; null where new passwords are not looked up. */
export function readBreached(reader: ConfigReader, { cwd }: Pick<ConfigDeps, "cwd">): BreachedConfig | null {
  const parseUse = (text: string) => parseChoice(text, ["off", "api", "file"] as const);
  const use = readParsed(reader, useName, "off", parseUse);
  const url = readParsed(reader, urlName, defaultUrl, parseRangeUrl);
  const path = readParsed<string | null>(
    reader,
    fileName,
    null,
    (text) => parsePath(text, cwd),
    (one) => one ?? "",
  );
  if (reader.isRejected(useName)) return null;
  for (const [name, wanted] of [
    [urlName, "api"],
    [fileName, "file"],
  ] as const)
    if (use !== wanted && reader.entry(name) !== undefined)
      reader.reject(name, `is set, but ${useName} is ${use}`, `set ${useName}=${wanted}, or remove it`);
  if (use === "api") return { by: "api", url };
  if (use === "off") return null;
  if (path !== null) return { by: "file", path };
  if (!reader.isRejected(fileName))
    reader.reject(
      fileName,
      `is not set, but ${useName} is file`,
      "set it to what latchkey passwords build made",
    );
  return null;
}

function parseRangeUrl(text: string): Parsed<string> {
  const example = `write ${defaultUrl}, or that of your own`;
  // Not echoed before this is known: it may hold a password.
  if (text.includes("@")) return refused("holds a user name or a password", example);
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return refused(`${quote(text)} is no https:// URL`, example);
  if (/[?#]/.test(text)) return refused(`${quote(text)} has a query or a fragment`, example);
  if (url.protocol === "http:" && !isLoopbackOrigin(url.origin))
    return refused(`${quote(text)} is plain http, which anybody on the way reads and changes`, example);
  return accepted(url.href.replace(/\/+$/, ""));
}
