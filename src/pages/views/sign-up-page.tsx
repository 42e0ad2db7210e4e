import { CallbackField, Field, FormAlert, type FormError, hasError, SubmitButton } from "./form.tsx";
import { CardPage, type Site } from "./layout.tsx";
import { Continuation, type Destination } from "./sign-in-page.tsx";

export interface SignUpProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly error: FormError;
  /** Whether the e-mail has an account, so that signing in would help. */
  readonly emailTaken: boolean;
  readonly name: string;
  readonly email: string;
}

export function SignUpPage({ site, destination, error, emailTaken, name, email }: SignUpProps) {
  const first = ["name", "email", "password"].find((field) => error.fields[field] !== undefined);
  const focused = first ?? (name === "" ? "name" : email === "" ? "email" : "password");
  return (
    <CardPage site={site} title="Create your account" failed={hasError(error)}>
      <h1>Create your account</h1>
      <Continuation host={destination.host} />
      <FormAlert error={error} />
      <form method="post" action="/signup" novalidate>
        <CallbackField value={destination.field} />
        <Field
          id="name"
          name="name"
          label="Name"
          autocomplete="name"
          value={name}
          error={error}
          autofocus={focused === "name"}
        />
        <Field
          id="email"
          name="email"
          label="Email"
          type="email"
          autocomplete="email"
          value={email}
          error={error}
          autofocus={focused === "email"}
        >
          {emailTaken && (
            <>
              {" "}
              <a href={`/signin${destination.search}`}>Sign in instead</a>
            </>
          )}
        </Field>
        <Field
          id="password"
          name="password"
          label="Password"
          type="password"
          autocomplete="new-password"
          hint={`At least ${site.passwordMinLength} characters. A few unrelated words are easy to remember.`}
          error={error}
          autofocus={focused === "password"}
        />
        <SubmitButton
          label={error.form === undefined ? "Create account" : "Try again"}
          busy="Creating your account…"
        />
      </form>
      <p class="aside">
        Already have an account? <a href={`/signin${destination.search}`}>Sign in</a>
      </p>
    </CardPage>
  );
}

export function SignUpClosedPage({ site, destination }: Pick<SignUpProps, "site" | "destination">) {
  return (
    <CardPage site={site} title="Sign-up is closed">
      <h1>Sign-up is closed</h1>
      <p>New accounts are made by invitation. Ask whoever runs {site.brandName} for one.</p>
      <a class="button primary" href={`/signin${destination.search}`}>
        Sign in
      </a>
    </CardPage>
  );
}
