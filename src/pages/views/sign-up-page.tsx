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
import { Continuation, type Destination } from "./sign-in-page.tsx";
import { Filled, useMessages } from "./texts.tsx";

export interface SignUpProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly error: FormError;
  readonly name: string;
  readonly email: string;
  /** What the link has; null of a visitor without one. */
  readonly invitation: { readonly token: string; readonly isNamed: boolean } | null;
}

export function SignUpPage({ site, destination, error, name, email, invitation }: SignUpProps) {
  const m = useMessages();
  const first = ["name", "email", "password"].find((field) => error.fields[field] !== undefined);
  const focused = first ?? (name === "" ? "name" : email === "" ? "email" : "password");
  return (
    <CardPage site={site} title={m.createYourAccount} failed={hasError(error)}>
      <h1>{m.createYourAccount}</h1>
      <Continuation host={destination.host} />
      <FormAlert error={error} />
      <form method="post" action="/signup" novalidate>
        <CallbackField value={destination.field} />
        {invitation !== null && <input type="hidden" name="invitation" value={invitation.token} />}
        <Field
          id="name"
          name="name"
          label={m.name}
          autocomplete="name"
          value={name}
          error={error}
          autofocus={focused === "name"}
        />
        <Field
          id="email"
          name="email"
          label={m.email}
          type="email"
          autocomplete="email"
          value={email}
          error={error}
          autofocus={focused === "email"}
          readonly={invitation?.isNamed === true}
          link={<a href={`/signin${destination.search}`}>{m.signInInstead}</a>}
        />
        <PasswordField
          id="password"
          name="password"
          label={m.password}
          autocomplete="new-password"
          minLength={site.passwordMinLength}
          error={error}
          autofocus={focused === "password"}
        />
        <SubmitButton
          label={error.form === undefined ? m.createAccount : m.tryAgain}
          busy={m.creatingAccount}
        />
      </form>
      <p class="aside">
        <Filled
          text={m.haveAccount}
          values={{ link: <a href={`/signin${destination.search}`}>{m.signIn}</a> }}
        />
      </p>
    </CardPage>
  );
}

/** The same for whoever has no invitation and for whoever has one that does not count. */
export function SignUpClosedPage({ site, destination }: Pick<SignUpProps, "site" | "destination">) {
  const m = useMessages();
  const isInvited = site.signUp === "invited";
  const title = isInvited ? m.signUpInvited : m.signUpClosed;
  return (
    <CardPage site={site} title={title}>
      <h1>{title}</h1>
      <p>
        {isInvited && `${m.byInvitation} `}
        <Filled
          text={isInvited ? m.askForInvitation : m.askForAccount}
          values={{ contact: <ContactName site={site} /> }}
        />
      </p>
      <a class="button primary" href={`/signin${destination.search}`}>
        {m.signIn}
      </a>
    </CardPage>
  );
}
