import { isIP } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseFileUrl } from "./file-path.ts";
import { isHostname, isLoopbackHost } from "./listen.ts";
import { quote, parseChoice, accepted, type Parsed, parseInteger, refused } from "./parse.ts";
import { type ConfigReader, type Entry, readParsed } from "./reader.ts";
import type { ConfigDeps, DatabaseConfig } from "./config.ts";

const DRIVERS = ["sqlite", "postgres", "neon"] as const;
type Driver = (typeof DRIVERS)[number];

export interface DatabaseReading {
  /** Undefined when it is refused. */
  readonly database: DatabaseConfig | undefined;
  /** Whether it is a server, known even for most URLs that are refused. */
  readonly isServer: boolean;
}

/** One looks sessions up, or six with Neon's driver; a request that writes needs one for as long as it writes. */
const defaultConnections = 16;

/** Reads DATABASE_URL, LATCHKEY_DATABASE_DRIVER, LATCHKEY_DATABASE_CONNECTIONS and LATCHKEY_NEON_PROXY. */
export function readDatabase(
  reader: ConfigReader,
  dataDir: string,
  deps: Pick<ConfigDeps, "cwd">,
): DatabaseReading {
  const entry = reader.secretEntry("DATABASE_URL");
  const scheme =
    entry === undefined ? "" : (/^\s*([a-z][a-z0-9+.-]*):/i.exec(entry.text)?.[1]?.toLowerCase() ?? "?");
  const isServer = scheme === "postgres" || scheme === "postgresql";
  const driverEntry = reader.entry("LATCHKEY_DATABASE_DRIVER");
  const forced = parseDriver(reader, driverEntry);
  const found =
    isServer && entry !== undefined
      ? readServer(reader, entry, forced)
      : readSqlite(reader, entry, scheme, join(dataDir, "latchkey.db"), deps);
  if (!isServer && forced !== null && forced !== "sqlite" && !reader.isRejected("DATABASE_URL")) {
    const what = entry === undefined ? "is not set" : "names a file";
    const remedy = "set DATABASE_URL to a postgresql:// URL, or remove LATCHKEY_DATABASE_DRIVER";
    reader.reject("LATCHKEY_DATABASE_DRIVER", `is ${forced}, but DATABASE_URL ${what}`, remedy);
  }
  const database = withNeonProxy(reader, withConnections(reader, found));
  reader.record("LATCHKEY_DATABASE_DRIVER", database?.driver ?? "", driverEntry);
  return { database, isServer };
}

function parseDriver(reader: ConfigReader, entry: Entry | undefined): Driver | null {
  const parsed = entry === undefined ? accepted(null) : parseChoice(entry.text, DRIVERS);
  if (parsed.ok) return parsed.value;
  reader.reject("LATCHKEY_DATABASE_DRIVER", parsed.reason, parsed.remedy);
  return null;
}

/** How many to a server; SQLite needs none, and takes the setting as it stands in an environment shared by instances. */
function withConnections(
  reader: ConfigReader,
  database: DatabaseConfig | undefined,
): DatabaseConfig | undefined {
  const parse = (text: string) => parseInteger(text, 2, 100);
  const connections = readParsed(reader, "LATCHKEY_DATABASE_CONNECTIONS", defaultConnections, parse);
  return database === undefined || database.driver === "sqlite" ? database : { ...database, connections };
}

function withNeonProxy(
  reader: ConfigReader,
  database: DatabaseConfig | undefined,
): DatabaseConfig | undefined {
  const name = "LATCHKEY_NEON_PROXY";
  const proxy = readParsed<string | null>(reader, name, null, parseNeonProxy, (url) => url ?? "");
  if (database?.driver === "neon") {
    if (proxy === null && !isNeonHost(new URL(database.url).hostname)) {
      reader.warn(`the neon driver reaches a server outside neon.tech only through ${name}`);
    }
    return { ...database, proxy };
  }
  if (proxy !== null && database !== undefined) {
    const remedy = "remove it, or set LATCHKEY_DATABASE_DRIVER=neon with a postgresql:// URL";
    reader.reject(name, `is for the neon driver, but the driver is ${database.driver}`, remedy);
  }
  return database;
}

function readServer(reader: ConfigReader, entry: Entry, forced: Driver | null): DatabaseConfig | undefined {
  const parsed = parseServerUrl(entry.text.trim());
  if (forced === "sqlite") {
    const remedy = "remove LATCHKEY_DATABASE_DRIVER, or set DATABASE_URL to file:./latchkey.db";
    reader.reject("LATCHKEY_DATABASE_DRIVER", "is sqlite, but DATABASE_URL is a server's", remedy);
  }
  if (!parsed.ok) {
    reader.reject(entry.variable, parsed.reason, parsed.remedy);
    return undefined;
  }
  const { url, masked, host, isExposed } = parsed.value;
  reader.record("DATABASE_URL", masked, entry);
  if ((forced ?? (isNeonHost(host) ? "neon" : "postgres")) === "neon")
    return { driver: "neon", url, connections: defaultConnections, proxy: null };
  if (isExposed) {
    reader.warn(
      `${entry.variable}: nothing demands an encrypted connection to the database: add sslmode=verify-full`,
    );
  }
  return { driver: "postgres", url, connections: defaultConnections };
}

