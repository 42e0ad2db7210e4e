import type { ComponentChildren } from "preact";
import {
  Checkbox,
  Field,
  FormAlert,
  type FormError,
  hasError,
  noError,
  Notice,
  SubmitButton,
} from "./form.tsx";
import { Brand, Document, type Site } from "./layout.tsx";
import { type SessionList, Sessions } from "./session-list.tsx";

export type AccountForm = "profile" | "password" | "sessions" | "delete";

export interface AccountProps {
  readonly site: Site;
  readonly user: { readonly name: string; readonly email: string };
  readonly sessions: SessionList;
  readonly currentId: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly notice?: string | undefined;
  /** The form that was refused, and why. */
  readonly refused?: { readonly form: AccountForm; readonly error: FormError };
  /** The name as it was typed. */
  readonly name: string;
  readonly revokeOthers: boolean;
}

export function AccountPage(props: AccountProps) {
  const { site, user, refused } = props;
  const errorOf = (form: AccountForm): FormError => (refused?.form === form ? refused.error : noError);
  return (
    <Document site={site} title="Your account" failed={refused !== undefined} notice={props.notice}>
      <AccountHeader site={site} />
      <main class="account">
        <div class="account-title">
          <div>
            <h1>Your account</h1>
            <p class="lead">{user.email}</p>
          </div>
          {site.home !== null && <a href={site.home.url}>Back to {site.home.host}</a>}
        </div>
        <Notice text={props.notice} />
        <Profile error={errorOf("profile")} name={props.name} />
        <Password {...props} error={errorOf("password")} />
        <Section
          title="Devices"
          about="Where you are signed in. Sign out what you do not recognise, then change your password."
        >
          <FormAlert error={errorOf("sessions")} />
          <Sessions sessions={props.sessions} currentId={props.currentId} now={props.now} />
        </Section>
        <Deletion error={errorOf("delete")} email={user.email} />
      </main>
    </Document>
  );
}

function AccountHeader({ site }: { readonly site: Site }) {
  return (
    <header class="bar">
      <Brand site={site} />
      <form method="post" action="/signout">
        <input type="hidden" name="next" value="signin" />
        <SubmitButton label="Sign out" busy="Signing out…" kind="quiet" />
      </form>
    </header>
  );
}

function Section(props: { title: string; about: string; children: ComponentChildren }) {
  const id = `${props.title.toLowerCase().replaceAll(" ", "-")}-heading`;
  return (
    <section class="section" aria-labelledby={id}>
      <div class="section-head">
        <h2 id={id}>{props.title}</h2>
        <p class="hint">{props.about}</p>
      </div>
      <div class="card">{props.children}</div>
    </section>
  );
}

function Profile({ error, name }: { readonly error: FormError; readonly name: string }) {
  return (
    <Section title="Profile" about="The name that sites you sign in to show.">
      <form method="post" action="/account/profile" novalidate>
        <FormAlert error={error} />
        <Field
          id="name"
          name="name"
          label="Name"
          autocomplete="name"
          value={name}
          error={error}
          autofocus={hasError(error)}
        />
        <SubmitButton label="Save name" busy="Saving…" />
      </form>
    </Section>
  );
}

function Password(props: AccountProps & { readonly error: FormError }) {
  const { error, site, user } = props;
  const atNew = error.fields["newPassword"] !== undefined && error.fields["currentPassword"] === undefined;
  return (
    <Section
      title="Password"
      about="Use one that you use nowhere else. A password manager makes and keeps it for you."
    >
      <form method="post" action="/account/password" novalidate>
        <FormAlert error={error} />
        <UsernameForPasswordManagers email={user.email} />
        <Field
          id="current-password"
          name="currentPassword"
          label="Current password"
          type="password"
          autocomplete="current-password"
          error={error}
          autofocus={hasError(error) && !atNew}
        />
        <Field
          id="new-password"
          name="newPassword"
          label="New password"
          type="password"
          autocomplete="new-password"
          hint={`At least ${site.passwordMinLength} characters.`}
          error={error}
          autofocus={atNew}
        />
        <Checkbox
          id="revoke-others"
          name="revokeOtherSessions"
          label="Sign out all other devices"
          checked={props.revokeOthers}
        />
        <SubmitButton label="Change password" busy="Changing…" />
      </form>
    </Section>
  );
}

function Deletion({ error, email }: { readonly error: FormError; readonly email: string }) {
  return (
    <Section title="Delete account" about="Removes your account and signs you out everywhere, for good.">
      <details open={hasError(error)}>
        <summary class="button quiet">Delete my account…</summary>
        <form method="post" action="/account/delete" novalidate>
          <FormAlert error={error} />
          <UsernameForPasswordManagers email={email} />
          <Field
            id="delete-password"
            name="password"
            label="Enter your password to confirm"
            type="password"
            autocomplete="current-password"
            error={error}
            autofocus={hasError(error)}
          />
          <SubmitButton label="Delete my account" busy="Deleting…" kind="danger" />
        </form>
      </details>
    </Section>
  );
}

/** Tells password managers whose password it is; without a name it is not sent. */
function UsernameForPasswordManagers({ email }: { readonly email: string }) {
  return <input type="text" autocomplete="username" value={email} hidden readonly aria-label="Email" />;
}
