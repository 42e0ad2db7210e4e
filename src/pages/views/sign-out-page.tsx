import { CallbackField, FormAlert, type FormError, hasError, SubmitButton } from "./form.tsx";
import { CardPage, type Site } from "./layout.tsx";
import type { Destination } from "./sign-in-page.tsx";

export interface SignOutProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly error: FormError;
  /** Who is signed in; null when that could not be found out. */
  readonly user: { readonly name: string; readonly email: string } | null;
  /** Whether the sign-in form follows. */
  readonly toSignIn: boolean;
}

/** Asks before it signs out: a link must not do it by itself. */
export function SignOutPage({ site, destination, error, user, toSignIn }: SignOutProps) {
  return (
    <CardPage site={site} title="Sign out" failed={hasError(error)}>
      <h1>Sign out?</h1>
      <FormAlert error={error} />
      {user !== null && (
        <p class="person">
          Signed in as <strong>{user.name}</strong>
          <span>{user.email}</span>
        </p>
      )}
      <div class="stack">
        <form method="post" action="/signout">
          <CallbackField value={destination.field} />
          {toSignIn && <input type="hidden" name="next" value="signin" />}
          <SubmitButton label={hasError(error) ? "Try again" : "Sign out"} busy="Signing out…" />
        </form>
        <a class="button quiet" href={destination.url}>
          Stay signed in
        </a>
      </div>
    </CardPage>
  );
}