function readSqlite(
  reader: ConfigReader,
  entry: Entry | undefined,
  scheme: string,
  defaultPath: string,
  { cwd }: Pick<ConfigDeps, "cwd">,
): DatabaseConfig | undefined {
  if (entry === undefined) {
    if (reader.isRejected("DATABASE_URL")) return undefined;
    reader.record("DATABASE_URL", pathToFileURL(defaultPath).href, undefined);
    return { driver: "sqlite", path: defaultPath };
  }
  const parsed = scheme === "file" ? parseFileUrl(entry.text.trim(), cwd) : refuseScheme(scheme);
  if (!parsed.ok) {
    reader.reject(entry.variable, parsed.reason, parsed.remedy);
    return undefined;
  }
  reader.record("DATABASE_URL", pathToFileURL(parsed.value).href, entry);
  return { driver: "sqlite", path: parsed.value };
}

/** Names only schemes it knows: what stands before the first colon may be part of a password. */
function refuseScheme(scheme: string): Parsed<never> {
  const remedy = "write file:./latchkey.db (embedded SQLite) or postgresql://user:password@host:5432/name";
  if (/^(?:postgres|postgresql)\+[a-z0-9]+$/.test(scheme)) {
    return refused("names an SQLAlchemy driver in its scheme", "write postgresql:// without the +driver");
  }
  const other = [
    "mysql",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "mssql",
    "sqlserver",
    "redis",
    "libsql",
    "http",
    "https",
  ];
  if (other.includes(scheme))
    return refused(`is a ${scheme}: URL; SQLite, PostgreSQL and Neon are supported`, remedy);
  if (scheme === "sqlite" || scheme === "sqlite3")
    return refused(`is a ${scheme}: URL`, "write file:./latchkey.db");
  return refused("is neither a file: nor a postgresql: URL", remedy);
}

/** Parses the WebSocket proxy of Neon's driver; plain ws stays on this machine. */
function parseNeonProxy(text: string): Parsed<string> {
  const remedy = "write wss://proxy.example.com/v2, or ws://localhost:5433/v2 on this machine";
  if (text.includes("@")) return refused("holds a user name or password", remedy);
  if (!/^wss?:\/\/[^/?#\\]/i.test(text) || !URL.canParse(text)) {
    return refused(`${quote(text)} is not a ws:// or wss:// URL`, remedy);
  }
  const url = new URL(text);
  if (url.search !== "" || url.hash !== "") return refused("has a query or a fragment", remedy);
  if (url.protocol === "ws:" && !isLoopbackHost(url.hostname)) {
    return refused(
      "is plain ws to another machine, where the database password could be read on the way",
      remedy,
    );
  }
  return accepted(text);
}

const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
const EXAMPLE = "postgresql://user:password@db.example.com:5432/latchkey?sslmode=verify-full";
const ENCODE = "percent-encode special characters in the password (/ is %2F, ? is %3F, # is %23, @ is %40)";

/** A PostgreSQL URL; no reason below ever quotes any part of it. */
interface ServerUrl {
  /** As written; carries the password. */
  readonly url: string;
  /** Fit to print. */
  readonly masked: string;
  /** Lower case. */
  readonly host: string;
  /** Whether the connection leaves this machine although nothing demands that it be encrypted. */
  readonly isExposed: boolean;
}

/** Parses `postgres://` or `postgresql://` with an optional `sslmode`. */
function parseServerUrl(text: string): Parsed<ServerUrl> {
  // A bare / ? or # in a password ends the authority: the rest would be path or query, which are printed.
  const afterAuthority = /^\w+:\/\/[^/?#]*(.*)$/.exec(text)?.[1] ?? "";
  // A comma in the password is one; behind it, between hosts, it is none that a URL has.
  if (/^\w+:\/\/(?:[^/?#]*@)?[^@/?#]*,[^@/?#]*(?:[/?#]|$)/.test(text))
    return refused(
      "names more than one host",
      "name one; docs/failover.md has HAProxy in front of two servers",
    );
  if (/[#@\\\s]/.test(afterAuthority) || !URL.canParse(text))
    return refused("is not a valid URL", `${ENCODE}: ${EXAMPLE}`);
  const url = new URL(text);
  const host = url.hostname.toLowerCase();
  if (host === "") return refused("names no host", `write ${EXAMPLE}`);
  if (!isHostname(host) && isIP(host.replace(/^\[|\]$/g, "")) === 0) {
    return refused("has no valid host name", `${ENCODE}: ${EXAMPLE}`);
  }
  if (!isDecodable(url)) return refused("is not percent-encoded correctly (a bare %)", `${ENCODE}, % is %25`);
  const modes = url.searchParams.getAll("sslmode");
  if (modes.length > 1) return refused("has more than one sslmode", "keep one sslmode");
  const [mode] = modes;
  if (mode !== undefined && !SSL_MODES.some((known) => known === mode)) {
    return refused("has an unknown sslmode", `write sslmode= one of ${SSL_MODES.join(", ")}`);
  }
  const isEncrypted = mode !== undefined && mode !== "disable" && mode !== "prefer";
  return accepted({
    url: text,
    masked: maskServerUrl(url),
    host,
    isExposed: !isEncrypted && !isLoopbackHost(host),
  });
}

/** Whether Neon's own driver is the way to a host. */
function isNeonHost(host: string): boolean {
  return host.toLowerCase().endsWith(".neon.tech");
}

function maskServerUrl(url: URL): string {
  const user = url.username === "" ? "" : `${url.username}${url.password === "" ? "" : ":********"}@`;
  // `?password=…` and `?sslpassword=…` exist too (libpq §34.1.2), so only the checked sslmode is shown.
  const mode = url.searchParams.get("sslmode");
  const shown = mode === null ? [] : [`sslmode=${mode}`];
  const others = url.searchParams.size > shown.length ? ["…"] : [];
  const query = [...shown, ...others].join("&");
  return `${url.protocol}//${user}${url.host}${url.pathname}${query === "" ? "" : `?${query}`}`;
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}
