import type { Config } from "../config/config.ts";
import type { Database, Transaction } from "../database/database.ts";
import { deleteLock, insertLock } from "../database/locks.ts";
import { PremiseLost } from "../database/premises.ts";
import { isUniqueViolation, storeFailure } from "../database/store-error.ts";
import { setCredential, setVerified } from "../database/credentials.ts";
import {
  deleteSessions,
  deleteUser,
  findUser,
  updateUser,
  type User,
  type UserSession,
} from "../database/users.ts";
import { CommandError } from "../errors.ts";
import { sessionCookieName } from "../session/cookie.ts";
import { createEndings } from "../session/endings.ts";
import type { Auth } from "./better-auth.ts";
import type { RequireUnbreached } from "./breached/breaches.ts";
import type { RequireUnguessable } from "./guessable.ts";
import { requirePassword, requireWellFormed } from "./input.ts";
import {
  requirePublicUrl,
  requireEmail,
  requireWritten,
  canonicalOrUndefined,
  unknownUser,
  taken,
  signUpClosed,
  unknownInvitation,
  isTaken,
  checked,
} from "./operator-refusals.ts";
import type { Passwords } from "./password.ts";
import { invitationUrl, issueInvitation, withdrawInvitation } from "./invitation.ts";
import { endPending } from "./mail-links.ts";
import { endRecovery, issueRecovery, recoveryUrl } from "./recovery.ts";
import { createUnits, newUnit } from "./unit-of-work.ts";

export interface OperatorDeps {
  readonly config: Config;
  readonly database: Database;
  readonly passwords: Passwords;
  readonly requireUnguessable: RequireUnguessable;
  readonly requireUnbreached: RequireUnbreached;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** A link that was given out. */
interface Link {
  readonly url: string;
  /** In ms since the epoch. */
  readonly expiresAt: number;
}

interface InvitationLink extends Link {
  readonly id: string;
  readonly email: string | null;
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
  /** The address counts as verified afterwards. */
  verifyEmail(user: User): Promise<User>;
  /** The address counts as unverified afterwards. */
  setEmail(user: User, email: string): Promise<User>;
  /** @returns the sessions that were ended: all, or none. */
  setPassword(user: User, password: string, keepsSessions: boolean): Promise<readonly UserSession[]>;
  /** @param sessionId one alone. @returns what was ended. */
  revoke(user: User, sessionId?: string): Promise<readonly UserSession[]>;
  /** Ends all sessions, and lets none begin. @returns what was ended. */
  lock(user: User): Promise<readonly UserSession[]>;
  unlock(user: User): Promise<User>;
  /** Gives out a link to a page that sets a new password, once. */
  recover(user: User): Promise<Link>;
  /** Gives out a link by which one account is made. @param written whose; undefined for anybody's. */
  invite(written: string | undefined, seconds: number): Promise<InvitationLink>;
  /** Ends an invitation that nobody has used. @throws CommandError where none that counts has the id. */
  withdraw(invitationId: string): Promise<void>;
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
        mayTell: async () => false,
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
  const requireChosen = async (password: string, owner: Pick<User, "name" | "email">) => {
    checked("password", () => {
      requireWellFormed("password", password);
      requirePassword(password, { ...config, requireUnguessable: deps.requireUnguessable }, owner);
    });
    await deps.requireUnbreached(password).catch((error: unknown) =>
      checked("password", () => {
        throw error;
      }),
    );
  };
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
      if ((await findUser(database, "", email)) !== undefined) throw taken(email);
      await requireChosen(password, { name, email });
      const hash = await passwords.hash(password);
      const internalAdapter = await accounts();
      const id = await changing(undefined, async (transaction) => {
        try {
          const made = await internalAdapter.createUser(
            { email, name, emailVerified: false },
            { method: "email-password" },
          );
          await setCredential(transaction, provider, made.id, hash, now());
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
    async verifyEmail(user) {
      await changing(user, async (transaction) => {
        await setVerified(transaction, provider, user.id, now());
        await endPending(transaction, provider, user.id);
      });
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
      await requireChosen(password, user);
      // Before the transaction: no lock is held during a hash.
      const hash = await passwords.hash(password);
      return await changing(user, async (transaction) => {
        await setCredential(transaction, provider, user.id, hash, now());
        return keepsSessions ? [] : await deleteSessions(transaction, provider, user.id);
      });
    },
    async revoke(user, sessionId) {
      return await changing(user, (transaction) => deleteSessions(transaction, provider, user.id, sessionId));
    },
    async lock(user) {
      return await changing(user, async (transaction) => {
        await insertLock(transaction, provider, user.id, now());
        await endRecovery(transaction, provider, user.id);
        await endPending(transaction, provider, user.id);
        return await deleteSessions(transaction, provider, user.id);
      });
    },
    async unlock(user) {
      await changing(user, (transaction) => deleteLock(transaction, provider, user.id));
      return await reread(user);
    },
    async recover(user) {
      const baseUrl = requirePublicUrl(config);
      const link = await changing(user, (transaction) =>
        issueRecovery(transaction, provider, user.id, now()),
      );
      if (link === null)
        throw new CommandError(`${user.email} is locked`, `latchkey users unlock ${user.email}`, {
          wrongInput: "locked",
        });
      return { url: recoveryUrl(baseUrl, link.token), expiresAt: link.expiresAt };
    },
    async invite(written, seconds) {
      if (config.signUp === "closed") throw signUpClosed();
      const baseUrl = requirePublicUrl(config);
      const email = written === undefined ? null : requireEmail(written);
      if (email !== null && (await findUser(database, "", email)) !== undefined) throw taken(email);
      const expiresAt = now() + seconds * 1_000;
      const { token, id } = await changing(undefined, (transaction) =>
        issueInvitation(transaction, provider, { email, expiresAt }, now()),
      );
      return { url: invitationUrl(baseUrl, token), expiresAt, email, id };
    },
    async withdraw(invitationId) {
      const isDone = await changing(undefined, (transaction) =>
        withdrawInvitation(transaction, provider, invitationId, now()),
      );
      if (!isDone) throw unknownInvitation(invitationId);
    },
    async remove(user) {
      return await changing(user, async (transaction) => {
        await endRecovery(transaction, provider, user.id);
        return await deleteUser(transaction, provider, user.id);
      });
    },
  };
}
