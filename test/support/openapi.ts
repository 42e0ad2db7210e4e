import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

type Node = Readonly<Record<string, unknown>>;

/** A Response Object whose references are resolved one level deep. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Node>>;
  readonly content?: Readonly<Record<string, { readonly schema: Node }>>;
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security: readonly Node[];
  readonly parameters?: readonly Node[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Node }>> };
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface NamedOperation {
  /** In upper case. */
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentedOperation;
}

export async function readOpenApi(response: Response): Promise<OpenApi> {
  return (await response.json()) as OpenApi;
}

/** Every operation, its answers and their headers resolved. */
export function operationsOf(document: OpenApi): readonly NamedOperation[] {
  const resolve = (node: unknown): unknown => {
    const { $ref } = (node ?? {}) as { readonly $ref?: string };
    if ($ref === undefined) return node;
    const [, , kind = "", name = ""] = $ref.split("/");
    return document.components[kind]?.[name];
  };
  const resolved = (operation: DocumentedOperation): DocumentedOperation => ({
    ...operation,
    responses: mapValues(operation.responses, (answer) => {
      const found = resolve(answer) as DocumentedAnswer;
      return { ...found, headers: mapValues(found.headers ?? {}, (header) => resolve(header) as Node) };
    }),
  });
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation: resolved(operation),
    })),
  );
}

export interface Schemas {
  /** How many schemas the document holds outside its components. */
  readonly count: number;
  /** What is wrong with a value; null when nothing is. @param schema one of the document's, by identity. */
  problem(schema: Node, value: unknown): string | null;
}

/**
 * Compiles every schema of a document: JSON Schema 2020-12 with formats, unknown keywords refused. An object may have the
 * fields that stand in its schema and no others, which the document itself leaves open.
 */
export function compileSchemas(document: OpenApi): Schemas {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  addFormats(ajv);
  const prepare = (schema: unknown) =>
    JSON.parse(JSON.stringify(close(schema)).replaceAll('"#/components/schemas/', '"openapi:/')) as Node;
  const compiled = new Map<Node, ValidateFunction>();
  const compile = (schema: Node): ValidateFunction => {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const validate = ajv.compile(prepare(schema));
    compiled.set(schema, validate);
    return validate;
  };
  for (const [name, schema] of Object.entries(document.components["schemas"] ?? {}))
    ajv.addSchema(prepare(schema), `openapi:/${name}`);
  for (const name of Object.keys(document.components["schemas"] ?? {})) compile({ $ref: `openapi:/${name}` });
  for (const schema of schemasIn([document.paths, document.components])) compile(schema);
  return {
    count: compiled.size,
    problem(schema, value) {
      const validate = compile(schema);
      return validate(value) ? null : ajv.errorsText(validate.errors);
    },
  };
}

function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close);
  if (typeof node !== "object" || node === null) return node;
  const closed = mapValues(node as Node, close);
  const isObject = (node as Node)["type"] === "object" && "properties" in node;
  return isObject ? { ...closed, additionalProperties: false } : closed;
}

/** What stands under `schema`, wherever that is. */
function* schemasIn(node: unknown): Generator<Node> {
  if (typeof node !== "object" || node === null) return;
  for (const [key, child] of Object.entries(node)) {
    if (key === "schema") yield child as Node;
    else yield* schemasIn(child);
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
