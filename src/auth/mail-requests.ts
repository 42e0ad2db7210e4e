import type { Config } from "../config/config.ts";
import { findCredential } from "../database/credentials.ts";
import type { Database } from "../database/database.ts";
import { PremiseLost } from "../database/premises.ts";
import { storeFailure } from "../database/store-error.ts";
import { AppError } from "../errors.ts";
import type { AuthRouteName } from "../routes.ts";
import { type Body, checkInput, type InputRules } from "./input.ts";
import type { MailKind, OutgoingMail, PostMail } from "./outgoing-mail.ts";
import { stateOf } from "./recovery.ts";
import { trustedAddress } from "./trusted-address.ts";
import type { Unit, Units } from "./unit-of-work.ts";

export interface MailRequestDeps {
  readonly config: Pick<Config, "mail" | "baseUrl" | "trustedOrigins" | "emailVerification">;
  readonly database: Pick<Database, "provider">;
  readonly units: Units;
  readonly rules: InputRules;
  readonly post: PostMail;
}

/** A request for a mail. */
interface MailRequest {
  readonly body: Body;
  readonly headers: Headers;
  /** Who asks; null for a stranger. */
  readonly visitor: { readonly userId: string; readonly email: string } | null;
}

/**
 * Routes that have a mail sent. Each writes one row, whether anybody has the address or not, and looks nobody up: that is
 * done when the mail is sent, so that neither the answer nor its time says who has an account. @throws AppError 400, 401,
 * 403 and 503.
 */
export type MailRequests = Readonly<
  Record<
    "requestPasswordReset" | "sendVerificationEmail" | "changeEmail",
    (request: MailRequest, unit: Unit) => Promise<Response>
  >
>;

/** BetterAuth's, whoever is asked about. */
const resetAnswer = {
  status: true,
  message: "If this email exists in our system, check your email for the reset link",
};

export function createMailRequests({ config, database, units, rules, post }: MailRequestDeps): MailRequests {
  const send = async <Kind extends MailKind>(
    unit: Unit,
    make: () => OutgoingMail<Kind> | Promise<OutgoingMail<Kind>>,
    answer: object,
  ) => {
    try {
      await units.run(
        unit,
        async () => await post(unit, await make()),
        () => true,
      );
    } catch (error) {
      throw error instanceof AppError || error instanceof PremiseLost ? error : storeFailure(error);
    }
    return Response.json(answer, { headers: { "Cache-Control": "no-store" } });
  };
  const checked = (route: AuthRouteName, body: Body) => {
    const { email, newEmail, redirectTo, callbackURL, callbackUrl } = checkInput(route, body, rules);
    return {
      email: String(route === "changeEmail" ? newEmail : email),
      redirectTo: trustedAddress("redirectTo", redirectTo, config),
      callbackUrl: trustedAddress("callbackURL", callbackUrl ?? callbackURL, config),
    };
  };
  return {
    async requestPasswordReset({ body, headers }, unit) {
      if (config.mail === null) throw new AppError("RESET_PASSWORD_DISABLED", "Reset password isn't enabled");
      const { email, ...payload } = checked("requestPasswordReset", body);
      return await send(unit, () => ({ kind: "recovery", recipient: email, headers, payload }), resetAnswer);
    },
    async sendVerificationEmail({ body, headers }, unit) {
      if (config.emailVerification === "off")
        throw new AppError("VERIFICATION_EMAIL_NOT_ENABLED", "Verification email isn't enabled");
      const { email, callbackUrl } = checked("sendVerificationEmail", body);
      const payload = { callbackUrl };
      return await send(unit, () => ({ kind: "verification", recipient: email, headers, payload }), {
        status: true,
      });
    },
    async changeEmail({ body, headers, visitor }, unit) {
      if (config.mail === null) throw new AppError("CHANGE_EMAIL_DISABLED", "Change email is disabled");
      if (visitor === null) throw new AppError("UNAUTHORIZED", "Unauthorized");
      const { email, callbackUrl } = checked("changeEmail", body);
      if (email === visitor.email)
        throw new AppError("VALIDATION_ERROR", "newEmail: is the address already.");
      const { userId } = visitor;
      unit.premises.userId = userId;
      unit.seen.userId = userId;
      const make = async () => {
        const transaction = await units.write();
        const credential = transaction && (await findCredential(transaction, database.provider, userId));
        // Locked, or another address by now: whoever asks has no session any more, or looks at an old page.
        if (credential?.email !== visitor.email) throw new AppError("UNAUTHORIZED", "Unauthorized");
        const payload = { userId, state: stateOf(credential), callbackUrl };
        return { kind: "email_change", recipient: email, headers, payload } as const;
      };
      return await send(unit, make, { status: true });
    },
  };
}
