import type { User } from "../database/users.ts";
import { AppError } from "../errors.ts";
import { takeForeignHash } from "./foreign-hash.ts";
import { canonicalEmail, nameMaxLength, requireImage, requireName, requireWellFormed } from "./input.ts";
import { ownKindOf } from "./password.ts";

/** Every field of a user as files have it, in the order in which they are written. */
export const recordFields = [
  "id",
  "email",
  "name",
  "emailVerified",
  "image",
  "createdAt",
  "updatedAt",
  "lockedAt",
  "passwordHash",
] as const;

type RecordField = (typeof recordFields)[number];

/** A user of a file, checked as a sign-up checks one. */
export interface UserRecord extends Omit<User, "id"> {
  /** Undefined where the file leaves it to latchkey. */
  readonly id: string | undefined;
  readonly hash: RecordHash | null;
}

/** A password's hash as it is stored. */
interface RecordHash {
  readonly stored: string;
  /** What another program's is called among the kinds; undefined for latchkey's own of today. */
  readonly kind: string | undefined;
}

/** What is wrong with one line of a file. */
export interface Fault {
  /** Null where it is the line as a whole. */
  readonly field: string | null;
  readonly reason: string;
  readonly remedy: string;
}

/** A line that cannot be taken. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  constructor(readonly fault: Fault) {
    super(fault.reason);
  }
}

const idPattern = /^[\x21-\x7e]{1,128}$/;
const booleans: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 1, "true", "t", "1"].map((value) => [value, true] as const),
  ...[false, 0, "false", "f", "0"].map((value) => [value, false] as const),
]);
/** ISO 8601, and what SQLite, PocketBase and PostgreSQL print: a blank for the `T`, `+00` for `Z`. */
const instantPattern = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?(?:(Z)|([+-]\d\d):?(\d\d)?)?)?$/;
/** The years 1900 and 10000: nobody's account is older, and every database keeps what is between. */
const [earliest, latest] = [Date.UTC(1_900, 0), Date.UTC(10_000, 0)];

/**
 * Reads what a line has; a field that is missing, null or empty is left to latchkey.
 * @param now in ms since the epoch. @throws FaultError that names the field.
 */
export function readUserRecord(fields: Readonly<Record<string, unknown>>, now: number): UserRecord {
  const unknown = Object.keys(fields).find((name) => !(recordFields as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw fault(unknown.slice(0, 40), "is no field of a user", `use ${recordFields.join(", ")}`);
  const value = (name: RecordField) => (fields[name] === "" ? undefined : (fields[name] ?? undefined));
  const email = readEmail(value("email"));
  const createdAt = readInstant("createdAt", value("createdAt")) ?? now;
  return {
    id: readId(value("id")),
    email,
    name: readName(value("name"), email),
    emailVerified: readBoolean(value("emailVerified")),
    image: readImage(value("image")),
    createdAt,
    updatedAt: readInstant("updatedAt", value("updatedAt")) ?? createdAt,
    lockedAt: readInstant("lockedAt", value("lockedAt")) ?? null,
    hash: readHash(value("passwordHash")),
  };
}

function readId(id: unknown): string | undefined {
  // Some programs count.
  const text = typeof id === "number" && Number.isSafeInteger(id) ? String(id) : id;
  if (text === undefined || (typeof text === "string" && idPattern.test(text))) return text;
  throw fault(
    "id",
    "is no text of 1 to 128 ASCII characters without blanks",
    "leave it out, and get a new one",
  );
}

function readEmail(email: unknown): string {
  const remedy = "write an address such as ann@example.com";
  if (email === undefined) throw fault("email", "is missing", remedy);
  return checked("email", remedy, () => canonicalEmail(text("email", email, remedy)));
}

function readName(name: unknown, email: string): string {
  const remedy = `write a name of 1 to ${nameMaxLength} characters, or leave it out`;
  // Other programs know people by their addresses alone; here a name is asked for at sign-up.
  if (name === undefined) return email.slice(0, Math.min(email.lastIndexOf("@"), nameMaxLength));
  return checked("name", remedy, () => {
    const written = text("name", name, remedy);
    requireName(written);
    return written;
  });
}

function readImage(image: unknown): string | null {
  if (image === undefined) return null;
  const remedy = "write an http or https address, or leave it out";
  return checked("image", remedy, () => {
    const written = text("image", image, remedy);
    requireImage(written);
    return written;
  });
}

function readBoolean(value: unknown): boolean {
  const found = value === undefined ? false : booleans.get(value);
  if (found === undefined) throw fault("emailVerified", "is neither yes nor no", "write true or false");
  return found;
}

function readInstant(field: RecordField, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const at = typeof value === "number" ? value : parseInstant(value);
  if (Number.isInteger(at) && at >= earliest && at < latest) return at;
  throw fault(field, "is no instant", "write 2026-11-22T08:00:00Z, or milliseconds since 1970");
}

function parseInstant(value: unknown): number {
  if (typeof value !== "string") return Number.NaN;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  const [, day, time = "00:00:00", fraction = "", , hours, minutes = "00"] = instantPattern.exec(value) ?? [];
  const zone = hours === undefined ? "Z" : `${hours}:${minutes}`;
  return day === undefined || !isDay(day)
    ? Number.NaN
    : Date.parse(`${day}T${time}${fraction.slice(0, 4)}${zone}`);
}

/** February 31 is read as a day of March. */
function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

function readHash(hash: unknown): RecordHash | null {
  if (hash === undefined) return null;
  const kinds = "argon2, bcrypt, PBKDF2, Firebase's scrypt and BetterAuth's: docs/moving.md";
  const written = typeof hash === "string" && hash.length <= 1_024 ? hash : "";
  const own = ownKindOf(written);
  if (own !== undefined) return { stored: written, kind: own === "current" ? undefined : own };
  const taken = takeForeignHash(written);
  if ("stored" in taken) return taken;
  if (taken.problem === "unknown")
    throw fault("passwordHash", "is of no form that can be verified", `use ${kinds}`);
  throw fault(
    "passwordHash",
    "takes too long or too much memory to verify",
    "leave it out, and have this user set a new password",
  );
}

function text(field: RecordField, value: unknown, remedy: string): string {
  if (typeof value !== "string") throw fault(field, "is no text", remedy);
  requireWellFormed(field, value);
  return value;
}

/** A refusal of requests' rules, said of a line. */
function checked<T>(field: RecordField, remedy: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw fault(field, error.message.replace(`${field}: `, ""), remedy);
  }
}

function fault(field: string, reason: string, remedy: string): FaultError {
  return new FaultError({ field, reason, remedy });
}
