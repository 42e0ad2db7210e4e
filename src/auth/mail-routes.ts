import type { Config } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { AuthRouteName } from "../routes.ts";
import type { Body } from "./input.ts";
import type { MailLinks } from "./mail-links.ts";
import type { MailRequests } from "./mail-requests.ts";
import { happeningOf } from "./notices.ts";
import type { Recovery } from "./recovery.ts";
import { trustedAddress } from "./trusted-address.ts";
import type { Unit } from "./unit-of-work.ts";

export interface MailRouteDeps {
  readonly config: Pick<Config, "trustedOrigins" | "baseUrl">;
  readonly recovery: Recovery;
  readonly requests: MailRequests;
  readonly links: MailLinks;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

interface MailRouteRequest {
  readonly name: AuthRouteName;
  readonly search: string;
  readonly headers: Headers;
  readonly body: Body | undefined;
  readonly clientAddress: string;
}

/** Who asks; null for a stranger. */
type Visitor = { readonly userId: string; readonly email: string; readonly token: string } | null;

/** Answers the routes that latchkey has in BetterAuth's place; undefined for all others. */
export type AnswerMailRoute = (
  request: MailRouteRequest,
  visitor: () => Promise<Visitor>,
  unit: Unit,
) => Promise<Response> | undefined;

export function createMailRoutes({ config, recovery, requests, links, now }: MailRouteDeps): AnswerMailRoute {
  const confirm = (body: Body, request: MailRouteRequest, unit: Unit) =>
    links.use(body, { headers: request.headers, happening: happeningOf(request, now()) }, unit);
  /** As BetterAuth's client asks: with `callbackURL` it is led on, whatever came of it. */
  const verifyEmail = async (request: MailRouteRequest, unit: Unit) => {
    const parameters = new URLSearchParams(request.search);
    const target = trustedAddress("callbackURL", parameters.get("callbackURL"), config);
    const onward = (error?: string) => {
      const url = new URL(target ?? config.baseUrl);
      if (error !== undefined) url.searchParams.set("error", error);
      return new Response(null, {
        status: 302,
        headers: { Location: url.href, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" },
      });
    };
    try {
      await confirm({ token: parameters.get("token") ?? "" }, request, unit);
    } catch (error) {
      if (target !== null && error instanceof AppError && error.code === "INVALID_LINK")
        return onward("INVALID_TOKEN");
      throw error;
    }
    if (target !== null) return onward();
    return Response.json({ status: true, user: null }, { headers: { "Cache-Control": "no-store" } });
  };
  return (request, visitor, unit) => {
    const { name, headers, body = {} } = request;
    if (name === "requestPasswordReset" || name === "sendVerificationEmail")
      return requests[name]({ body, headers, visitor: null }, unit);
    if (name === "changeEmail")
      return visitor().then((found) => {
        if (found !== null) unit.premises.token = found.token;
        return requests[name]({ body, headers, visitor: found }, unit);
      });
    if (name === "resetPassword") return recovery.reset(body, request, unit);
    if (name === "confirm") return confirm(body, request, unit);
    if (name === "verifyEmailCode") return links.useCode(body, unit);
    if (name === "verifyEmail") return verifyEmail(request, unit);
    return undefined;
  };
}
