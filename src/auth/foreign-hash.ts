import { createCipheriv, pbkdf2, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** Before another program's hash in the database: an index finds whatever does not begin with `$`. */
const mark = "import:";
/** A hash that takes longer than this, by the estimates below, is not verified: it would hold a thread. */
const costMaxMs = 1_000;
/** All kinds together, since a refusal computes one of each. */
const costsMaxMs = 2_000;

/** Another program's hash that can be verified here. */
export interface ForeignHash {
  /** What decides how long it takes, as it stands in the hash: `$2b$10$`. */
  readonly kind: string;
  compare(password: string): Promise<boolean>;
}

/** A hash as its form has it; it may cost too much. */
interface Read extends ForeignHash {
  /** How long it takes on a core of 2025, roughly. */
  readonly costMs: number;
}

type Match = readonly (string | undefined)[];

interface Form {
  readonly pattern: RegExp;
  readonly read: (match: Match, hash: string) => Read;
  /** What stands behind a kind in a hash that is nobody's. */
  readonly rest: (kind: string) => string;
}

const unpadded = (bytes: number) => "A".repeat(Math.ceil((bytes * 4) / 3));

const bcrypt: Form = {
  pattern: /^\$2([aby])\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/,
  read: ([, , cost], hash) => ({
    kind: `$2b$${cost}$`,
    costMs: 65 * 2 ** (Number(cost) - 10),
    // Bcrypt knows no more of a password; Bun would hash a longer one first, as no other program does.
    compare: (password) => Bun.password.verify(Buffer.from(password).subarray(0, 72), hash),
  }),
  rest: () => `${unpadded(16).slice(0, 21)}.${".".repeat(31)}`,
};

const argon2: Form = {
  pattern:
    /^\$(argon2(?:id|i|d))\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/,
  read: ([, type, memoryKib, passes, lanes], hash) => ({
    kind: `$${type}$v=19$m=${memoryKib},t=${passes},p=${lanes}$`,
    costMs:
      Number(memoryKib) > 262_144 || Number(lanes) > 32
        ? Number.POSITIVE_INFINITY
        : Number(memoryKib) * Number(passes) * 0.0011,
    compare: (password) => Bun.password.verify(password, hash),
  }),
  rest: () => `${unpadded(16)}$${unpadded(32)}`,
};

/** Of one iteration and block, in ms. */
const digests = { sha1: [20, 0.00026], sha256: [32, 0.00015], sha512: [64, 0.00067] } as const;

const derive = promisify(pbkdf2);

const pbkdf2Form: Form = {
  pattern:
    /^\$pbkdf2-(sha1|sha256|sha512)\$i=([1-9]\d{0,7}),l=([1-9]\d{0,2})\$([A-Za-z0-9+/]{1,172})\$([A-Za-z0-9+/]{14,172})$/,
  read: ([, digest, iterations, length, salt, key]) => {
    const [blockBytes, costMs] = digests[digest as keyof typeof digests];
    const expected = Buffer.from(key ?? "", "base64");
    return {
      kind: `$pbkdf2-${digest}$i=${iterations},l=${length}$`,
      costMs:
        expected.length === Number(length)
          ? Number(iterations) * Math.ceil(Number(length) / blockBytes) * costMs
          : Number.POSITIVE_INFINITY,
      async compare(password) {
        const bytes = Buffer.from(salt ?? "", "base64");
        const made = await derive(password, bytes, Number(iterations), expected.length, String(digest));
        return timingSafeEqual(made, expected);
      },
    };
  },
  rest: (kind) => `${unpadded(16)}$${unpadded(Number(/l=(\d+)/.exec(kind)?.[1]))}`,
};

const firebaseScrypt: Form = {
  pattern:
    /^\$fbscrypt\$v=1,n=([1-9]\d?),r=([1-9]\d?),p=1,ss=([A-Za-z0-9+/]{0,64}={0,2}),sk=([A-Za-z0-9+/]{24,256}={0,2})\$([A-Za-z0-9+/]{1,128}={0,2})\$([A-Za-z0-9+/]{24,256}={0,2})$/,
  read: ([, cost, rounds, separator = "", signerKey = "", salt = "", key = ""]) => {
    const [N, r] = [2 ** Number(cost), Number(rounds)];
    const expected = Buffer.from(key, "base64");
    return {
      kind: `$fbscrypt$v=1,n=${cost},r=${rounds},p=1$`,
      // 64 MiB at the most.
      costMs: N * r > 2 ** 19 ? Number.POSITIVE_INFINITY : N * r * 0.00037,
      async compare(password) {
        const salts = Buffer.concat([Buffer.from(salt, "base64"), Buffer.from(separator, "base64")]);
        const derived = await new Promise<Buffer>((resolve, reject) => {
          scrypt(password, salts, 32, { N, r, p: 1, maxmem: 2 ** 27 }, (error, made) =>
            error instanceof Error ? reject(error) : resolve(made),
          );
        });
        const cipher = createCipheriv("aes-256-ctr", derived, Buffer.alloc(16));
        const made = cipher.update(Buffer.from(signerKey, "base64"));
        return made.length === expected.length && timingSafeEqual(made, expected);
      },
    };
  },
  rest: () => `${unpadded(16)}$${unpadded(64)}`,
};

const forms: readonly Form[] = [bcrypt, argon2, pbkdf2Form, firebaseScrypt];

/** Another program's hash, as the database has it; undefined for latchkey's own, and for what is too costly or unknown. */
export function foreignHashOf(stored: string): ForeignHash | undefined {
  if (!stored.startsWith(mark)) return undefined;
  const read = readForm(stored.slice(mark.length));
  return read !== undefined && read.costMs <= costMaxMs ? computing(read) : undefined;
}

/** A hash of a kind that nobody has, to compute in vain. */
export function someHashOf(kind: string): ForeignHash | undefined {
  const form = forms.find(({ pattern, rest }) => pattern.test(exampleOf(kind, rest)));
  return form === undefined ? undefined : foreignHashOf(mark + exampleOf(kind, form.rest));
}

/** What another program wrote for a hash, as the database is to have it. */
export type Taken =
  | { readonly stored: string; readonly kind: string }
  | { readonly problem: "unknown" | "costly" };

/** Brings another program's hash into the one form that is stored. */
export function takeForeignHash(written: string): Taken {
  const hash = phcOf(written);
  const read = readForm(hash);
  if (read === undefined) return { problem: "unknown" };
  return read.costMs > costMaxMs ? { problem: "costly" } : { stored: mark + hash, kind: read.kind };
}

/** Whether a refusal could compute one hash of each kind. */
export function areBearable(kinds: Iterable<string>): boolean {
  let costMs = 0;
  for (const kind of kinds) {
    const form = forms.find(({ pattern, rest }) => pattern.test(exampleOf(kind, rest)));
    if (form !== undefined) costMs += readForm(exampleOf(kind, form.rest))?.costMs ?? 0;
  }
  return costMs <= costsMaxMs;
}

/** A stored hash as other programs know it. */
export function writtenHash(stored: string): string {
  return stored.startsWith(mark) ? stored.slice(mark.length) : stored;
}

function exampleOf(kind: string, rest: Form["rest"]): string {
  // A signer key decides nothing of the cost.
  const key = kind.startsWith("$fbscrypt$") ? `${kind.slice(0, -1)},ss=,sk=${unpadded(64)}$` : kind;
  return key + rest(kind);
}

function readForm(hash: string): Read | undefined {
  for (const { pattern, read } of forms) {
    const match = pattern.exec(hash);
    if (match !== null) return read(match, hash);
  }
  return undefined;
}

/** An empty password is nobody's; it costs what another one does. */
function computing({ kind, compare }: Read): ForeignHash {
  return {
    kind,
    compare: async (password) => (await compare(password === "" ? "\0" : password)) && password !== "",
  };
}

/** Django's and passlib's ways of writing PBKDF2, in the form that Kratos has: salt and key in base64, unpadded. */
function phcOf(written: string): string {
  const django =
    /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,8})\$([^$]{1,128})\$([A-Za-z0-9+/]{14,172})={0,2}$/.exec(written);
  const [, digest, iterations, salt = "", key = ""] = django ?? [];
  if (django !== null) return pbkdf2Of(digest, iterations, base64(Buffer.from(salt)), key);
  const passlib =
    /^\$pbkdf2(-sha256|-sha512)?\$(\d{1,8})\$([A-Za-z0-9./]{1,172})\$([A-Za-z0-9./]{14,172})$/.exec(written);
  if (passlib !== null) {
    const [, kind = "-sha1", turns, from = "", to = ""] = passlib;
    return pbkdf2Of(kind.slice(1), turns, from.replaceAll(".", "+"), to.replaceAll(".", "+"));
  }
  return written.startsWith("$pbkdf2-") ? written.replaceAll(/=+(?=\$|$)/g, "") : written;
}

function pbkdf2Of(
  digest: string | undefined,
  iterations: string | undefined,
  salt: string,
  key: string,
): string {
  return `$pbkdf2-${digest}$i=${iterations},l=${Buffer.from(key, "base64").length}$${salt}$${key}`;
}

function base64(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
