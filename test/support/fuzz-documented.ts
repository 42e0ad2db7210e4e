import * as fc from "fast-check";
import { headerText, nasty, type Fuzzed } from "./fuzz-wild.ts";
import { type NamedOperation, type OpenApi, operationsOf } from "./openapi.ts";
import { navigation } from "./openapi-calls.ts";

/** Those who are there, so that some of what is sent succeeds. */
export interface Known {
  /** `name=value`, of live sessions. */
  readonly cookies: readonly string[];
  readonly tokens: readonly string[];
  readonly emails: readonly string[];
  readonly password: string;
  /** The name of a file that there is. */
  readonly asset: string;
}

type Schema = Readonly<Record<string, unknown>>;

/** @returns for each operation of the document, what is like it: as it says, on its bounds, and beside them. */
export function documentedRequests(
  document: OpenApi,
  known: Known,
): readonly (readonly [operation: NamedOperation, requests: fc.Arbitrary<Fuzzed>])[] {
  return operationsOf(document).map((one) => [one, requestsOf(document, one, known)] as const);
}

function requestsOf(document: OpenApi, named: NamedOperation, known: Known): fc.Arbitrary<Fuzzed> {
  const { method, path, operation } = named;
  const parameters = (operation.parameters ?? []) as readonly Schema[];
  const inQuery = parameters.filter((parameter) => parameter["in"] === "query");
  const query = fc.tuple(
    ...inQuery.map(({ name, schema }) =>
      usually(fc.constant(""), textOf(document, String(name), schema as Schema, known)).map((text) =>
        text === "" ? "" : `${String(name)}=${encodeURIComponent(text.toWellFormed())}`,
      ),
    ),
  );
  const where = fc
    .tuple(usually(fc.constant(known.asset), nasty), query)
    .map(
      ([file, pairs]) =>
        path.replace("{file}", encodeURIComponent(file.toWellFormed())) +
        `?${pairs.filter((pair) => pair !== "").join("&")}`.replace(/\?$/, ""),
    );
  const fixed: Readonly<Record<string, string>> = path === "/api/auth/forward" ? navigation : {};
  const headers = fc.record({
    cookie: usually(fc.constantFrom(...known.cookies), headerText),
    origin: usually(fc.constant("http://localhost:3000"), fc.constantFrom("null", "https://evil.example")),
    accept: fc.constantFrom("text/html", "application/json"),
    "x-forwarded-for": fc.constantFrom("203.0.113.1", "203.0.113.2", "2001:db8::1"),
  });
  const content = operation.requestBody?.content ?? {};
  const body = fc.oneof(
    ...Object.entries(content).map(([media, { schema }]) =>
      bodyOf(document, schema, known).map((fields) => ({
        media,
        text: media === "application/json" ? JSON.stringify(fields) : encodeForm(fields),
      })),
    ),
    ...(Object.keys(content).length === 0 ? [fc.constant({ media: "", text: "" })] : []),
  );
  return fc.tuple(where, headers, body).map(([at, sent, { media, text }]) => ({
    method,
    path: at,
    headers: { ...sent, ...fixed, ...(media === "" ? {} : { "content-type": media }) },
    body: media === "" ? undefined : text,
  }));
}

const usually = <T>(common: fc.Arbitrary<T>, rare: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: common }, { weight: 1, arbitrary: rare });

const encodeForm = (fields: Schema) =>
  new URLSearchParams(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  ).toString();

function resolve(document: OpenApi, schema: Schema): Schema {
  const reference = schema["$ref"];
  if (typeof reference !== "string") return schema;
  return (document.components["schemas"]?.[reference.split("/").at(-1) ?? ""] ?? {}) as Schema;
}

/** Every field of the schema, now and then without one, with a strange one, or with one more. */
function bodyOf(document: OpenApi, of: Schema, known: Known): fc.Arbitrary<Schema> {
  const properties = (resolve(document, of)["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const fields = Object.entries(properties).map(([name, schema]) =>
    fc.oneof(
      { weight: 12, arbitrary: valueOf(document, name, schema, known).map((value) => [[name, value]]) },
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }).map((value) => [[name, value]]) },
      { weight: 1, arbitrary: nasty.map((value) => [[name, value]]) },
    ),
  );
  const more = fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(nasty, fc.jsonValue({ maxDepth: 2 })).map((pair) => [pair]) },
  );
  return fc.tuple(...fields, more).map((parts) => Object.fromEntries(parts.flat()) as Schema);
}

const textOf = (document: OpenApi, name: string, schema: Schema, known: Known) =>
  valueOf(document, name, schema, known).map((value) =>
    typeof value === "string" ? value : JSON.stringify(value),
  );

/** What a field may be by its name, else by its schema: its ends and what is next to them. */
function valueOf(document: OpenApi, name: string, of: Schema, known: Known): fc.Arbitrary<unknown> {
  const schema = resolve(document, of);
  const types = [schema["type"]].flat();
  if (name === "email")
    return usually(
      fc.constantFrom(...known.emails),
      fc.uuid().map((id) => `${id}@example.com`),
    );
  if (/password/i.test(name)) return usually(fc.constant(known.password), lengths(schema));
  if (name === "token" || name === "id") return usually(fc.constantFrom(...known.tokens), nasty);
  if (/callback/i.test(name)) return usually(fc.constantFrom("/", "http://localhost:3000/docs"), nasty);
  if (name === "image") return usually(fc.constantFrom(null, "https://e.example/a.png"), nasty);
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
  if (types.includes("boolean")) return fc.boolean();
  return usually(fc.string({ minLength: 1, maxLength: 40 }), fc.oneof(lengths(schema), nasty));
}

/** As long as a text may be, as short, and one character beside both. */
function lengths(schema: Schema): fc.Arbitrary<string> {
  const bounds = [schema["minLength"], schema["maxLength"]].filter((one) => typeof one === "number");
  return fc
    .constantFrom(...bounds.flatMap((length) => [length - 1, length, length + 1]), 0)
    .chain((length) => fc.constantFrom("x", "😀", "é").map((text) => text.repeat(Math.max(0, length))));
}
