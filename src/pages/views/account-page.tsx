import type { ComponentChildren } from "preact";
import {
  CallbackField,
  Checkbox,
  Field,
  FormAlert,
  type FormError,
  hasError,
  noError,
  Notice,
  PasswordField,
  SubmitButton,
} from "./form.tsx";
import { Brand, CardPage, Document, type Site } from "./layout.tsx";
import { type SessionList, Sessions } from "./session-list.tsx";
import type { Destination } from "./sign-in-page.tsx";
import { fill, Filled, useMessages } from "./texts.tsx";

export type AccountForm = "profile" | "email" | "password" | "sessions" | "delete";

export interface AccountProps {
  readonly site: Site;
  readonly user: { readonly name: string; readonly email: string };
  readonly destination: Destination;
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
  const { site, user, refused, destination } = props;
  const m = useMessages();
  const errorOf = (form: AccountForm): FormError => (refused?.form === form ? refused.error : noError);
  const callback = destination.field;
  return (
    <Document site={site} title={m.yourAccount} failed={refused !== undefined} notice={props.notice}>
      <AccountHeader site={site} callback={callback} />
      <main class="account">
        <div class="account-title">
          <div>
            <h1>{user.name}</h1>
            <p class="lead">{user.email}</p>
          </div>
          <WayBack site={site} destination={destination} />
        </div>
        <Notice text={props.notice} />
        <Profile error={errorOf("profile")} {...props} />
        {site.mails && <Email {...props} error={errorOf("email")} />}
        <Password {...props} error={errorOf("password")} />
        <Section id="devices" title={m.devices} about={m.devicesAbout}>
          <FormAlert error={errorOf("sessions")} />
          <Sessions
            sessions={props.sessions}
            currentId={props.currentId}
            now={props.now}
            callback={callback}
          />
        </Section>
        <Deletion error={errorOf("delete")} email={user.email} destination={destination} />
      </main>
    </Document>
  );
}

function AccountHeader({ site, callback }: { readonly site: Site; readonly callback: string }) {
  const m = useMessages();
  return (
    <header class="bar">
      <div class="bar-content">
        <Brand site={site} />
        <form method="post" action="/signout">
          <CallbackField value={callback} />
          <input type="hidden" name="next" value="signin" />
          <SubmitButton label={m.signOut} busy={m.signingOut} kind="quiet" />
        </form>
      </div>
    </header>
  );
}

/** To the page that somebody came from; without one, to where people go from here. */
function WayBack({ site, destination }: Pick<AccountProps, "site" | "destination">) {
  const m = useMessages();
  const cameFrom = destination.field === "" || destination.host === null ? site.home : destination;
  if (cameFrom === null) return null;
  return <a href={cameFrom.url}>{fill(m.backTo, { place: cameFrom.host ?? "" })}</a>;
}

interface SectionProps {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly children: ComponentChildren;
}

function Section({ id, title, about, children }: SectionProps) {
  return (
    <section class="section" aria-labelledby={`${id}-heading`}>
      <div class="section-head">
        <h2 id={`${id}-heading`}>{title}</h2>
        <p class="hint">{about}</p>
      </div>
      <div class="card">{children}</div>
    </section>
  );
}

type FormProps = AccountProps & { readonly error: FormError };

function Profile({ error, name, user, destination }: FormProps) {
  const m = useMessages();
  return (
    <Section id="profile" title={m.profile} about={m.profileAbout}>
      <form
        method="post"
        action="/account/profile"
        novalidate
        data-waits={hasError(error) || name !== user.name ? "" : "change"}
      >
        <FormAlert error={error} />
        <CallbackField value={destination.field} />
        <Field
          id="name"
          name="name"
          label={m.name}
          autocomplete="name"
          value={name}
          error={error}
          autofocus={hasError(error)}
        />
        <SubmitButton label={m.saveName} busy={m.saving} />
      </form>
    </Section>
  );
}

