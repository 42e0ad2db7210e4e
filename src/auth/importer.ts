import { createHmac } from "node:crypto";
import type { Database, Transaction } from "../database/database.ts";
import { addKind, findKinds } from "../database/foreign-hashes.ts";
import { countAnew, findHolders, type Holder, insertUsers, type NewUser } from "../database/import-users.ts";
import { isRefusal, storeFailure } from "../database/store-error.ts";
import { areBearable } from "./foreign-hash.ts";
import { ownKindOf } from "./password.ts";
import type { Fault, UserRecord } from "./user-record.ts";

export type ImportMode = "each" | "atomic" | "dry-run";

export interface ImporterDeps {
  readonly database: Database;
  /** The newest first; ids come of these and the addresses, so that a run that goes on knows its own users. */
  readonly secrets: readonly string[];
  readonly mode: ImportMode;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** What became of a line's user. */
type Outcome = "imported" | "there" | Fault;

/** Puts users into the database, a few at a time, each whole or not at all. */
export interface Importer {
  /** As many as the next `add` should have. */
  batchSize(): number;
  /** @returns what became of each, in their order. @throws AppError 503 when the store fails for longer. */
  add(records: readonly UserRecord[]): Promise<readonly Outcome[]>;
  /** Keeps what was added: of an atomic import, only now. */
  finish(): Promise<void>;
  /** Drops what was not kept. */
  close(): Promise<void>;
}

/** A record with all that its rows need. */
interface Candidate {
  readonly record: UserRecord;
  readonly user: NewUser;
  /** Ids that it would have by this or an older secret. */
  readonly ids: readonly string[];
}

/** SQLite has one writer, who is to wait for no longer than this; what a server locks is nobody else's. */
const batchMs = { sqlite: 40, pg: 100 } as const;
const [batchMin, batchStart, batchMax] = [50, 200, 1_000];
/** A batch that found the store locked, or lost its connection, is tried again so often. */
const triesMax = 5;
/** From how many on a server's idea of its tables is wrong. */
const countFrom = 1_000;
/** In an atomic import a statement waits for nobody for longer. */
const statementTimeoutMs = 30_000;

export async function createImporter({ database, secrets, mode, now }: ImporterDeps): Promise<Importer> {
  const { provider } = database;
  const kinds = new Set(await findKinds(database));
  /** Those that the database has been told of. */
  const written = new Set<string>();
  const whole = mode === "atomic" ? await database.begin(statementTimeoutMs) : undefined;
  /** Addresses and ids of earlier lines, by a number each. */
  const seen = new Set<number>();
  let size = batchStart;
  let imported = 0;

  const insert = async (transaction: Transaction, candidates: readonly Candidate[]): Promise<Outcome[]> => {
    await writeKinds(transaction, candidates);
    // The database knows nothing of ids by an older secret.
    const older = await findHolders(
      transaction.query,
      provider,
      candidates.filter(({ ids }) => ids.length > 1).flatMap(keysOf),
    );
    const olderIds = new Set(older.map(({ id }) => id));
    const isOlder = ({ ids }: Candidate) => ids.some((id) => olderIds.has(id));
    const made = await insertUsers(
      transaction,
      provider,
      candidates.flatMap((candidate) => (isOlder(candidate) ? [] : candidate.user)),
    );
    const isNew = ({ user }: Candidate) => made.has(user.id);
    const others = candidates.flatMap((candidate) => (isNew(candidate) ? [] : keysOf(candidate)));
    const holders = await findHolders(transaction.query, provider, others);
    return candidates.map((candidate) => (isNew(candidate) ? "imported" : judge(candidate, holders)));
  };
  /** An adopted database has nothing written down of its own kind. */
  const writeKinds = async (transaction: Transaction, candidates: readonly Candidate[]): Promise<void> => {
    if (candidates.every(({ record }) => record.hash?.kind === undefined)) return;
    for (const kind of kinds) if (!written.has(kind)) await addKind(transaction, provider, kind, now());
  };
  const insertAlone = async (candidates: readonly Candidate[]): Promise<Outcome[]> => {
    const transaction = await database.begin();
    try {
      const outcomes = await insert(transaction, candidates);
      await transaction.commit();
      if (candidates.some(({ record }) => record.hash?.kind !== undefined))
        for (const kind of kinds) written.add(kind);
      return outcomes;
    } finally {
      await transaction.rollback();
    }
  };
  /** What the database refuses for good is one line's fault: which one, halves tell. */
  const insertEach = async (candidates: readonly Candidate[]): Promise<Outcome[]> => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await insertAlone(candidates);
      } catch (error) {
        if (!isRefusal(error)) {
          if (tried === triesMax) throw storeFailure(error);
          await Bun.sleep(100 * tried);
          continue;
        }
        if (candidates.length === 1) return [refusedByDatabase];
        const middle = candidates.length >> 1;
        const first = await insertEach(candidates.slice(0, middle));
        return [...first, ...(await insertEach(candidates.slice(middle)))];
      }
    }
  };
  const compare = async (candidates: readonly Candidate[]): Promise<Outcome[]> => {
    const holders = await findHolders(database.read, provider, candidates.flatMap(keysOf));
    return candidates.map((candidate) => judge(candidate, holders, "imported"));
  };
  /** @returns what is wrong with a user whose address or id an earlier line of this run has. */
  const see = ({ user }: Candidate): Fault | undefined => {
    const keys = [`@${user.email}`, `#${user.id}`].map((key) => Number(Bun.hash(key) >> 11n));
    const repeatedAt = keys.findIndex((key) => seen.has(key));
    for (const key of keys) seen.add(key);
    return repeatedAt === -1 ? undefined : repeated(repeatedAt === 0 ? "email" : "id");
  };
  const work = async (candidates: readonly Candidate[]): Promise<Outcome[]> => {
    if (candidates.length === 0) return [];
    if (mode === "dry-run") return await compare(candidates);
    if (whole === undefined) return await insertEach(candidates);
    try {
      return await insert(whole, candidates);
    } catch (error) {
      throw storeFailure(error);
    }
  };

  return {
    batchSize: () => size,
    async add(records) {
      const all = records.map((record) => candidateOf(record, secrets));
      const outcomes = all.map((candidate): Outcome | undefined => {
        const kind = candidate.record.hash?.kind;
        if (kind === undefined || kinds.has(kind)) return see(candidate);
        if (!areBearable([...kinds, kind])) return tooManyKinds;
        kinds.add(kind);
        return see(candidate);
      });
      const candidates = all.filter((_candidate, at) => outcomes[at] === undefined);
      const started = performance.now();
      const done = await work(candidates);
      const tookMs = performance.now() - started;
      imported += done.filter((outcome) => outcome === "imported").length;
      size = Math.max(
        batchMin,
        Math.min(batchMax, Math.floor((size * batchMs[provider]) / tookMs), size * 2),
      );
      // As long again for whoever else would write to the file.
      if (provider === "sqlite" && mode === "each") await Bun.sleep(Math.min(tookMs, 2 * batchMs.sqlite));
      let at = 0;
      return outcomes.map((outcome) => outcome ?? done[at++] ?? refusedByDatabase);
    },
    async finish() {
      await whole?.commit();
      // It plans worse without, and nothing else is lost.
      if (mode !== "dry-run" && imported >= countFrom) await countAnew(database).catch(() => {});
    },
    async close() {
      await whole?.rollback();
    },
  };
}

