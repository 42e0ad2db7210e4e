import { parse } from "tldts";

/** Whether strangers register names below a domain (https://publicsuffix.org), so that browsers refuse it. */
export function isPublicSuffix(domain: string): boolean {
  const { publicSuffix, isIcann, isPrivate } = parse(domain, { allowPrivateDomains: true });
  return publicSuffix === domain && (isIcann === true || isPrivate === true || !domain.includes("."));
}
