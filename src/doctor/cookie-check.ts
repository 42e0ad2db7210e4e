import type { Config } from "../config/config.ts";
import { isLoopbackOrigin } from "../config/origin.ts";
import { type Check, failed, passed, warned } from "./check.ts";
import { type CookieReach, cookieReach, isHosted, registrableDomain, sharedDomain } from "./cookie-reach.ts";

type CookieConfig = Pick<Config, "baseUrl" | "trustedOrigins" | "cookieDomain" | "cookieSameSite">;

/** How docs, API and latchkey lie to each other, as far as the session cookie sees it. */
type Topology =
  | "one origin"
  | "everything on this machine"
  | "one host"
  | "sub-domains that share the cookie"
  | "sub-domains with the cookie on one host"
  | "cross-site";

/** Checks the cookie's reach to each trusted origin, and its domain. */
export function cookieChecks(config: CookieConfig): readonly Check[] {
  return [
    topologyCheck(config),
    ...config.trustedOrigins.map((origin) => originCheck(config, origin)),
    ...domainChecks(config),
    ...sameSiteChecks(config),
  ];
}

/** Names the topology that the trusted origins make. */
function topologyOf(config: CookieConfig): Topology {
  const hosts = config.trustedOrigins.map((origin) => new URL(origin).hostname);
  const reaches = config.trustedOrigins.map((origin) => reachOf(config, origin));
  const base = new URL(config.baseUrl);
  if (reaches.every(({ relation }) => relation === "same origin")) return "one origin";
  if (reaches.some(({ relation }) => relation === "cross-site")) return "cross-site";
  if (hosts.every((host) => host === base.hostname)) {
    return isLoopbackOrigin(base.origin) ? "everything on this machine" : "one host";
  }
  return reaches.every(({ reachesHost }) => reachesHost)
    ? "sub-domains that share the cookie"
    : "sub-domains with the cookie on one host";
}

const meanings: Readonly<Record<Topology, string>> = {
  "one origin": "a proxy sends /api/auth here and other paths elsewhere; the cookie reaches all of them",
  "everything on this machine": "cookies ignore ports, so every server under this host name gets it",
  "one host": "cookies ignore ports, so every server on this host gets it",
  "sub-domains that share the cookie": "every trusted origin's own server gets it",
  "sub-domains with the cookie on one host":
    "pages can call latchkey, but a server at another host never gets the cookie itself",
  "cross-site": "a trusted origin belongs to another site, for which browsers restrict or refuse the cookie",
};

function topologyCheck(config: CookieConfig): Check {
  const topology = topologyOf(config);
  const detail = `${topology}: ${meanings[topology]}`;
  if (topology !== "cross-site") return passed("topology", detail);
  const isLocal = [config.baseUrl, ...config.trustedOrigins].every(isLoopbackOrigin);
  const remedy = isLocal
    ? "use one host name for all of them, such as localhost"
    : "put docs, API and latchkey under one domain, such as docs.example.com and auth.example.com";
  return warned("topology", detail, remedy);
}

function reachOf({ baseUrl, cookieDomain, cookieSameSite }: CookieConfig, origin: string): CookieReach {
  return cookieReach(baseUrl, origin, { cookieDomain, sameSite: cookieSameSite });
}

function originCheck(config: CookieConfig, origin: string): Check {
  const name = `cookie at ${origin}`;
  const reach = reachOf(config, origin);
  const { relation, reachesHost } = reach;
  if (relation === "cross-site") return crossSiteCheck(config, origin, name, reach);
  if (relation === "same origin") return passed(name, "same origin: sent with every request");
  const onFetch = "same site: sent by fetch with credentials and by links";
  if (reachesHost) return passed(name, `${onFetch}, and to the server at that host`);
  const [base, other] = [new URL(config.baseUrl).hostname, new URL(origin).hostname];
  const domain = sharedDomain(base, other);
  return warned(
    name,
    `${onFetch} to ${base}, but never to ${other} itself: an API or a server rendering pages there cannot see who is signed in`,
    domain === null
      ? `serve both under one host name`
      : `LATCHKEY_COOKIE_DOMAIN=${domain}, if a server there needs the cookie (it then trusts every host under ${domain})`,
  );
}

function crossSiteCheck(config: CookieConfig, origin: string, name: string, reach: CookieReach): Check {
  const remedy = crossSiteRemedy(config, origin, reach.division);
  const why = {
    scheme: "cross-site to Chrome and others, since one is https and the other http",
    "loopback names": `cross-site, since ${new URL(config.baseUrl).hostname} and ${new URL(origin).hostname} are different sites even on one machine`,
    site: "cross-site",
  }[reach.division ?? "site"];
  if (reach.onFetch === "withheld") {
    return failed(
      name,
      `${why}: a SameSite=Lax cookie is neither stored nor sent by fetch from there, so sign-in and sessions fail; only links and redirects carry it`,
      remedy,
    );
  }
  return warned(
    name,
    `${why}: sent by fetch only where third-party cookies are allowed, which Safari, Firefox, Brave and private windows do not`,
    remedy,
  );
}

function crossSiteRemedy(config: CookieConfig, origin: string, division: CookieReach["division"]): string {
  const base = new URL(config.baseUrl);
  const other = new URL(origin);
  if (division === "scheme") return `serve ${(base.protocol === "http:" ? base : other).host} over https`;
  if (division === "loopback names") {
    if (other.hostname === "localhost")
      return `BETTER_AUTH_URL=${base.origin.replace(base.hostname, "localhost")}`;
    const port = other.port === "" ? "" : `:${other.port}`;
    return `open it as ${other.protocol}//${base.hostname}${port}, and list that in BETTER_AUTH_TRUSTED_ORIGINS`;
  }
  const removal = `remove ${origin} from BETTER_AUTH_TRUSTED_ORIGINS`;
  if (isLoopbackOrigin(origin)) return `run a latchkey of its own on that machine, and ${removal}`;
  if (isHosted(other.hostname)) {
    return `give ${other.hostname} and latchkey two names under a domain of your own, or ${removal}`;
  }
  const domain = registrableDomain(other.hostname);
  if (domain === null) return `give both names under one domain, or ${removal}`;
  return `BETTER_AUTH_URL=https://auth.${domain}, with LATCHKEY_COOKIE_DOMAIN=${domain} if a server there needs the cookie`;
}

function domainChecks({ cookieDomain }: CookieConfig): readonly Check[] {
  const name = "cookie domain";
  if (cookieDomain === null) return [passed(name, "none: the cookie stays on latchkey's host")];
  return [
    warned(
      name,
      `every host under ${cookieDomain} gets the cookie and may set one of the same name: each sub-domain is trusted like latchkey itself`,
      `let nobody else run anything under ${cookieDomain}, or unset LATCHKEY_COOKIE_DOMAIN where no other server needs the cookie`,
    ),
  ];
}

function sameSiteChecks(config: CookieConfig): readonly Check[] {
  if (config.cookieSameSite === "lax") return [];
  const isNeeded = config.trustedOrigins.some((origin) => reachOf(config, origin).relation === "cross-site");
  if (isNeeded) return [];
  return [
    warned(
      "cookie SameSite",
      "none, although every trusted origin is same-site: other sites' requests carry the cookie for nothing",
      "LATCHKEY_COOKIE_SAMESITE=lax",
    ),
  ];
}
