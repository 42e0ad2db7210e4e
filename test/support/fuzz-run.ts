import * as fc from "fast-check";
import { signToken } from "../../src/session/cookie.ts";
import type { TestDatabase } from "./databases.ts";
import { documentedRequests, type Known } from "./fuzz-documented.ts";
import { type Fuzzed, wildRequests } from "./fuzz-wild.ts";
import { addMember, memberPassword } from "./member.ts";
import type { OpenApi } from "./openapi.ts";
import { within } from "./within.ts";

const requestTimeoutMs = 20_000;
const batchSize = 200;

/** What was sent and what came of it. */
export interface FuzzRun {
  readonly wrong: string[];
  sent: number;
  /** Answers by status. */
  readonly statuses: Record<string, number>;
  /** Operations of the document that had an answer below 400. */
  readonly succeeded: Set<string>;
  readonly asked: Set<string>;
}

export const newRun = (): FuzzRun => ({
  wrong: [],
  sent: 0,
  statuses: {},
  succeeded: new Set(),
  asked: new Set(),
});

/** Somebody new with sessions, since those before may be signed out, or deleted. */
export async function newcomers(database: TestDatabase, asset = "x.css"): Promise<Known> {
  const members = await Promise.all([1, 2].map(() => addMember(database)));
  const tokens = await Promise.all([...members, ...members].map((member) => member.session()));
  const secret = database.env["BETTER_AUTH_SECRET"] ?? "";
  return {
    cookies: tokens.map((token) => `better-auth.session_token=${signToken(token, secret)}`),
    tokens,
    emails: members.map(({ email }) => email),
    password: memberPassword,
    asset,
  };
}

/** Sends a request, and writes down what is wrong with its answer. @returns the status; 0 for none. */
export async function send(url: string, request: Fuzzed, run: FuzzRun, label: string): Promise<number> {
  run.sent += 1;
  const wrong = (problem: string) =>
    void run.wrong.push(`${label}: ${JSON.stringify(request).slice(0, 600)} → ${problem}`);
  try {
    const answer = await ask(url, request);
    if (answer === undefined) {
      wrong("no answer");
      return 0;
    }
    const { status } = answer;
    run.statuses[status] = (run.statuses[status] ?? 0) + 1;
    const problem = judge(request.method, answer, await answer.text());
    if (problem !== null) wrong(problem);
    return status;
  } catch (error) {
    wrong(`failed: ${String(error)}`);
    return 0;
  }
}

const ask = (url: string, { method, path, headers, body }: Fuzzed) =>
  within(
    fetch(url + (path.startsWith("/") ? path : `/${path}`), {
      method,
      headers,
      redirect: "manual",
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body.toWellFormed() : Buffer.from(body) }),
    }),
    requestTimeoutMs,
  );

/** What is wrong with an answer; null for a good one. */
function judge(method: string, answer: Response, text: string): string | null {
  if (answer.status >= 500) {
    // A page says it in its own words.
    const isPage = answer.headers.get("content-type")?.startsWith("text/html") === true;
    const isBusy = answer.status === 503 && (isPage || text.includes("TOO_BUSY"));
    return isBusy && answer.headers.has("retry-after") ? null : `${answer.status} ${text.slice(0, 200)}`;
  }
  if (!answer.headers.has("x-request-id"))
    return `${answer.status} without a request id: ${text.slice(0, 100)}`;
  if (answer.status === 429 && !answer.headers.has("retry-after")) return "429 without Retry-After";
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
  if (answer.status < 400 || !isJson || method === "HEAD") return null;
  const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
  return typeof code === "string" && typeof message === "string"
    ? null
    : `${answer.status} ${text.slice(0, 100)}`;
}

/** Sends `count` requests over 16 lanes: half of them made of the document, each operation in its turn, half wild. */
export async function fuzz(
  count: number,
  seed: number,
  {
    url,
    database,
    document,
    run,
  }: {
    /** Its public one: under another name, pages only lead to it. */
    readonly url: string;
    readonly database: TestDatabase;
    readonly document: OpenApi;
    readonly run: FuzzRun;
  },
): Promise<void> {
  const lanes = 16;
  const [, asset] = /\/assets\/(latchkey-[\w.-]+)/.exec(await (await fetch(`${url}/signin`)).text()) ?? [];
  let turn = 0;
  let left = count;
  const lane = async (at: number) => {
    for (let batch = 0; left > 0; batch += 1) {
      const size = Math.min(left, batchSize, Math.ceil(count / lanes));
      left -= size;
      const known = await newcomers(database, asset);
      const options = (index: number) => ({
        seed: seed + at * 1_000_003 + batch * 10_007 + index,
        numRuns: 1,
      });
      const wild = fc.sample(wildRequests(known.cookies), { ...options(0), numRuns: Math.floor(size / 2) });
      const documented = documentedRequests(document, known);
      for (let index = 0; index < size; index += 1) {
        const planned = index % 2 === 0 ? documented[(turn += 1) % documented.length] : undefined;
        const [request] =
          planned === undefined ? [wild[(index - 1) / 2]] : fc.sample(planned[1], options(index));
        if (request === undefined) continue;
        const status = await send(url, request, run, `seed ${seed}`);
        if (planned === undefined) continue;
        const name = `${planned[0].method} ${planned[0].path}`;
        run.asked.add(name);
        if (status > 0 && status < 400) run.succeeded.add(name);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at)));
}
