import {
  CallbackField,
  Checkbox,
  Field,
  FormAlert,
  type FormError,
  hasError,
  Notice,
  PasswordField,
  SubmitButton,
} from "./form.tsx";
import { CardPage, ContactName, type Site } from "./layout.tsx";
import { fill, Filled, useMessages } from "./texts.tsx";

/** Where a visitor goes afterwards. */
export interface Destination {
  /** Absolute and checked. */
  readonly url: string;
  /** For people, e.g. `docs.example.com`; null when it is the account page here. */
  readonly host: string | null;
  /** What a form carries in `callbackUrl`; empty for the default. */
  readonly field: string;
  /** What a link to another of our pages carries: `?callbackUrl=…`, or empty. */
  readonly search: string;
}

export interface SignInProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly notice?: string | undefined;
  /** Why somebody stands here again. */
  readonly alert?: string | undefined;
  readonly error: FormError;
  readonly email: string;
  readonly rememberMe: boolean;
  /** What was typed where the session had ended; empty for nothing. */
  readonly draft: string;
}

export function SignInPage(props: SignInProps) {
  const { site, destination, notice, alert, error, email, draft } = props;
  const m = useMessages();
  const title = fill(m.signInTo, { brand: site.brandName });
  const atPassword = email !== "" && error.fields["email"] === undefined;
  return (
    <CardPage site={site} title={title} isNamed failed={hasError(error)} notice={notice ?? alert}>
      <h1>{title}</h1>
      <Continuation host={destination.host} />
      <Notice text={notice} />
      {alert !== undefined && (
        <p class="alert" role="alert">
          {alert}
        </p>
      )}
      <FormAlert error={error} />
      <form method="post" action="/signin" novalidate>
        <CallbackField value={destination.field} />
        {draft !== "" && <input type="hidden" name="draft" value={draft} />}
        <Field
          id="email"
          name="email"
          label={m.email}
          type="email"
          autocomplete="username"
          value={email}
          error={error}
          autofocus={!atPassword}
        />
        <PasswordField
          id="password"
          name="password"
          label={m.password}
          autocomplete="current-password"
          error={error}
          autofocus={atPassword}
        />
        <Checkbox id="remember" name="rememberMe" label={m.keepSignedIn} checked={props.rememberMe} />
        <SubmitButton label={error.form === undefined ? m.signIn : m.tryAgain} busy={m.signingIn} />
      </form>
      <div class="aside">
        <p>
          <a href={`/forgot-password${destination.search}`}>{m.forgotPassword}</a>
        </p>
        {site.signUp === "open" && (
          <p>
            <Filled
              text={m.newHere}
              values={{ link: <a href={`/signup${destination.search}`}>{m.createAnAccount}</a> }}
            />
          </p>
        )}
      </div>
    </CardPage>
  );
}

export function Continuation({ host }: { readonly host: string | null }) {
  const m = useMessages();
  return host === null ? null : (
    <p class="lead">
      <Filled text={m.continueTo} values={{ place: <strong>{host}</strong> }} />
    </p>
  );
}

/** What can be done about a forgotten password: ask somebody. */
export interface ForgotPasswordProps extends Pick<SignInProps, "site" | "destination" | "error"> {
  readonly email: string;
}

export function ForgotPasswordPage({ site, destination, error, email }: ForgotPasswordProps) {
  const m = useMessages();
  if (site.mails)
    return (
      <CardPage site={site} title={m.forgotPassword} failed={hasError(error)}>
        <h1>{m.forgotPassword}</h1>
        <p class="lead">{m.mailAbout}</p>
        <FormAlert error={error} />
        <form method="post" action="/forgot-password" novalidate>
          <CallbackField value={destination.field} />
          <Field
            id="email"
            name="email"
            label={m.email}
            type="email"
            autocomplete="username"
            value={email}
            error={error}
            autofocus
          />
          <SubmitButton label={error.form === undefined ? m.sendLink : m.tryAgain} busy={m.sending} />
        </form>
        <p class="aside">
          <a href={`/signin${destination.search}`}>{m.backToSignIn}</a>
        </p>
      </CardPage>
    );
  return (
    <CardPage site={site} title={m.forgotPassword}>
      <h1>{m.forgotPassword}</h1>
      <p>
        {m.passwordUnreadable}{" "}
        <Filled text={m.askForPassword} values={{ contact: <ContactName site={site} /> }} />
      </p>
      <a class="button primary" href={`/signin${destination.search}`}>
        {m.backToSignIn}
      </a>
    </CardPage>
  );
}

export interface SignedInProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly user: { readonly name: string; readonly email: string };
}

/** Shown instead of a form to someone signed in whose session the destination may never see. */
export function SignedInPage({ site, destination, user }: SignedInProps) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.youAreSignedIn}>
      <h1>{m.youAreSignedIn}</h1>
      <Person user={user} />
      <div class="stack">
        <a class="button primary" href={destination.url}>
          {destination.host === null
            ? m.continueToAccount
            : fill(m.continueToPlace, { place: destination.host })}
        </a>
        <form method="post" action="/signout">
          <CallbackField value={destination.field} />
          <input type="hidden" name="next" value="signin" />
          <SubmitButton label={m.useAnotherAccount} busy={m.signingOut} kind="quiet" />
        </form>
      </div>
      <p class="aside">
        <a href={`/account${destination.search}`}>{m.manageAccount}</a>
      </p>
    </CardPage>
  );
}

/** Shown to someone signed in who opens an invitation: by it somebody else gets an account, or they themselves another one. */
export function SignedInInvitedPage({
  site,
  destination,
  user,
  invitation,
}: SignedInProps & { readonly invitation: string }) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.youAreSignedIn}>
      <h1>{m.youAreSignedIn}</h1>
      <Person user={user} />
      <p>{m.signOutToBeInvited}</p>
      <div class="stack">
        <form method="post" action="/signout">
          <CallbackField value={destination.field} />
          <input type="hidden" name="invitation" value={invitation} />
          <SubmitButton label={m.signOut} busy={m.signingOut} />
        </form>
        <a class="button quiet" href={`/account${destination.search}`}>
          {m.continueToAccount}
        </a>
      </div>
    </CardPage>
  );
}

/** Who is signed in. */
export function Person({ user }: Pick<SignedInProps, "user">) {
  const m = useMessages();
  return (
    <p class="person">
      <Filled text={m.signedInAs} values={{ name: <strong>{user.name}</strong> }} />
      <span>{user.email}</span>
    </p>
  );
}
