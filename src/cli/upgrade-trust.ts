import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CommandError } from "../errors.ts";
import {
  builtInKeys,
  type Checksum,
  parseChecksums,
  requirePublicKey,
  requireSignature,
} from "../upgrade/signed-file.ts";
import type { CommandContext } from "./command.ts";

/** Whom an operator trusts. */
export interface TrustOptions {
  readonly checksums?: string;
  readonly signature?: string;
  /** A minisign public key, or the file of one. */
  readonly key?: string;
  readonly insecureNoSignature?: true;
}

/** What is known of where an executable is from. */
export interface Trusted {
  /** Null where nothing is known of the file. */
  readonly sums: readonly Checksum[] | null;
  /** Of the checksums. */
  readonly path: string;
  /** The id of the key; null where there was to be none. */
  readonly by: string | null;
}

/** Reads the checksums that somebody who is trusted has signed. @throws CommandError. */
export function requireTrusted(context: CommandContext, options: TrustOptions, file: string): Trusted {
  const path = resolve(context.cwd, options.checksums ?? join(dirname(file), "SHA256SUMS"));
  if (!existsSync(file)) throw missing(file, "name the new executable by --from");
  if (options.insecureNoSignature === true) {
    context.stderr("Warning: nobody has signed what is taken (--insecure-no-signature)");
    if (options.checksums === undefined && !existsSync(path)) return { sums: null, path, by: null };
    return { sums: parseChecksums(readFileSync(path, "utf8"), path), path, by: null };
  }
  const given = options.key;
  const keyFile = given === undefined ? "" : resolve(context.cwd, given);
  const keys =
    given === undefined
      ? builtInKeys()
      : [requirePublicKey(existsSync(keyFile) ? readFileSync(keyFile, "utf8") : given, given)];
  if (keys.length === 0)
    throw new CommandError(
      "this latchkey was built without a release's public key, so that nobody's signature is trusted",
      "name the key that you trust by --key",
      { wrongInput: "no_key" },
    );
  const signature = resolve(context.cwd, options.signature ?? `${path}.minisig`);
  for (const needed of [path, signature])
    if (!existsSync(needed)) throw missing(needed, "download it from where the new executable is from");
  const content = readFileSync(path);
  const by = requireSignature(content, readFileSync(signature, "utf8"), keys, path);
  return { sums: parseChecksums(content.toString(), path), path, by };
}

function missing(path: string, remedy: string): CommandError {
  return new CommandError(`there is no file ${path}`, remedy, { wrongInput: "no_file" });
}
