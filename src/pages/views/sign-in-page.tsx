import {
  CallbackField,
  Checkbox,
  Field,
  FormAlert,
  type FormError,
  hasError,
  Notice,
  SubmitButton,
} from "./form.tsx";
import { CardPage, type Site } from "./layout.tsx";

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
  readonly error: FormError;
  readonly email: string;
  readonly rememberMe: boolean;
}

export function SignInPage({ site, destination, notice, error, email, rememberMe }: SignInProps) {
  const failed = hasError(error);
  const atPassword = email !== "" && error.fields["email"] === undefined;
  return (
    <CardPage site={site} title="Sign in" failed={failed} notice={notice}>
      <h1>Sign in</h1>
      <Continuation host={destination.host} />
      <Notice text={notice} />
      <FormAlert error={error} />
      <form method="post" action="/signin" novalidate>
        <CallbackField value={destination.field} />
        <Field
          id="email"
          name="email"
          label="Email"
          type="email"
          autocomplete="username"
          value={email}
          error={error}
          autofocus={!atPassword}
        />
        <Field
          id="password"
          name="password"
          label="Password"
          type="password"
          autocomplete="current-password"
          error={error}
          autofocus={atPassword}
        />
        <Checkbox id="remember" name="rememberMe" label="Keep me signed in" checked={rememberMe} />
        <SubmitButton label={error.form === undefined ? "Sign in" : "Try again"} busy="Signing in…" />
      </form>
      {site.signUp === "open" && (
        <p class="aside">
          New here? <a href={`/signup${destination.search}`}>Create an account</a>
        </p>
      )}
    </CardPage>
  );
}

export function Continuation({ host }: { readonly host: string | null }) {
  return host === null ? null : (
    <p class="lead">
      to continue to <strong>{host}</strong>
    </p>
  );
}

export interface SignedInProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly user: { readonly name: string; readonly email: string };
}

/** Shown instead of a form to someone signed in whose session the destination may never see. */
export function SignedInPage({ site, destination, user }: SignedInProps) {
  return (
    <CardPage site={site} title="You are signed in">
      <h1>You are signed in</h1>
      <p class="person">
        Signed in as <strong>{user.name}</strong>
        <span>{user.email}</span>
      </p>
      <div class="stack">
        <a class="button primary" href={destination.url}>
          {destination.host === null ? "Continue to your account" : `Continue to ${destination.host}`}
        </a>
        <form method="post" action="/signout">
          <CallbackField value={destination.field} />
          <input type="hidden" name="next" value="signin" />
          <SubmitButton label="Use another account" busy="Signing out…" kind="quiet" />
        </form>
      </div>
      <p class="aside">
        <a href="/account">Manage your account</a>
      </p>
    </CardPage>
  );
}
