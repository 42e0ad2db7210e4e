import { readFileSync } from "node:fs";

/** What no log may contain, whichever test it comes from: credentials by their shape, and the suite's passwords. */
const credentialShapes: Readonly<Record<string, RegExp>> = {
  "an argon2 hash": /\$argon2(?:id|i|d)\$[^\s"]+/g,
  "a scrypt hash": /\b[0-9a-f]{32}:[0-9a-f]{128}\b/g,
  "a signed session token": /\b[A-Za-z0-9]{32}(?:\.|%2E)(?:[A-Za-z0-9+/]|%2[BF]){43}(?:=|%3D)/gi,
  "a session cookie": /better-auth\.session_token=[^\s;"]{20,}/g,
  "a bearer credential": /\bbearer\s+[A-Za-z0-9._~+/%-]{20,}/gi,
  "a URL's password": /\b[a-z]+:\/\/[^\s:/@"]+:[^\s:/@"*…]+@[^\s"]+/g,
  "a test's password": /correct horse battery|another good one/g,
};

/** One finding: what it is, and the line without what was found. */
export interface Finding {
  readonly what: string;
  readonly line: number;
  readonly context: string;
}

/** Finds exact canary values, however escaped, and whatever has a credential's shape. */
export function findCredentials(text: string, canaries: Readonly<Record<string, string>> = {}): Finding[] {
  const findings: Finding[] = [];
  const add = (what: string, at: number, length: number) => {
    const lineStart = text.lastIndexOf("\n", at) + 1;
    const before = text.slice(Math.max(lineStart, at - 120), at);
    const after = text.slice(at + length, at + length + 40).split("\n")[0] ?? "";
    findings.push({ what, line: text.slice(0, at).split("\n").length, context: `${before}<…>${after}` });
  };
  for (const [what, value] of Object.entries(canaries)) {
    for (const spelling of spellingsOf(value)) {
      for (let at = text.indexOf(spelling); at !== -1; at = text.indexOf(spelling, at + 1))
        add(what, at, spelling.length);
    }
  }
  for (const [what, shape] of Object.entries(credentialShapes))
    for (const match of text.matchAll(shape)) add(what, match.index, match[0].length);
  return findings;
}

/** A value as a log could hold it: raw, in JSON, percent-encoded, in base64 or in hexadecimal. */
function spellingsOf(value: string): ReadonlySet<string> {
  if (value.length < 8) throw new Error(`too short to search for: ${JSON.stringify(value)}`);
  const bytes = Buffer.from(value, "utf8");
  return new Set([
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    bytes.toString("base64").replace(/.?=*$/, ""),
    bytes.toString("hex"),
  ]);
}

// `bun test/support/log-canaries.ts <file>`: what LATCHKEY_TEST_LOG gathered over a whole run of the suite.
if (import.meta.main) {
  const [path = process.env["LATCHKEY_TEST_LOG"] ?? ""] = process.argv.slice(2);
  const findings = findCredentials(readFileSync(path, "utf8"));
  for (const { what, line, context } of findings) console.log(`${path}:${line}: ${what}: ${context}`);
  console.log(`${findings.length} credentials in ${path}`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
