import type { Executables } from "../build.ts";
import type { RequestParts } from "../load/requests.ts";
import type { Cores } from "../machine/cores.ts";
import { startTarget, type Target } from "./target.ts";

/** One answer as it stands on the wire, but for what every Bun server adds itself. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Bun writes these whatever the program does. */
const addedByBun = new Set(["date", "content-length", "connection", "keep-alive", "transfer-encoding"]);

/** Asks a server once. */
export async function ask(
  url: string,
  { method = "GET", path, headers = {}, body }: RequestParts,
): Promise<Answer> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { ...headers },
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  });
  return {
    status: response.status,
    headers: [...response.headers].filter(([name]) => !addedByBun.has(name)),
    body: await response.text(),
  };
}

export interface BareOptions {
  readonly executables: Executables;
  readonly cores: Cores | null;
}

/** Starts a bare server that answers `request` as `model` does, status, headers and body, and checks that it does. */
export async function startBare(options: BareOptions, model: Target, request: RequestParts): Promise<Target> {
  const learnt = await ask(model.url, request);
  const target = await startBareWith(options, request.path, learnt);
  const answered = await ask(target.url, request);
  if (JSON.stringify(answered) !== JSON.stringify(learnt)) {
    await target.stop();
    throw new Error(`the bare server does not answer ${request.path} as ${model.name} does`);
  }
  return target;
}

/** Starts a bare server that gives one answer. */
export async function startBareWith(
  { executables, cores }: BareOptions,
  path: string,
  answer: Answer,
): Promise<Target> {
  return await startTarget({
    name: "bare",
    executable: await executables("bare"),
    env: { BARE_RESPONSE: JSON.stringify({ path, ...answer }) },
    cores,
  });
}
