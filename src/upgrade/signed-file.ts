import { CommandError } from "../errors.ts";
import { parsePublicKey, type PublicKey, verifySignature } from "./minisign.ts";

/** What the build was told to trust: minisign public keys, separated by commas. Not there in a build of one's own. */
declare const LATCHKEY_RELEASE_PUBLIC_KEY: string | undefined;

/** A line of `SHA256SUMS`. */
export interface Checksum {
  /** In hexadecimal, lower case. */
  readonly sha256: string;
  readonly name: string;
}

/** The keys that are built in, which `latchkey upgrade` trusts without being told. */
export function builtInKeys(): readonly PublicKey[] {
  const text = typeof LATCHKEY_RELEASE_PUBLIC_KEY === "string" ? LATCHKEY_RELEASE_PUBLIC_KEY : "";
  return text.split(",").flatMap((line) => parsePublicKey(line) ?? []);
}

/** @param what the key's file, or the key itself. @throws CommandError. */
export function requirePublicKey(text: string, what: string): PublicKey {
  const key = parsePublicKey(text);
  if (key !== null) return key;
  throw new CommandError(`${what} is no minisign public key`, "name the release's latchkey.pub, or its key", {
    wrongInput: "unusable_key",
  });
}

/** @returns the id of the key that made it. @throws CommandError where none of the keys did. */
export function requireSignature(
  content: Uint8Array,
  signature: string,
  keys: readonly PublicKey[],
  path: string,
): string {
  const verdict = verifySignature(signature, content, keys);
  if (verdict.ok) return verdict.by;
  throw new CommandError(
    `${path} is not to be trusted: ${verdict.reason}`,
    "download the release again, from where you trust it",
    { wrongInput: "wrong_signature" },
  );
}

/** @throws CommandError where a line is none that `sha256sum` writes. */
export function parseChecksums(text: string, path: string): readonly Checksum[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [, sha256, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (sha256 !== undefined && name !== undefined) return { sha256, name };
    throw new CommandError(`${path} is not what sha256sum writes`, "download the release again", {
      wrongInput: "wrong_checksum",
    });
  });
}

/** The executable of the release that a file is, by its content, whatever it is called now. @throws CommandError. */
export function requireListed(
  sha256: string,
  sums: readonly Checksum[],
  file: string,
  path: string,
): ReleaseName {
  const named = sums.find((sum) => sum.sha256 === sha256)?.name;
  const found = named === undefined ? null : releaseName(named);
  if (found !== null) return found;
  const message =
    named === undefined
      ? `${file} has the SHA-256 ${sha256}, which ${path} does not have: it is not a file of that release, or was changed`
      : `${file} is ${named}, and no executable of latchkey's`;
  throw new CommandError(message, "download the release again", { wrongInput: "wrong_checksum" });
}

/** What a release calls its executable: `latchkey-<version>-<target>`. */
export interface ReleaseName {
  readonly version: string;
  /** As Bun names it, e.g. `linux-x64-musl`. */
  readonly target: string;
}

function releaseName(name: string): ReleaseName | null {
  const [, version, target] =
    /^latchkey-(\d+\.\d+\.\d+\S*?)-((?:linux|darwin|windows)-\w+(?:-\w+)?)(?:\.exe)?$/.exec(name) ?? [];
  return version === undefined || target === undefined ? null : { version, target };
}
