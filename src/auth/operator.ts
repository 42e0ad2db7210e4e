import type { Config } from "../config/config.ts";
import type { Database, Transaction } from "../database/database.ts";
import { PremiseLost } from "../database/premises.ts";
import { isUniqueViolation, storeFailure } from "../database/store-error.ts";
import {
  deleteSessions,
  deleteUser,
  findUser,
  updatePassword,
  updateUser,
  type User,
  type UserSession,
} from "../database/users.ts";
import { AppError, CommandError } from "../errors.ts";
import { sessionCookieName } from "../session/cookie.ts";
import { createEndings } from "../session/endings.ts";
import type { Auth } from "./better-auth.ts";
import type { RequireUnguessable } from "./guessable.ts";
import { canonicalEmail, requireName, requirePassword, requireWellFormed } from "./input.ts";
import type { Passwords } from "./password.ts";
import { createUnits, newUnit } from "./unit-of-work.ts";

/** What to write instead, by the field. */
const remedies: Readonly<Record<string, string>> = {
  email: "write an address such as ann@example.com",
  name: "write a name of 1 to 100 characters",
  password: "choose another one, by the rules of LATCHKEY_PASSWORD_MIN_LENGTH and LATCHKEY_PASSWORD_COMMON",
};

export interface OperatorDeps {
  readonly config: Config;
  readonly database: Database;
  readonly passwords: Passwords;
  readonly requireUnguessable: RequireUnguessable;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly password: string;
}

/** What an operator does to users: by the rules of requests, and in turn with those of the same user. */
export interface Operator {
  /** @throws CommandError where nobody has that e-mail address or id. */
  find(reference: string): Promise<User>;
  create(wanted: NewUser): Promise<User>;
  rename(user: User, name: string): Promise<User>;
  /** The address counts as unverified afterwards. */
  setEmail(user: User, email: string): Promise<User>;
  /** @returns the sessions that were ended: all, or none. */
  setPassword(user: User, password: string, keepsSessions: boolean): Promise<readonly UserSession[]>;
  /** @param sessionId one alone. @returns what was ended. */
  revoke(user: User, sessionId?: string): Promise<readonly UserSession[]>;
  /** With accounts and sessions. @returns these. */
  remove(user: User): Promise<readonly UserSession[]>;
}

/** Builds what commands do, in this process, to a database that servers have open. */
export function createOperator(deps: OperatorDeps): Operator {
  const { config, database, passwords, now } = deps;
  const { provider } = database;
  const units = createUnits(database, () => {});
  let loading: Promise<Auth> | undefined;
  const accounts = async () => {
    // Most commands do without it.
    loading ??= import("./better-auth.ts").then(({ createAuth }) =>
      createAuth({
        config,
        // It signs nothing.
        secrets: [crypto.randomUUID() + crypto.randomUUID()],
        database,
        units,
        passwords,
        cookieName: sessionCookieName(config.secure),
        endings: createEndings(config.sessionMaxAgeSeconds, now),
      }),
    );
    return (await (await loading).$context).internalAdapter;
  };

  /** Runs `work` in a transaction; one of a user's holds the row that requests lock, too. */
  const changing = async <T>(
    user: User | undefined,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> => {
    const unit = newUnit();
    if (user !== undefined) unit.premises.userId = user.id;
    try {
      return await units.run(
        unit,
        async () => {
          const begun = units.write();
          if (begun === undefined) throw new Error("no unit");
          return await work(await begun);
        },
        () => true,
      );
    } catch (error) {
      if (error instanceof PremiseLost && user !== undefined) throw unknownUser(user.email);
      throw error instanceof CommandError ? error : storeFailure(unit.failure ?? error);
    }
  };
  const link = async (userId: string, password: string) => {
    const internalAdapter = await accounts();
    await internalAdapter.linkAccount({ userId, providerId: "credential", accountId: userId, password });
  };
  const requireChosen = (password: string, owner: Pick<User, "name" | "email">) =>
    checked("password", () => {
      requireWellFormed("password", password);
      requirePassword(password, { ...config, requireUnguessable: deps.requireUnguessable }, owner);
    });
  const reread = async ({ id, email }: Pick<User, "id" | "email">): Promise<User> => {
    const found = await findUser(database, id, undefined);
    if (found === undefined) throw unknownUser(email);
    return found;
  };

  return {
    async find(reference) {
      const found = await findUser(database, reference, canonicalOrUndefined(reference));
      if (found === undefined) throw unknownUser(reference);
      return found;
    },
    async create({ email: written, name, password }) {
      const email = requireEmail(written);
      requireWritten(name);
      requireChosen(password, { name, email });
      if ((await findUser(database, "", email)) !== undefined) throw taken(email);
      const hash = await passwords.hash(password);
      const internalAdapter = await accounts();
      const id = await changing(undefined, async () => {
        try {
          const made = await internalAdapter.createUser(
            { email, name, emailVerified: false },
            { method: "email-password" },
          );
          await link(made.id, hash);
          return made.id;
        } catch (error) {
          throw isTaken(error) ? taken(email) : error;
        }
      });
      return await reread({ id, email });
    },
    async rename(user, name) {
      requireWritten(name);
      await changing(user, (transaction) => updateUser(transaction, provider, user.id, { name }, now()));
      return await reread(user);
    },
    async setEmail(user, written) {
      const email = requireEmail(written);
      await changing(user, async (transaction) => {
        try {
          await updateUser(transaction, provider, user.id, { email }, now());
        } catch (error) {
          throw isUniqueViolation(error) ? taken(email) : error;
        }
      });
      return await reread(user);
    },
    async setPassword(user, password, keepsSessions) {
      requireChosen(password, user);
      // Before the transaction: no lock is held during a hash.
      const hash = await passwords.hash(password);
      return await changing(user, async (transaction) => {
        if (!(await updatePassword(transaction, provider, user.id, hash, now()))) await link(user.id, hash);
        return keepsSessions ? [] : await deleteSessions(transaction, provider, user.id);
      });
    },
    async revoke(user, sessionId) {
      return await changing(user, (transaction) => deleteSessions(transaction, provider, user.id, sessionId));
    },
    async remove(user) {
      return await changing(user, (transaction) => deleteUser(transaction, provider, user.id));
    },
  };
}

function requireEmail(email: string): string {
  return checked("email", () => canonicalEmail(email));
}

function requireWritten(name: string): void {
  checked("name", () => {
    requireWellFormed("name", name);
    requireName(name);
  });
}

/** The stored form of what may be an address. */
function canonicalOrUndefined(reference: string): string | undefined {
  try {
    return canonicalEmail(reference);
  } catch {
    // An id, then.
    return undefined;
  }
}

function unknownUser(reference: string): CommandError {
  return new CommandError(`nobody has the e-mail address or id ${reference}`, "latchkey users list", {
    wrongInput: "unknown_user",
  });
}

function taken(email: string): CommandError {
  return new CommandError(`email: ${email} has an account already`, `latchkey users show ${email}`, {
    wrongInput: "email_taken",
  });
}

/** Whether BetterAuth's adapter said that somebody else has the address. */
function isTaken(error: unknown): boolean {
  const { body } = error as { readonly body?: { readonly code?: unknown } };
  return body?.code === "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL";
}

/** A refusal of requests' rules, said to an operator. */
function checked<T>(field: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = error.message.startsWith(`${field}: `) ? error.message : `${field}: ${error.message}`;
    throw new CommandError(message, remedies[field] ?? "latchkey users --help", { wrongInput: error.code });
  }
}
