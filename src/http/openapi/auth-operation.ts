import { invalidBodyCodes, jsonAnswer, refusal, setsCookies, uncached } from "./answers.ts";
import { type Answer, type Operation, ref, type Schema } from "./model.ts";

/** A session is needed. */
export const required = [{ cookie: [] }];
/** A session counts, if there is one. */
export const optional = [{}, { cookie: [] }];

/** A route that takes a body. */
export interface Action extends Pick<Operation, "operationId" | "summary" | "tags" | "security"> {
  readonly description?: string;
  readonly body: Schema;
  readonly bodyRequired?: boolean;
  /** By status: the answers besides those that every POST has. */
  readonly answers: Readonly<Record<string, Answer | string>>;
  /** Whether it hashes a password. */
  readonly hashes?: boolean;
}

/** The operation with the answers that every route with a body has. */
export function post({
  body,
  bodyRequired = true,
  answers,
  hashes = false,
  ...operation
}: Action): Operation {
  const content = {
    "application/json": { schema: body },
    "application/x-www-form-urlencoded": { schema: body },
  };
  return {
    ...operation,
    requestBody: { required: bodyRequired, content },
    responses: {
      "400": "InvalidBody",
      ...(operation.security === required ? { "401": "Unauthorized" } : {}),
      "403": "ForbiddenOrigin",
      "408": "BodyTimeout",
      "413": "BodyTooLarge",
      "415": "UnsupportedMediaType",
      "500": "InternalError",
      "503": hashes ? "Busy" : "Unavailable",
      ...answers,
    },
  };
}

/** A success that may set cookies, and is cached nowhere. */
export const done = (description: string, schema: Schema) =>
  jsonAnswer(description, schema, { ...uncached, ...setsCookies });
export const invalidBody = (codes: readonly string[]) =>
  refusal("The body, or something in it, is refused.", [...invalidBodyCodes, ...codes]);
export const body = (name: string) => ref("schemas", name);
export const user = ref("schemas", "User");
export const status = ref("schemas", "Status");
/** Sent or not, and empty or not. */
export const noBody = { type: "object" };

/** The operation with the answers that every route of BetterAuth has that only reads. */
export function get(
  operation: Omit<Operation, "tags" | "responses">,
  answers: Operation["responses"],
): Operation {
  return {
    ...operation,
    tags: ["session"],
    responses: { "400": "InvalidRequest", "500": "InternalError", "503": "Unavailable", ...answers },
  };
}
