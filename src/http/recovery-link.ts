import type { Recovery } from "../auth/recovery.ts";
import { AppError } from "../errors.ts";
import { type CallbackRules, checkCallback } from "./callback-url.ts";
import type { RequestContext } from "./request.ts";

/**
 * Answers a mailed link that leads to a page elsewhere, as BetterAuth would: on to `callbackURL`, with the token or an
 * error. Opening it changes nothing. Its cookies and its `Referer` go nowhere.
 */
export function createRecoveryLink(rules: CallbackRules, find: Recovery["find"]) {
  return async ({ path, url }: RequestContext): Promise<Response> => {
    const target = checkCallback(url?.searchParams.get("callbackURL"), rules);
    if (target === null) throw new AppError("INVALID_CALLBACK_URL", "Invalid callbackURL");
    const token = path.slice(path.lastIndexOf("/") + 1);
    const onward = new URL(target);
    if ((await find(token)) === null) onward.searchParams.set("error", "INVALID_TOKEN");
    else onward.searchParams.set("token", token);
    return new Response(null, {
      status: 302,
      headers: { Location: onward.href, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" },
    });
  };
}
