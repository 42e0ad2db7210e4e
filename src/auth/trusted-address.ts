import type { Config } from "../config/config.ts";
import type { ErrorCode } from "../error-codes.ts";
import { AppError } from "../errors.ts";

type Place = Pick<Config, "baseUrl" | "trustedOrigins">;

/** Longer ones fit into no mail's line, and into no link that people copy. */
const maxLength = 2_048;

const refusals = {
  redirectTo: { code: "INVALID_REDIRECT_URL", message: "Invalid redirectURL" },
  callbackURL: { code: "INVALID_CALLBACK_URL", message: "Invalid callbackURL" },
} as const satisfies Record<string, { readonly code: ErrorCode; readonly message: string }>;

/** The absolute form of an address on a listed origin, as BetterAuth resolves one; null for none. @throws AppError 403. */
export function trustedAddress(
  field: keyof typeof refusals,
  address: unknown,
  { baseUrl, trustedOrigins }: Place,
): string | null {
  if (typeof address !== "string" || address === "") return null;
  const isReadable = !/[\p{Cc}\\]/u.test(address) && URL.canParse(address, baseUrl);
  const url = isReadable ? new URL(address, baseUrl) : null;
  const isListed = url !== null && trustedOrigins.includes(url.origin) && url.username + url.password === "";
  if (isListed && url.href.length <= maxLength) return url.href;
  const { code, message } = refusals[field];
  throw new AppError(code, message);
}
