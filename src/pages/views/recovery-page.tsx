import {
  CallbackField,
  Field,
  FormAlert,
  type FormError,
  hasError,
  PasswordField,
  SubmitButton,
} from "./form.tsx";
import { CardPage, ContactName, type Site } from "./layout.tsx";
import type { Destination } from "./sign-in-page.tsx";
import { Filled, useMessages } from "./texts.tsx";

export interface RecoveryProps {
  readonly site: Site;
  readonly destination: Destination;
  /** Of the link. */
  readonly token: string;
  /** Whose link it is. */
  readonly email: string;
  readonly error: FormError;
}

export function RecoveryPage({ site, destination, token, email, error }: RecoveryProps) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.setNewPassword} failed={hasError(error)}>
      <h1>{m.setNewPassword}</h1>
      <p class="lead">{m.setNewPasswordAbout}</p>
      <FormAlert error={error} />
      <form method="post" action="/recover" novalidate>
        <CallbackField value={destination.field} />
        <input type="hidden" name="token" value={token} />
        <Field
          id="email"
          name="email"
          label={m.email}
          type="email"
          autocomplete="username"
          value={email}
          error={error}
          readonly
        />
        <PasswordField
          id="new-password"
          name="newPassword"
          label={m.newPassword}
          autocomplete="new-password"
          minLength={site.passwordMinLength}
          error={error}
          autofocus
        />
        <SubmitButton label={error.form === undefined ? m.setPassword : m.tryAgain} busy={m.saving} />
      </form>
    </CardPage>
  );
}

/** What is said of every link that does not work, whatever became of it. */
export function LinkEndedPage({ site, destination }: Pick<RecoveryProps, "site" | "destination">) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.linkEnded} failed>
      <h1>{m.linkEnded}</h1>
      {site.mails ? (
        <>
          <p>{m.linkEndedAbout}</p>
          <a class="button primary" href={`/forgot-password${destination.search}`}>
            {m.getNewLink}
          </a>
        </>
      ) : (
        <>
          <p>
            {m.linkEndedAbout}{" "}
            <Filled text={m.askForLink} values={{ contact: <ContactName site={site} /> }} />
          </p>
          <a class="button primary" href={`/signin${destination.search}`}>
            {m.backToSignIn}
          </a>
        </>
      )}
    </CardPage>
  );
}
