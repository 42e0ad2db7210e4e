import { CallbackField, Field, FormAlert, type FormError, hasError, Notice, SubmitButton } from "./form.tsx";
import { CardPage, type Site } from "./layout.tsx";
import type { Destination } from "./sign-in-page.tsx";
import { Filled, useMessages } from "./texts.tsx";

/** What a mailed link is for. */
interface ShownLink {
  readonly purpose: "verification" | "email_change" | "email_undo";
  readonly from: string;
  readonly to: string | null;
}

interface ConfirmProps {
  readonly site: Site;
  readonly destination: Destination;
  readonly token: string;
  readonly link: ShownLink;
  readonly error: FormError;
}

/** Asks, since programs that look at mail open every link. */
export function ConfirmPage({ site, destination, token, link, error }: ConfirmProps) {
  const m = useMessages();
  const said = {
    verification: { title: m.confirmAddress, about: m.confirmAbout, address: link.from },
    email_change: { title: m.confirmChange, about: m.confirmChangeAbout, address: link.to },
    email_undo: { title: m.undoChange, about: m.undoChangeAbout, address: link.from },
  }[link.purpose];
  return (
    <CardPage site={site} title={said.title} failed={hasError(error)}>
      <h1>{said.title}</h1>
      <FormAlert error={error} />
      <p class="lead">
        <Filled text={said.about} values={{ address: <strong>{said.address}</strong> }} />
      </p>
      <form method="post" action="/confirm">
        <CallbackField value={destination.field} />
        <input type="hidden" name="token" value={token} />
        <SubmitButton label={said.title} busy={m.saving} />
      </form>
    </CardPage>
  );
}

interface VerifyProps extends Pick<ConfirmProps, "site" | "destination" | "error"> {
  readonly email: string;
  readonly notice?: string | undefined;
}

/** For the code of a mail that is read on another device, and for another mail. */
export function VerifyPage({ site, destination, email, error, notice }: VerifyProps) {
  const m = useMessages();
  return (
    <CardPage site={site} title={m.confirmAddress} failed={hasError(error)} notice={notice}>
      <h1>{m.confirmAddress}</h1>
      <Notice text={notice} />
      <p class="lead">{m.verifyAbout}</p>
      <FormAlert error={error} />
      <form method="post" action="/verify" novalidate>
        <CallbackField value={destination.field} />
        <Field
          id="email"
          name="email"
          label={m.email}
          type="email"
          autocomplete="username"
          value={email}
          error={error}
          autofocus={email === ""}
        />
        <Field
          id="code"
          name="code"
          label={m.code}
          autocomplete="one-time-code"
          error={error}
          autofocus={email !== ""}
        />
        <div class="stack">
          <SubmitButton label={m.confirm} busy={m.saving} />
          <button class="button quiet" type="submit" name="again" value="true">
            {m.sendAgain}
          </button>
        </div>
      </form>
      <p class="aside">
        <a href={`/signin${destination.search}`}>{m.backToSignIn}</a>
      </p>
    </CardPage>
  );
}
