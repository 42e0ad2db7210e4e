import {
  compileSchemas,
  type DocumentedAnswer,
  type NamedOperation,
  type OpenApi,
  operationsOf,
} from "./openapi.ts";

/** One request for a documented operation. */
export interface Call {
  readonly method: string;
  /** As it stands in the document. */
  readonly path: string;
  /** In place of the path's parameter. */
  readonly file?: string;
  readonly search?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream<Uint8Array>;
}

export interface Checked {
  readonly status: number;
  /** Of a JSON answer. */
  readonly json: unknown;
  /** Where the answer is not as documented. */
  readonly problems: readonly string[];
}

export interface Checker {
  readonly operations: readonly NamedOperation[];
  /** `GET /health 200`: every documented answer that came. */
  readonly seen: ReadonlySet<string>;
  send(call: Call): Promise<Checked>;
  /** Why the documented schema refuses a JSON body; null when it does not. */
  bodyProblem(path: string, body: unknown): string | null;
}

/** @param origin where the server of that document listens. */
export function createChecker(origin: string, document: OpenApi): Checker {
  const operations = operationsOf(document);
  const byName = new Map(operations.map((named) => [`${named.method} ${named.path}`, named.operation]));
  const schemas = compileSchemas(document);
  const seen = new Set<string>();

  const send = async (call: Call): Promise<Checked> => {
    const { method, path, file = "", search = "", headers = {}, body } = call;
    const response = await fetch(origin + path.replace(/\{\w+\}/, file) + search, {
      method,
      headers,
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const responses = byName.get(`${method} ${path}`)?.responses ?? {};
    const status = [String(response.status), `${String(response.status)[0]}XX`].find(
      (name) => name in responses,
    );
    const answer = status === undefined ? undefined : responses[status];
    const json = isJson(response) && text !== "" ? JSON.parse(text) : undefined;
    if (answer === undefined) {
      return { status: response.status, json, problems: [`${response.status} is not documented: ${text}`] };
    }
    seen.add(`${method} ${path} ${status}`);
    const problems = [...headerProblems(answer, response), ...contentProblems(answer, response, text, json)];
    return {
      status: response.status,
      json,
      problems: problems.map((problem) => `${response.status} ${problem}`),
    };
  };

  const headerProblems = ({ headers = {} }: DocumentedAnswer, response: Response): string[] =>
    Object.entries(headers).flatMap(([name, { required, schema }]) => {
      const value = response.headers.get(name);
      if (value === null) return required === true || name === "X-Request-Id" ? [`lacks ${name}`] : [];
      const problem = schemas.problem(schema as Readonly<Record<string, unknown>>, value);
      return problem === null ? [] : [`${name}: ${value}: ${problem}`];
    });

  const contentProblems = (
    { content }: DocumentedAnswer,
    response: Response,
    text: string,
    json: unknown,
  ): string[] => {
    if (content === undefined) return text === "" ? [] : [`has a body: ${text}`];
    const media = content[mediaType(response)];
    if (media === undefined) return [`is ${mediaType(response)}`];
    const problem = isJson(response) ? schemas.problem(media.schema, json) : null;
    return problem === null ? [] : [`${text}: ${problem}`];
  };

  return {
    operations,
    seen,
    send,
    bodyProblem(path, body) {
      const schema = byName.get(`POST ${path}`)?.requestBody?.content["application/json"]?.schema;
      return schema === undefined ? "is not documented" : schemas.problem(schema, body);
    },
  };
}

const mediaType = (response: Response) =>
  (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
const isJson = (response: Response) => mediaType(response) === "application/json";
