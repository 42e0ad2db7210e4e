import listPath from "./common-passwords.txt.gz" with { type: "file" };
import { readFileSync } from "node:fs";
import { domainToUnicode } from "node:url";
import type { Config } from "../config/config.ts";
import type { ErrorCode } from "../error-codes.ts";
import { AppError } from "../errors.ts";

/** Whose password it is, as far as that is known. */
export interface PasswordOwner {
  readonly name?: unknown;
  readonly email?: unknown;
}

/** @throws AppError 400 when a password is among the first that somebody would guess, with the reason. */
export type RequireUnguessable = (password: string, owner: PasswordOwner) => void;

type GuessRules = Pick<Config, "passwordCommon" | "brandName">;

/**
 * Builds the rule that no password is one of the common ones, the site's name, or its owner's name or address. Only the
 * whole password counts: a name with something to it is one's own affair (NIST SP 800-63B-4, 3.1.1.2).
 */
export function createGuessRules({ passwordCommon, brandName }: GuessRules): RequireUnguessable {
  const isCommon = passwordCommon === "refuse" ? loadCommonPasswords() : () => false;
  const siteNames = namesIn(["latchkey", brandName]);
  return (password, { name, email }) => {
    const folded = fold(password);
    const bare = withoutSeparators(folded);
    if (siteNames.has(bare)) throw guessable("PASSWORD_IS_SITE_NAME", "is the name of this site");
    if (namesIn([name, email, readableDomain(email)]).has(bare))
      throw guessable("PASSWORD_IS_PERSONAL", "is your name or e-mail address, or a part of it");
    if (isCommon(folded)) throw guessable("PASSWORD_TOO_COMMON", "is on a list of common ones");
  };
}

/** One form for what differs in case, width or invisible characters alone: Unicode's NFKC_Casefold, by what there is. */
export function fold(text: string): string {
  const visible = text.normalize("NFKC").replace(/\p{Default_Ignorable_Code_Point}/gu, "");
  // Upper case first, for what has two lower cases (`ς`) or becomes two letters (`ß`).
  return visible.toUpperCase().toLowerCase().normalize("NFKC");
}

/**
 * The common passwords, one folded form a line, with a line break before the first: looking through all 200 KB takes some
 * 20 µs, beside a hash of tens of ms, and no memory but their own.
 */
function loadCommonPasswords(): (folded: string) => boolean {
  const lines = Buffer.from(Bun.gunzipSync(readFileSync(listPath)));
  return (folded) => !folded.includes("\n") && lines.includes(`\n${folded}\n`);
}

const separators = /[\s._\-+@'’]+/gu;

function withoutSeparators(text: string): string {
  return text.replaceAll(separators, "");
}

/** Names and addresses, and their parts, folded and without what stands between the parts. */
function namesIn(texts: readonly unknown[]): ReadonlySet<string> {
  const found = texts.flatMap((text) => {
    if (typeof text !== "string") return [];
    const folded = fold(text);
    const [local = "", domain = ""] = folded.split("@");
    return [folded, local, domain, ...folded.split(separators)].map(withoutSeparators);
  });
  return new Set(found.filter((part) => part !== ""));
}

/** The domain of an address as people write it, which is stored in ASCII. */
function readableDomain(email: unknown): string {
  return typeof email === "string" ? domainToUnicode(email.slice(email.lastIndexOf("@") + 1)) : "";
}

function guessable(code: ErrorCode, what: string): AppError {
  return new AppError(code, `This password ${what}. Choose another one.`);
}
