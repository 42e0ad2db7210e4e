import { createContext, type ReactNode, useContext, useState } from "react";
import { authClient, type User } from "./auth-client";

export type Account =
  /** On the server, during hydration, and until latchkey has answered once. */
  | { status: "loading" }
  | { status: "signed-out" }
  | { status: "signed-in"; user: User; signOut: SignOut }
  | { status: "unavailable"; retry(): void; isRetrying: boolean };

export interface SignOut {
  state: "idle" | "pending" | "failed";
  start(): Promise<void>;
}

const AccountContext = createContext<Account>({ status: "loading" });

/** Who is looking at this page. */
export function useAccount(): Account {
  return useContext(AccountContext);
}

/** Asks latchkey once for the whole site, and tells screen readers when the answer changes. */
export function AccountProvider({ children }: { children: ReactNode }): ReactNode {
  const session = authClient.useSession();
  const [signOutState, setSignOutState] = useState<SignOut["state"]>("idle");
  const [endedSessionId, setEndedSessionId] = useState<string>();
  // While nobody is signed in, every refetch (each time the tab is shown again) is "pending" anew: keep the last answer
  // meanwhile, or the login button would blink.
  const [answered, setAnswered] = useState<Account["status"]>("loading");
  const [hasChanged, setHasChanged] = useState(false);

  // The session that was ended here is over, even if latchkey cannot be asked any more.
  const data = session.data?.session.id === endedSessionId ? null : session.data;
  const isUnavailable = session.error !== null && session.error.status !== 401;
  const answer = session.isPending
    ? answered
    : data
      ? "signed-in"
      : isUnavailable && session.data === null
        ? "unavailable"
        : "signed-out";
  if (answer !== answered) {
    setAnswered(answer);
    if (answered !== "loading") setHasChanged(true);
  }

  const start = async () => {
    setSignOutState("pending");
    const isSignedOut = await signOut();
    setSignOutState(isSignedOut ? "idle" : "failed");
    if (isSignedOut) setEndedSessionId(session.data?.session.id);
  };

  const account: Account =
    answer === "signed-in" && data
      ? { status: "signed-in", user: data.user, signOut: { state: signOutState, start } }
      : answer === "unavailable"
        ? { status: "unavailable", retry: () => void session.refetch(), isRetrying: session.isPending }
        : { status: answer === "signed-out" ? "signed-out" : "loading" };

  return (
    <AccountContext value={account}>
      {children}
      <div role="status" className="visually-hidden">
        {announcement(account, hasChanged)}
      </div>
    </AccountContext>
  );
}

async function signOut(): Promise<boolean> {
  try {
    const { error } = await authClient.signOut();
    return error === null;
  } catch {
    return false; // latchkey is not reachable
  }
}

function announcement(account: Account, hasChanged: boolean): string {
  if (account.status === "unavailable")
    return account.isRetrying ? "Trying to reach sign-in again." : "Sign-in is unavailable. The pages are not affected.";
  if (account.status === "signed-in" && account.signOut.state === "failed")
    return "You are still logged in: logging out failed.";
  if (!hasChanged || account.status === "loading") return "";
  return account.status === "signed-in" ? `Logged in as ${account.user.name}.` : "You are logged out.";
}
