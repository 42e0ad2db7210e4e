import { CallbackField, FormAlert, type FormError, hasError, SubmitButton } from "./form.tsx";
import { CardPage, type Site } from "./layout.tsx";
import { type Destination, Person } from "./sign-in-page.tsx";
import { useMessages } from "./texts.tsx";

export interface SignOutProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly error: FormError;
  /** Who is signed in; null when that could not be found out. */
  readonly user: { readonly name: string; readonly email: string } | null;
  /** Whether the sign-in form follows. */
  readonly toSignIn: boolean;
  /** By which an account is made afterwards; undefined for none. */
  readonly invitation: string | undefined;
}

/** Asks before it signs out: a link must not do it by itself. */
export function SignOutPage({ site, destination, error, user, toSignIn, invitation }: SignOutProps) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.signOut} failed={hasError(error)}>
      <h1>{m.signOutQuestion}</h1>
      <FormAlert error={error} />
      {user !== null && <Person user={user} />}
      <div class="stack">
        <form method="post" action="/signout">
          <CallbackField value={destination.field} />
          {toSignIn && <input type="hidden" name="next" value="signin" />}
          {invitation !== undefined && <input type="hidden" name="invitation" value={invitation} />}
          <SubmitButton label={hasError(error) ? m.tryAgain : m.signOut} busy={m.signingOut} />
        </form>
        <a class="button quiet" href={destination.url}>
          {m.staySignedIn}
        </a>
      </div>
    </CardPage>
  );
}
