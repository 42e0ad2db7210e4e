import clsx from "clsx";
import { type ReactNode, useEffect, useRef } from "react";
import { useAccount } from "../../account";
import { accountUrl } from "../../site-urls";
import LoginLink from "../LoginLink";
import styles from "./styles.module.css";

/** `{ type: "custom-latchkeyAccount", position: "right" }` in the navbar's items. */
export default function AccountNavbarItem({ mobile = false }: { mobile?: boolean }): ReactNode {
  return mobile ? (
    <li className={clsx("menu__list-item", styles.mobile)}>
      <AccountControls />
    </li>
  ) : (
    <div className={clsx("navbar__item", styles.desktop)}>
      <AccountControls />
    </div>
  );
}

function AccountControls(): ReactNode {
  const account = useAccount();
  const login = useRef<HTMLAnchorElement>(null);
  const isLoggingOutHere = useRef(false);

  useEffect(() => {
    // The Logout button is gone and the keyboard's focus with it.
    if (account.status === "signed-out" && isLoggingOutHere.current) login.current?.focus();
    if (account.status !== "signed-in") isLoggingOutHere.current = false;
  }, [account.status]);

  switch (account.status) {
    case "loading":
      return <span className={styles.placeholder} data-testid="account-loading" />;
    case "signed-out":
      return (
        <LoginLink ref={login} className="button button--primary button--sm">
          Login
        </LoginLink>
      );
    case "signed-in": {
      const { user, signOut } = account;
      return (
        <>
          <a className={styles.name} href={accountUrl} title={`${user.name}: your account`}>
            {user.name}
          </a>
          <button
            type="button"
            className="button button--secondary button--sm"
            aria-disabled={signOut.state === "pending"}
            onClick={() => {
              if (signOut.state === "pending") return;
              isLoggingOutHere.current = true;
              void signOut.start();
            }}
          >
            {signOut.state === "failed" ? "Retry logout" : "Logout"}
          </button>
        </>
      );
    }
    case "unavailable":
      return (
        <button
          type="button"
          className="button button--outline button--secondary button--sm"
          aria-disabled={account.isRetrying}
          onClick={() => {
            if (!account.isRetrying) account.retry();
          }}
        >
          Sign-in unavailable <span className={styles.retry}>{account.isRetrying ? "…" : "Retry"}</span>
        </button>
      );
  }
}
