import { findFaults } from "../auth/input.ts";
import type { AuthRouteName } from "../routes.ts";
import { explainRefusal, type FormNames, type Refusal } from "./refusals.ts";
import { type FormError, hasError } from "./views/form.tsx";
import type { Texts } from "./views/texts.tsx";

/** A form as its route will get it. */
export interface Filling {
  readonly route: AuthRouteName;
  readonly body: Record<string, unknown>;
  /** What a field that is empty is told, by the field's name. */
  readonly required: Readonly<Record<string, string>>;
  readonly names: FormNames;
}

/** Everything that is wrong with a form before it is sent, where a field is empty; null where none is. */
export function explainMissing(filling: Filling, texts: Texts): FormError | null {
  const missing = Object.entries(filling.required).filter(([field]) => isEmpty(filling.body[field]));
  if (missing.length === 0) return null;
  return { fields: { ...explainFields(filling, texts), ...Object.fromEntries(missing) } };
}

/** A refusal, and what else is wrong: nobody mends a form twice. */
export function explainAll(refusal: Refusal, filling: Filling, texts: Texts): FormError {
  const error = explainRefusal(refusal, filling.names, texts);
  if (refusal.status !== 400 || !hasError(error) || error.form !== undefined) return error;
  return { fields: { ...explainFields(filling, texts), ...error.fields } };
}

function explainFields({ route, body, names }: Filling, texts: Texts): FormError["fields"] {
  const faults = findFaults(route, body, names);
  return Object.assign(
    {},
    ...[...faults.values()].map((fault) => explainRefusal(fault, names, texts).fields),
  );
}

/** A password may be blanks. */
function isEmpty(value: unknown): boolean {
  return typeof value !== "string" || value === "";
}
