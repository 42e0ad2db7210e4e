import type { Config } from "../config/config.ts";
import type { AuthRouteName } from "../routes.ts";
import type { Happening, PostMail } from "./outgoing-mail.ts";
import type { Unit } from "./unit-of-work.ts";

export interface NoticeRequest {
  readonly name: AuthRouteName;
  readonly headers: Headers;
  readonly clientAddress: string;
  /** The address of whom it concerns, in canonical form; undefined where that is not known. */
  readonly email: string | undefined;
  /** Where a sign-up is to lead, as BetterAuth has accepted it; null for nowhere. */
  readonly callbackUrl: string | null;
}

/** Tells people, by mail, of what was done to their account: in the transaction that does it. */
export interface Notices {
  of(request: Omit<NoticeRequest, "callbackUrl"> & Partial<NoticeRequest>, unit: Unit): Promise<void>;
}

export interface NoticeDeps {
  readonly config: Pick<Config, "mail" | "emailVerification" | "baseUrl">;
  readonly post: PostMail;
  /** Takes back, in the current unit, what waits with a recovery link for somebody. */
  readonly withdraw: (recipient: string) => Promise<void>;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

const userAgentMaxLength = 512;

const kinds: Partial<Record<AuthRouteName, "password_changed" | "account_deleted">> = {
  changePassword: "password_changed",
  resetPassword: "password_changed",
  deleteUser: "account_deleted",
};

/** What a request looked like from here. */
export function happeningOf(
  { headers, clientAddress }: Pick<NoticeRequest, "headers" | "clientAddress">,
  at: number,
): Happening {
  const userAgent = (headers.get("user-agent") ?? "").slice(0, userAgentMaxLength).toWellFormed();
  return { at, userAgent, clientAddress };
}

export function createNotices({ config, post, withdraw, now }: NoticeDeps): Notices {
  return {
    async of(request, unit) {
      const { name, headers, email } = request;
      if (config.mail === null || email === undefined) return;
      if (name === "signUp") {
        if (config.emailVerification === "off" || unit.isQuiet) return;
        const { baseUrl } = config;
        const given = request.callbackUrl ?? null;
        const callbackUrl = given === null || given === "" ? null : new URL(given, baseUrl).href;
        const payload = { callbackUrl };
        const kind = unit.seen.reason === "taken" ? "sign_up_taken" : "verification";
        await post(unit, { kind, recipient: email, headers, payload });
        return;
      }
      if (name === "changePassword") await withdraw(email);
      const kind = name === "signIn" && unit.isNewDevice ? "new_device" : kinds[name];
      if (kind === undefined || unit.isQuiet) return;
      await post(unit, {
        kind,
        recipient: email,
        headers,
        payload: happeningOf(request, now()),
        isCertain: true,
      });
    },
  };
}
