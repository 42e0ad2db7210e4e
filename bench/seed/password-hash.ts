import { hashPassword } from "better-auth/crypto";
import { password } from "./sessions.ts";

/** The seeded password's hash with latchkey's parameters. */
export function argon2idHash(): Promise<string> {
  return Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
}

/** The seeded password's hash as stock BetterAuth stores it. */
export function scryptHash(): Promise<string> {
  return hashPassword(password);
}
