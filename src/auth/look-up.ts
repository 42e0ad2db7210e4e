import type { AuthRouteName } from "../routes.ts";
import type { RequireUnbreached } from "./breached/breaches.ts";
import type { PasswordOwner } from "./guessable.ts";
import { type Body, checkInput, chosenPasswords, type InputRules } from "./input.ts";
import type { Invitations } from "./invitation.ts";
import type { Recovery } from "./recovery.ts";
import { newUnit } from "./unit-of-work.ts";

interface LookUpDeps {
  readonly rules: InputRules;
  readonly invitations: Invitations;
  readonly findRecovery: Recovery["find"];
  readonly present: (cookie: string | null) => Promise<{ readonly owner: PasswordOwner } | null>;
  readonly requireUnbreached: RequireUnbreached;
}

interface LookedUp {
  readonly name: AuthRouteName;
  readonly headers: Headers;
  readonly body: Body | undefined;
}

/** Looks a new password up, where nothing else is wrong with the request: for strangers nobody is asked. @throws AppError 400. */
export async function lookUp(deps: LookUpDeps, request: LookedUp): Promise<void> {
  const field = chosenPasswords[request.name];
  if (field === undefined) return;
  let checked: Body | undefined;
  try {
    checked = await bodyToLookUp(deps, request);
  } catch {
    // The request comes to the same refusal, or failure, in its turn.
    return;
  }
  const password = checked?.[field];
  if (typeof password === "string") await deps.requireUnbreached(password);
}

async function bodyToLookUp(
  deps: LookUpDeps,
  { name, headers, body = {} }: LookedUp,
): Promise<Body | undefined> {
  if (name === "signUp") return await deps.invitations.admit(body, newUnit());
  const chooser =
    name === "resetPassword"
      ? await deps.findRecovery(body["token"])
      : (await deps.present(headers.get("cookie")))?.owner;
  return chooser ? checkInput(name, body, deps.rules, chooser) : undefined;
}
