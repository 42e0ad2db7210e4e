/** One thing that `latchkey doctor` looked at. Never contains a secret. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "failure";
  /** What was found. */
  readonly detail: string;
  /** What to do about it; only without `ok`. */
  readonly remedy?: string;
}

export function passed(name: string, detail: string): Check {
  return { name, status: "ok", detail };
}

/** Something that works, and will surprise somebody. */
export function warned(name: string, detail: string, remedy: string): Check {
  return { name, status: "warning", detail, remedy };
}

/** Something that does not work, or must not go on. */
export function failed(name: string, detail: string, remedy: string): Check {
  return { name, status: "failure", detail, remedy };
}
