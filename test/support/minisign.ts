import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { readSecretKey } from "../../release/minisign-key.ts";
import { parsePublicKey, type PublicKey, verifySignature } from "../../src/upgrade/minisign.ts";
import { debianProgram } from "./debian.ts";
import { temporaryDirectory } from "./reaper.ts";

/** The real minisign. */
export interface Minisign {
  /** @param typed what is asked for, such as a password twice. */
  run(args: readonly string[], cwd: string, typed?: string): Promise<{ code: number; output: string }>;
  /** A folder for PATH, in which it is `minisign`. */
  inPath(): string;
  /** A pair of its own making, in a folder with a `SHA256SUMS`. @param password null for none. */
  makePair(password: string | null): Promise<MinisignPair>;
}

interface MinisignPair {
  readonly folder: string;
  /** A file of the folder. */
  read(name: string): string;
  readonly publicKey: PublicKey;
}

export const signedContent = Buffer.from("0123  latchkey-0.2.0-linux-x64\n");

/** Debian's minisign, or the reason why it is not to be had here. */
export async function findMinisign(): Promise<Minisign | string> {
  let command: readonly string[];
  try {
    ({ command } = await debianProgram({ suite: "bookworm", name: "minisign", program: "usr/bin/minisign" }));
  } catch (error) {
    return String(error);
  }
  const run: Minisign["run"] = async (args, cwd, typed = "") => {
    const child = Bun.spawn([...command, ...args], {
      cwd,
      env: { HOME: cwd },
      stdin: new TextEncoder().encode(typed),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { code: await child.exited, output: stdout + stderr };
  };
  return {
    run,
    inPath() {
      const folder = temporaryDirectory("path");
      const quoted = command.map((word) => `'${word}'`).join(" ");
      writeFileSync(join(folder, "minisign"), `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
      return folder;
    },
    async makePair(password) {
      const folder = temporaryDirectory("minisign");
      const how = password === null ? ["-W"] : [];
      const typed = password === null ? "" : `${password}\n${password}\n`;
      const { code, output } = await run(["-G", ...how, "-p", "key.pub", "-s", "key.sec"], folder, typed);
      if (code !== 0) throw new Error(output);
      writeFileSync(join(folder, "SHA256SUMS"), signedContent);
      const read = (name: string) => readFileSync(join(folder, name), "utf8");
      const publicKey = parsePublicKey(read("key.pub"));
      if (publicKey === null) throw new Error(read("key.pub"));
      return { folder, read, publicKey };
    },
  };
}

/** Signs by a key of minisign's making, and has minisign and latchkey verify it. */
export async function requireBothWays(minisign: Minisign, password: string | null): Promise<void> {
  const { folder, read, publicKey } = await minisign.makePair(password);
  const key = readSecretKey(read("key.sec"), password);
  expect([key.id, read("key.pub")]).toEqual([publicKey.id, expect.stringContaining(key.publicKey)]);
  const signature = key.sign(signedContent, "latchkey 0.2.0");
  writeFileSync(join(folder, "SHA256SUMS.minisig"), signature);
  const { code, output } = await minisign.run(["-V", "-p", "key.pub", "-m", "SHA256SUMS"], folder);
  expect([code, output]).toEqual([0, expect.stringContaining("Trusted comment: latchkey 0.2.0")]);
  const good = { ok: true as const, by: key.id, comment: "latchkey 0.2.0" };
  expect(verifySignature(signature, signedContent, [publicKey])).toEqual(good);
}
