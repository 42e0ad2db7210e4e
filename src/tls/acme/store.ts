import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDurably, overwriteDurably } from "../../durable-file.ts";
import { CommandError } from "../../errors.ts";
import { lockFile } from "../../file-lock.ts";
import type { KeyPair } from "../../server.ts";
import { type Certificate, isUsable, parseCertificate } from "../certificate.ts";
import {
  type FailedTriesMemory,
  forgetFailedTries,
  keepFailedTries,
  readFailedTries,
} from "./failed-tries.ts";

/** What an account with one certificate authority has on the disk, for its owner alone. */
export interface AcmeStore {
  read(): Certificate | null;
  /** Whole or not at all, whenever the machine stops. */
  keep(pair: KeyPair): Promise<void>;
  /** Read, or made once. */
  accountKey(): Promise<KeyObject>;
  /** The tries that failed, of this process and those before it; null of none. */
  failedTries(now: number): FailedTriesMemory | null;
  keepFailedTries(memory: FailedTriesMemory): Promise<void>;
  forgetFailedTries(): void;
  /** Keeps other processes from ordering. @returns what lets them; null where another one orders. */
  lock(): (() => void) | null;
}

/** Another directory has an account, and certificates, of its own: those of a staging one are worth nothing. */
function placesOf(dataDir: string, directory: string, host: string) {
  const top = join(dataDir, "acme");
  const digest = new Bun.CryptoHasher("sha256").update(directory).digest("hex").slice(0, 8);
  const folder = join(top, `${new URL(directory).hostname}-${digest}`);
  // Both in one file, so that one rename changes both.
  return {
    top,
    folder,
    accountPath: join(folder, "account.pem"),
    pairPath: join(folder, `${host}.pem`),
    triesPath: join(folder, `${host}.failed-tries.json`),
  };
}

/** The certificate that was kept last; null where there is none that can be used. Changes nothing. */
export function readAcmeCertificate(dataDir: string, directory: string, host: string): Certificate | null {
  const { pairPath } = placesOf(dataDir, directory, host);
  if (!existsSync(pairPath)) return null;
  const [, key = "", cert = ""] =
    /^([^]*?-----END PRIVATE KEY-----\n)([^]*)$/.exec(readFileSync(pairPath, "utf8")) ?? [];
  const parsed = parseCertificate({ cert, key });
  return isUsable(parsed) && parsed.covers(host) ? parsed : null;
}

/** @throws CommandError where the folder cannot be made. */
export function openAcmeStore(dataDir: string, directory: string, host: string): AcmeStore {
  const { top, folder, accountPath, pairPath, triesPath } = placesOf(dataDir, directory, host);
  try {
    for (const one of [top, folder]) {
      mkdirSync(one, { recursive: true, mode: 0o700 });
      chmodSync(one, 0o700);
    }
  } catch (cause) {
    throw new CommandError(
      `the folder ${folder} for certificates cannot be made`,
      "set LATCHKEY_DATA_DIR to a directory that this user may write to",
      { cause },
    );
  }
  const write = (text: string) => (temporary: string) =>
    writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
  return {
    read: () => readAcmeCertificate(dataDir, directory, host),
    async keep({ key, cert }) {
      await overwriteDurably(pairPath, write(`${key.trimEnd()}\n${cert.trimEnd()}\n`));
    },
    async accountKey() {
      if (!existsSync(accountPath)) {
        const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        await createDurably(accountPath, write(privateKey.export({ type: "pkcs8", format: "pem" })));
      }
      return createPrivateKey(readFileSync(accountPath, "utf8"));
    },
    failedTries: (now) => readFailedTries(triesPath, now),
    keepFailedTries: (memory) => keepFailedTries(triesPath, memory),
    forgetFailedTries: () => forgetFailedTries(triesPath),
    lock: () => lockFile(folder),
  };
}
