import type { ComponentChildren } from "preact";

/** What went wrong with a form, in words for its visitor. */
export interface FormError {
  /** By the field's name. */
  readonly fields: Readonly<Record<string, string>>;
  /** What no field can mend. */
  readonly form?: string;
}

export const noError: FormError = { fields: {} };

export function hasError(error: FormError): boolean {
  return error.form !== undefined || Object.keys(error.fields).length > 0;
}

interface FieldProps {
  /** Unique on the page. */
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly autocomplete: string;
  readonly type?: "text" | "email" | "password";
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly error: FormError;
  readonly autofocus?: boolean;
  /** Stands after the error, such as a link that mends it. */
  readonly children?: ComponentChildren;
}

/** A labelled input with its hint and its error, both tied to it for screen readers. */
export function Field(props: FieldProps) {
  const { id, name, label, type = "text", hint, error, autofocus = false } = props;
  const message = error.fields[name];
  const described = [
    message === undefined ? "" : `${id}-error`,
    hint === undefined ? "" : `${id}-hint`,
    // What stands above the form is read out with the field that gets the focus.
    error.form !== undefined && autofocus ? "form-error" : "",
  ].filter((part) => part !== "");
  const attributes = {
    id,
    name,
    required: true,
    autocomplete: props.autocomplete,
    autofocus,
    autocapitalize: name === "name" ? ("words" as const) : ("none" as const),
    spellcheck: false,
    ...(message === undefined ? {} : { "aria-invalid": "true" as const }),
    ...(described.length === 0 ? {} : { "aria-describedby": described.join(" ") }),
  };
  const { value = "" } = props;
  return (
    <div class={message === undefined ? "field" : "field invalid"}>
      <label for={id}>{label}</label>
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {message !== undefined && (
        <p class="error" id={`${id}-error`}>
          <span class="visually-hidden">Error: </span>
          {message}
          {props.children}
        </p>
      )}
      {type === "text" && <input type="text" {...attributes} value={value} />}
      {type === "email" && <input type="email" {...attributes} value={value} />}
      {type === "password" && (
        <div class="password">
          <input type="password" {...attributes} />
        </div>
      )}
    </div>
  );
}

export function Checkbox(props: { id: string; name: string; label: string; checked: boolean }) {
  return (
    <div class="checkbox">
      <input id={props.id} name={props.name} type="checkbox" value="true" checked={props.checked} />
      <label for={props.id}>{props.label}</label>
    </div>
  );
}

/** What went wrong with the form as a whole. */
export function FormAlert({ error }: { readonly error: FormError }) {
  if (error.form === undefined) return null;
  return (
    <p class="alert" role="alert" id="form-error">
      {error.form}
    </p>
  );
}

/** What was just done. */
export function Notice({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p class="notice" role="status">
      {text}
    </p>
  );
}

/** @param busy shown by the script while the form is on its way. */
export function SubmitButton(props: { label: string; busy: string; kind?: "primary" | "quiet" | "danger" }) {
  return (
    <button type="submit" class={`button ${props.kind ?? "primary"}`} data-busy={props.busy}>
      {props.label}
    </button>
  );
}

/** Where to go afterwards; empty for the default, which needs no field. */
export function CallbackField({ value }: { readonly value: string }) {
  return value === "" ? null : <input type="hidden" name="callbackUrl" value={value} />;
}
