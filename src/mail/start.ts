import { createLimiter } from "../auth/limiter.ts";
import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { createLimitStore } from "../database/limit-store.ts";
import { createEmailDescription } from "../http/auth.ts";
import type { Keyring } from "../keyring.ts";
import type { Log } from "../log.ts";
import { createCompose } from "./compose.ts";
import { createMailer, type Mailer, type MailerDeps } from "./mailer.ts";
import { createPrepare } from "./prepare.ts";
import { openSmtp } from "./smtp.ts";

export interface StartDeps extends Pick<MailerDeps, "onOutcome"> {
  readonly config: Config & { readonly mail: NonNullable<Config["mail"]> };
  readonly database: Database;
  readonly keyring: Keyring;
  readonly log: Log;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Puts together what sends mail. */
export function startMailer({ config, database, keyring, log, now, ...heard }: StartDeps): Mailer {
  return createMailer({
    ...heard,
    database,
    prepare: createPrepare({ config, database, secrets: () => keyring.renew(), now }),
    compose: createCompose(config),
    open: (signal) => openSmtp(config.mail, signal),
    takeFromCap: createCap(config, database, now),
    describeEmail: (email) => createEmailDescription(keyring.secrets[0] ?? "", config.logEmails)(email),
    log,
    now,
    random: Math.random,
  });
}

/** Of all instances on a database together; none where nothing is limited. */
function createCap({ limits }: Config, database: Database, now: () => number): MailerDeps["takeFromCap"] {
  if (limits === null) return async () => 0;
  const { points, seconds } = limits.mail;
  const store = createLimitStore(database, now, () => {});
  const limiter = createLimiter({ store, prefix: "mails", points, durationSeconds: seconds });
  return async () => {
    const taken = await limiter.take("all");
    return taken.isLeft ? 0 : Math.max(1, taken.waitMs);
  };
}