function candidateOf(record: UserRecord, secrets: readonly string[]): Candidate {
  const { email, name, emailVerified, image, createdAt, updatedAt, lockedAt, hash } = record;
  const ids = record.id === undefined ? secrets.map((secret) => idOf(email, secret)) : [record.id];
  const [id = crypto.randomUUID()] = ids;
  const password = hash?.stored ?? null;
  const accountId = crypto.randomUUID().replaceAll("-", "");
  return {
    record,
    user: { id, email, name, emailVerified, image, createdAt, updatedAt, lockedAt, accountId, password },
    ids,
  };
}

/** What nobody else may have for it to be inserted. */
function keysOf({ ids, user: { id, email } }: Candidate): { id: string; email: string }[] {
  return [id, ...ids.slice(1)].map((one) => ({ id: one, email }));
}

/** As long as BetterAuth's own, of the same letters, and told by nobody who lacks the secret. */
function idOf(email: string, secret: string): string {
  const digest = createHmac("sha256", secret).update(`import:${email}`).digest("base64url");
  return digest.replaceAll(/[-_]/g, "0").slice(0, 32);
}

/** @param free what to say where nobody holds its id or address. */
function judge(
  { record, user, ids }: Candidate,
  holders: readonly Holder[],
  free: Outcome = changedMeanwhile,
): Outcome {
  const ofEmail = holders.find(({ email }) => email === user.email);
  if (ofEmail !== undefined && !ids.includes(ofEmail.id))
    return {
      field: "email",
      reason: `${user.email} has an account already, under another id`,
      remedy: `latchkey users show ${user.email}`,
    };
  const ofId = holders.find(({ id }) => ids.includes(id));
  if (ofId === undefined) return free;
  if (ofId.email !== user.email && record.id === undefined)
    return {
      field: "email",
      reason: `${user.email} was imported before, and has another address now`,
      remedy: `leave the line out; latchkey users show ${ofId.id} tells the address`,
    };
  if (ofId.email !== user.email)
    return {
      field: "id",
      reason: `${ofId.id} is somebody else's already`,
      remedy: `latchkey users show ${ofId.id}`,
    };
  const { password } = ofId;
  const isRenewed = password !== null && ownKindOf(password) === "current";
  if (record.hash === null || record.hash.stored === password || isRenewed) return "there";
  return {
    field: "passwordHash",
    reason: `${user.email} has an account already, with another password`,
    remedy: `latchkey users show ${user.email}`,
  };
}

const tooManyKinds: Fault = {
  field: "passwordHash",
  reason: "is of one kind more than a sign-in can try within its time",
  remedy: "leave it out, and have this user set a new password",
};
const refusedByDatabase: Fault = {
  field: null,
  reason: "the database refuses this user",
  remedy: "look at constraints and triggers that were added to its tables",
};
const changedMeanwhile: Fault = {
  field: null,
  reason: "somebody else took and gave up its id or address at the same time",
  remedy: "run the import again",
};
const repeated = (field: "email" | "id"): Fault => ({
  field,
  reason: "is on an earlier line too",
  remedy: "leave one of the lines out",
});
