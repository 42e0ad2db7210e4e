/** The cookies of one origin, kept as a browser keeps them (RFC 6265 §5.3 and §5.4), values byte for byte. */
export interface CookieJar {
  /** The `Cookie` header for a request to `path` (default `/`); empty when there is none to send. */
  header(path?: string): string;
  /** Takes in the `Set-Cookie` headers of an answer. */
  store(response: Response): void;
  /** The value of the first cookie of that name that would be sent to `path`. */
  get(name: string, path?: string): string | undefined;
  clear(): void;
}

interface StoredCookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** Milliseconds since the epoch; undefined for a session cookie. */
  readonly expiresAt: number | undefined;
}

/**
 * `Secure` and `Domain` do not keep a cookie from being sent: tests reach an `https` public URL over loopback. They and
 * `Path` are told apart on storing, so that a deletion that names another path or domain deletes nothing.
 *
 * @param now milliseconds since the epoch.
 */
export function createJar(now: () => number = Date.now): CookieJar {
  const cookies = new Map<string, StoredCookie>();
  const matching = (path: string) =>
    [...cookies.values()]
      .filter((cookie) => pathMatches(path, cookie.path) && (cookie.expiresAt ?? Infinity) > now())
      .sort((left, right) => right.path.length - left.path.length);
  return {
    header: (path = "/") =>
      matching(path)
        .map(({ name, value }) => `${name}=${value}`)
        .join("; "),
    store(response) {
      for (const line of response.headers.getSetCookie()) {
        const parsed = parseSetCookie(line, defaultPath(response.url), now());
        if (parsed === undefined) continue;
        const { key, cookie } = parsed;
        if ((cookie.expiresAt ?? Infinity) > now()) cookies.set(key, cookie);
        else cookies.delete(key);
      }
    },
    get: (name, path = "/") => matching(path).find((cookie) => cookie.name === name)?.value,
    clear: () => cookies.clear(),
  };
}

/** RFC 6265 §5.2; `key` is what makes two cookies the same one. */
function parseSetCookie(
  line: string,
  fallbackPath: string,
  now: number,
): { readonly key: string; readonly cookie: StoredCookie } | undefined {
  const [pair = "", ...rest] = line.split(";");
  const separator = pair.indexOf("=");
  const name = pair.slice(0, separator).trim();
  if (separator === -1 || name === "") return undefined;
  const attributes = new Map(
    rest.map((attribute) => {
      const [key = "", ...value] = attribute.split("=");
      return [key.trim().toLowerCase(), value.join("=").trim()];
    }),
  );
  const path = attributes.get("path")?.startsWith("/") ? (attributes.get("path") ?? "/") : fallbackPath;
  const domain = (attributes.get("domain") ?? "").replace(/^\./, "").toLowerCase();
  const cookie = { name, value: pair.slice(separator + 1).trim(), path, expiresAt: expiry(attributes, now) };
  return { key: JSON.stringify([name, domain, path]), cookie };
}

/** Max-Age (seconds) goes before Expires; what cannot be parsed counts as absent. */
function expiry(attributes: ReadonlyMap<string, string>, now: number): number | undefined {
  const maxAge = attributes.get("max-age");
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge))
    return Number(maxAge) > 0 ? now + Number(maxAge) * 1000 : 0;
  const expires = Date.parse(attributes.get("expires") ?? "");
  return Number.isNaN(expires) ? undefined : expires;
}

/** RFC 6265 §5.1.4. */
function defaultPath(url: string): string {
  const pathname = URL.canParse(url) ? new URL(url).pathname : "/";
  return pathname.slice(0, pathname.lastIndexOf("/")) || "/";
}

function pathMatches(requestPath: string, cookiePath: string): boolean {
  if (requestPath === cookiePath) return true;
  return requestPath.startsWith(cookiePath.endsWith("/") ? cookiePath : `${cookiePath}/`);
}
