import { domainToASCII } from "node:url";
import { accepted, type Parsed, quote, refused } from "./parse.ts";

const remedy = "write domains, example.com,example.org, or remove it";

/**
 * Parses the domains whose addresses may sign up: those alone, not what is below them.
 * @returns lower case, in ASCII, as e-mail addresses are stored; none where anybody may.
 */
export function parseDomains(text: string): Parsed<readonly string[]> {
  const domains: string[] = [];
  for (const written of text.split(",").flatMap((part) => part.trim() || [])) {
    const domain = /[\s/\\?#:%@*[\]]/.test(written) ? "" : domainToASCII(written);
    if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(domain))
      return refused(`${quote(written)} is not a domain`, remedy);
    domains.push(domain);
  }
  return domains.length === 0 ? refused("lists no domain", remedy) : accepted([...new Set(domains)]);
}
