import { isAbsolute, resolve } from "node:path";
import type { ConfigReader } from "./reader.ts";
import { accepted, type Parsed, refused } from "./parse.ts";
import type { ConfigDeps, Environment } from "./config.ts";

/** Reads the data directory, made absolute: LATCHKEY_DATA_DIR, systemd's STATE_DIRECTORY, or `./data`. */
export function readDataDir(reader: ConfigReader, { cwd }: Pick<ConfigDeps, "cwd">): string {
  // systemd separates several directories by colons: systemd.exec(5).
  const state = reader.entry("STATE_DIRECTORY");
  const entry =
    reader.entry("LATCHKEY_DATA_DIR") ?? (state && { ...state, text: state.text.split(":")[0] ?? "" });
  const parsed = parsePath(entry?.text || "./data", cwd);
  if (!parsed.ok) reader.reject(entry?.variable ?? "LATCHKEY_DATA_DIR", parsed.reason, parsed.remedy);
  const dataDir = parsed.ok ? parsed.value : cwd;
  reader.record("LATCHKEY_DATA_DIR", dataDir, entry?.text ? entry : undefined);
  return dataDir;
}

/** Makes a path absolute. */
export function parsePath(text: string, cwd: string): Parsed<string> {
  if (/^~(?:[/\\]|$)/.test(text)) {
    return refused(
      "starts with ~, which only a shell expands",
      "write the whole path, such as /home/me/latchkey",
    );
  }
  return accepted(isAbsolute(text) ? resolve(text) : resolve(cwd, text));
}

/** Parses `file:./x.db`, `file:/abs/x.db` or `file:///abs/x.db` into an absolute path. RFC 8089 §2. */
export function parseFileUrl(text: string, cwd: string): Parsed<string> {
  const remedy = "write file:./latchkey.db, or file:///var/lib/latchkey/latchkey.db";
  const location = text.slice("file:".length);
  if (/^:?memory:?$/i.test(location))
    return refused("is an in-memory database, which forgets every account", remedy);
  if (/[?#]/.test(location))
    return refused("has a query or a fragment", `${remedy}; ? and # are %3F and %23`);
  const path = /^\/\/(?:localhost)?(?=\/)(.*)$/i.exec(location)?.[1] ?? location;
  if (path.startsWith("//")) return refused("names another machine's file", remedy);
  const decoded = decode(path);
  if (decoded === undefined || decoded.includes("\0"))
    return refused("is not percent-encoded correctly", remedy);
  if (decoded === "" || /(?:^|\/)\.{0,2}$/.test(decoded)) return refused("names no file", remedy);
  return parsePath(decoded, cwd);
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Whether the environment has a variable that other libraries read and this program does not. */
export function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? "") !== "";
}
