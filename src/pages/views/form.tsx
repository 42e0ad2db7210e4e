import type { ComponentChildren } from "preact";
import { Filled, useMessages } from "./texts.tsx";

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
  readonly type?: "text" | "email";
  readonly value?: string | undefined;
  readonly error: FormError;
  readonly autofocus?: boolean;
  /** Shown, and sent, but not to be changed. */
  readonly readonly?: boolean;
  /** Stands for `{link}` in the error. */
  readonly link?: ComponentChildren;
}

/** A labelled input, and below it room for its error, so that nothing moves when there is one. */
export function Field(props: FieldProps) {
  const { id, name, label, type = "text", value = "" } = props;
  const attributes = inputAttributes(props);
  return (
    <div class={isInvalid(props) ? "field invalid" : "field"}>
      <label for={id}>{label}</label>
      {type === "text" && <input type="text" {...attributes} name={name} value={value} />}
      {type === "email" && <input type="email" {...attributes} name={name} value={value} />}
      <FieldError {...props} />
    </div>
  );
}

interface PasswordFieldProps extends FieldProps {
  /** Where one is chosen: what is asked of it, in code points. */
  readonly minLength?: number;
}

/** An input for a password, which the script can show and, where one is chosen, measure. */
export function PasswordField(props: PasswordFieldProps) {
  const { id, name, label, minLength } = props;
  const m = useMessages();
  const measured =
    minLength === undefined
      ? {}
      : {
          "data-min": minLength,
          "data-missing": m.passwordMissing,
          "data-enough": m.passwordEnough,
        };
  return (
    <div class={isInvalid(props) ? "field invalid" : "field"}>
      <label for={id}>{label}</label>
      {minLength !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          <Filled text={m.passwordRule} values={{ count: minLength }} /> {m.passwordAdvice}
        </p>
      )}
      <div
        class="password"
        data-show={m.show}
        data-hide={m.hide}
        data-show-password={m.showPassword}
        data-hide-password={m.hidePassword}
        data-visible={m.passwordIsVisible}
        data-hidden={m.passwordIsHidden}
      >
        <input
          type="password"
          {...inputAttributes(props, minLength === undefined ? [] : [`${id}-hint`])}
          {...measured}
          name={name}
        />
      </div>
      <FieldError {...props} />
    </div>
  );
}

const isInvalid = ({ name, error }: FieldProps) => error.fields[name] !== undefined;

function inputAttributes(props: FieldProps, described: readonly string[] = []) {
  const { id, name, error, autofocus = false } = props;
  const descriptions = [
    ...(isInvalid(props) ? [`${id}-error`] : []),
    ...described,
    // What stands above the form is read out with the field that gets the focus.
    ...(error.form !== undefined && autofocus ? ["form-error"] : []),
  ];
  return {
    id,
    required: true,
    readonly: props.readonly === true,
    autocomplete: props.autocomplete,
    autofocus,
    autocapitalize: name === "name" ? ("words" as const) : ("none" as const),
    spellcheck: false,
    ...(isInvalid(props) ? { "aria-invalid": "true" as const } : {}),
    ...(descriptions.length === 0 ? {} : { "aria-describedby": descriptions.join(" ") }),
  };
}

function FieldError({ id, name, error, link }: FieldProps) {
  const m = useMessages();
  const message = error.fields[name];
  if (message === undefined) return null;
  return (
    <p class="error" id={`${id}-error`}>
      <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="7" />
        <path d="M8 4v5M8 11.2v.1" />
      </svg>
      <span>
        <span class="visually-hidden">{m.error} </span>
        <Filled text={message} values={{ link }} />
      </span>
    </p>
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
