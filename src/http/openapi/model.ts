/** A JSON Schema 2020-12, or another part of the document that nothing here looks into. */
export type Schema = Readonly<Record<string, unknown>>;

/** OpenAPI 3.1's Response Object. */
export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Schema>>;
  /** By media type; none in the answer to a HEAD. */
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** OpenAPI 3.1's Operation Object. */
export interface Operation {
  /** Unique; a HEAD's is its GET's with `Head` behind it. */
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  /** Alternatives; an empty one: none is needed. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Schema[];
  readonly requestBody?: Schema;
  /** By status; a string names one of `sharedAnswers`. */
  readonly responses: Readonly<Record<string, Answer | string>>;
}

/** By method and path, e.g. `GET /health`. A HEAD has its GET's. */
export type Operations = Readonly<Record<string, Operation>>;

export function ref(kind: "schemas" | "headers" | "responses", name: string): Schema {
  return { $ref: `#/components/${kind}/${name}` };
}

/** An object that has all of its fields but the optional ones. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

export const text: Schema = { type: "string" };
export const instant: Schema = { type: "string", format: "date-time" };
