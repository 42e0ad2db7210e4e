import { type Log, hashedSessionId } from "../log.ts";

/** The routes whose outcome the log gets, under the names it gives them. */
const events: ReadonlyMap<string, string> = new Map([
  ["/sign-up/email", "sign_up"],
  ["/sign-in/email", "sign_in"],
  ["/sign-out", "sign_out"],
  ["/revoke-session", "session_revocation"],
  ["/revoke-sessions", "session_revocation"],
  ["/revoke-other-sessions", "session_revocation"],
  ["/change-password", "password_change"],
  ["/update-user", "profile_update"],
  ["/delete-user", "account_deletion"],
]);

export interface AuthEvent {
  readonly path: string;
  readonly status: number;
  /** The error's code, for a failure. */
  readonly code?: string | undefined;
  readonly requestId: string;
  readonly clientAddress: string;
  readonly seen: { readonly userId?: string; readonly sessionId?: string; readonly reason?: string };
}

/** Writes one line an auth action: who, from where, with what outcome, and never a credential. */
export function logAuthEvent(log: Log, event: AuthEvent): void {
  const name = events.get(event.path);
  if (name === undefined) return;
  const { userId, sessionId, reason } = event.seen;
  log.info(
    {
      event: name,
      outcome: event.status < 400 ? "success" : "failure",
      ...(event.status < 400 ? {} : { reason: reason ?? event.code ?? String(event.status) }),
      requestId: event.requestId,
      clientAddress: event.clientAddress,
      ...(userId === undefined ? {} : { userId }),
      ...(sessionId === undefined ? {} : { session: hashedSessionId(sessionId) }),
    },
    name.replaceAll("_", " "),
  );
}
