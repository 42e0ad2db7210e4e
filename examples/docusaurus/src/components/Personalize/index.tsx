import { useStorageSlot } from "@docusaurus/theme-common";
import { type ReactNode, useId } from "react";
import { useAccount } from "../../account";
import type { User } from "../../auth-client";
import LoginLink from "../LoginLink";
import { useApiIdentity } from "./api-identity";
import styles from "./styles.module.css";

const levels = ["beginner", "intermediate", "advanced"] as const;
type Level = (typeof levels)[number];

interface Props {
  /** What this lesson has to say to people of each background. */
  hints: Record<Level, ReactNode>;
}

/** `<Personalize hints={{ beginner: …, intermediate: …, advanced: … }} />` in a lesson. */
export default function Personalize({ hints }: Props): ReactNode {
  const account = useAccount();
  return (
    <section className={styles.panel} aria-label="Personalize this lesson" aria-busy={account.status === "loading"}>
      {account.status === "signed-in" ? (
        <Personalized user={account.user} hints={hints} />
      ) : account.status === "signed-out" ? (
        <>
          <p className={styles.title}>Make this lesson yours</p>
          <p>Log in and it will be told in your words.</p>
          <LoginLink className="button button--primary">Login to Personalize</LoginLink>
        </>
      ) : account.status === "unavailable" ? (
        <>
          <p className={styles.title}>Personalizing is not possible right now</p>
          <p>The sign-in server does not answer. The lesson is all here.</p>
          <button
            type="button"
            className="button button--secondary"
            aria-disabled={account.isRetrying}
            onClick={() => {
              if (!account.isRetrying) account.retry();
            }}
          >
            {account.isRetrying ? "Trying again…" : "Try again"}
          </button>
        </>
      ) : (
        <p className={styles.title}>Make this lesson yours</p>
      )}
    </section>
  );
}

function Personalized({ user, hints }: Props & { user: User }): ReactNode {
  const [stored, level] = useStorageSlot(`lesson-level.${user.id}`);
  const chosen = levels.find((known) => known === stored);
  const group = useId();
  return (
    <>
      <p className={styles.title}>Hello, {user.name}!</p>
      <fieldset className={styles.levels}>
        <legend>Your background</legend>
        {levels.map((known) => (
          <label key={known}>
            <input type="radio" name={group} checked={known === chosen} onChange={() => level.set(known)} />
            {known}
          </label>
        ))}
      </fieldset>
      <p aria-live="polite" className={styles.hint}>
        {chosen ? hints[chosen] : "Choose one and this lesson meets you there."}
      </p>
      <WhatTheApiSays userId={user.id} />
    </>
  );
}

function WhatTheApiSays({ userId }: { userId: string }): ReactNode {
  const { identity, askAgain } = useApiIdentity(userId);
  return (
    <div className={styles.api}>
      <p aria-live="polite" data-testid="api-identity">
        {identity.status === "asking" && "Asking the API who you are…"}
        {identity.status === "known" && `The API says you are ${identity.name} <${identity.email}>.`}
        {identity.status === "failed" && identity.reason}
      </p>
      {identity.status !== "known" && (
        <button
          type="button"
          className="button button--secondary button--sm"
          aria-disabled={identity.status === "asking"}
          onClick={() => {
            if (identity.status === "failed") askAgain();
          }}
        >
          Ask again
        </button>
      )}
    </div>
  );
}
