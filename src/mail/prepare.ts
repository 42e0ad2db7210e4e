import type { MailKind, MailPayload } from "../auth/outgoing-mail.ts";
import type { ClaimedMail } from "../database/outbox.ts";
import type { MailContent } from "./content.ts";
import { accountDeleted, newDevice, passwordChanged } from "./happenings.ts";
import { emailChange, emailChanged, recovery, signUpTaken, verification } from "./link-mails.ts";
import type { PrepareDeps } from "./making.ts";

/** What a mail says, with what it promises made; null where it is not to be sent: nobody is there who wants it. */
export type Prepare = (mail: ClaimedMail) => Promise<MailContent | null>;

type Make<Kind extends MailKind> = (
  deps: PrepareDeps,
  mail: ClaimedMail,
  payload: MailPayload<Kind>,
) => Promise<MailContent | null>;

const makers: { readonly [Kind in MailKind]: Make<Kind> } = {
  recovery,
  verification,
  sign_up_taken: signUpTaken,
  email_change: emailChange,
  email_changed: emailChanged,
  password_changed: passwordChanged,
  new_device: newDevice,
  account_deleted: accountDeleted,
};

export function createPrepare(deps: PrepareDeps): Prepare {
  return async (mail) => {
    const make = (makers as Readonly<Record<string, Make<never> | undefined>>)[mail.kind];
    if (make === undefined) throw new TypeError(`no mail is ${mail.kind}`);
    return await make(deps, mail, JSON.parse(mail.payload) as never);
  };
}