function Email({ error, user, destination }: FormProps) {
  const m = useMessages();
  const empty = error.fields["newEmail"];
  const shown = empty === undefined ? error : { ...error, fields: { email: empty } };
  return (
    <Section id="email" title={m.email} about={m.emailAbout}>
      <form method="post" action="/account/email" novalidate data-waits={hasError(error) ? "" : "change"}>
        <FormAlert error={error} />
        <CallbackField value={destination.field} />
        <Field
          id="new-email"
          name="email"
          label={m.newEmail}
          type="email"
          autocomplete="email"
          value={user.email}
          error={shown}
          autofocus={hasError(error)}
        />
        <SubmitButton label={m.changeEmail} busy={m.sending} />
      </form>
    </Section>
  );
}

function Password(props: FormProps) {
  const { error, site, user } = props;
  const m = useMessages();
  const atNew = error.fields["newPassword"] !== undefined && error.fields["currentPassword"] === undefined;
  return (
    <Section id="password" title={m.password} about={m.passwordAbout}>
      <form method="post" action="/account/password" novalidate data-waits={hasError(error) ? "" : "change"}>
        <FormAlert error={error} />
        <CallbackField value={props.destination.field} />
        <UsernameForPasswordManagers email={user.email} />
        <PasswordField
          id="current-password"
          name="currentPassword"
          label={m.currentPassword}
          autocomplete="current-password"
          error={error}
          autofocus={hasError(error) && !atNew}
        />
        <PasswordField
          id="new-password"
          name="newPassword"
          label={m.newPassword}
          autocomplete="new-password"
          minLength={site.passwordMinLength}
          error={error}
          autofocus={atNew}
        />
        <Checkbox
          id="revoke-others"
          name="revokeOtherSessions"
          label={m.signOutOthers}
          checked={props.revokeOthers}
        />
        <SubmitButton label={m.changePassword} busy={m.changing} />
      </form>
    </Section>
  );
}

interface DeletionProps extends Pick<AccountProps, "destination"> {
  readonly error: FormError;
  readonly email: string;
}

function Deletion({ error, email, destination }: DeletionProps) {
  const m = useMessages();
  return (
    <Section id="delete-account" title={m.deleteAccount} about={m.deleteAccountAbout}>
      <details open={hasError(error)}>
        <summary class="button quiet">{m.deleteMyAccountOpens}</summary>
        <form method="post" action="/account/delete" novalidate>
          <FormAlert error={error} />
          <CallbackField value={destination.field} />
          <p class="which">
            <Filled text={m.deleteWhich} values={{ email: <strong>{email}</strong> }} />
          </p>
          <UsernameForPasswordManagers email={email} />
          <PasswordField
            id="delete-password"
            name="password"
            label={m.enterPasswordToConfirm}
            autocomplete="current-password"
            error={error}
            autofocus={hasError(error)}
          />
          <div class="buttons">
            <SubmitButton label={m.deleteMyAccount} busy={m.deleting} kind="danger" />
            <a class="button quiet" href={`/account${destination.search}`} data-closes="details">
              {m.cancel}
            </a>
          </div>
        </form>
      </details>
    </Section>
  );
}

/** Tells password managers whose password it is; without a name it is not sent. */
function UsernameForPasswordManagers({ email }: { readonly email: string }) {
  const m = useMessages();
  return <input type="text" autocomplete="username" value={email} hidden readonly aria-label={m.email} />;
}

/** The last page of an account. */
export function AccountDeletedPage({ site, destination }: Pick<AccountProps, "site" | "destination">) {
  const m = useMessages();
  const home = destination.field === "" || destination.host === null ? site.home : destination;
  return (
    <CardPage site={site} title={m.accountDeleted}>
      <h1>{m.accountDeleted}</h1>
      <p>{m.accountDeletedAbout}</p>
      <div class="stack">
        {home !== null && (
          <a class="button primary" href={home.url}>
            {fill(m.backTo, { place: home.host ?? "" })}
          </a>
        )}
        <a class="button quiet" href={`/signin${destination.search}`}>
          {m.backToSignIn}
        </a>
      </div>
    </CardPage>
  );
}
