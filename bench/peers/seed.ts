import { type RequestParts, type RequestSet, writeRequests } from "../load/requests.ts";
import { emailOf, password } from "../seed/sessions.ts";
import { ask } from "../targets/bare.ts";
import type { Target } from "../targets/target.ts";
import type { Peer, Visitor } from "./peer.ts";

/** How many take part in turn in the load of sign-ins. */
const signingIn = 8;

/** What is sent to a product once its visitors are in it. */
export interface Requests {
  /** One session a visitor. */
  readonly verify: RequestSet;
  readonly signIn: RequestSet;
  /** Those of `verify`, one by one. */
  readonly sessions: readonly RequestParts[];
  /** How many requests are one sign-in. */
  readonly signInSteps: number;
}

/** Signs up `visitors`, one after the other: Kratos on SQLite refuses some of those that come at once. */
export async function seed(peer: Peer, { url }: Target, visitors: number): Promise<Requests> {
  await peer.settle?.(url);
  const sessions: RequestParts[] = [];
  for (let index = 0; index < visitors; index += 1) sessions.push(await peer.signUp(url, visitorOf(index)));
  const signIns: (readonly RequestParts[])[] = [];
  for (let index = 0; index < Math.min(signingIn, visitors); index += 1)
    signIns.push(await peer.signIn(url, visitorOf(index)));
  const lengths = await prove(peer, url, sessions);
  const [length] = lengths;
  const expected = lengths.size === 1 && length !== undefined ? length : null;
  return {
    verify: writeRequests(sessions, 200, { 200: expected }),
    signIn: writeRequests(signIns.flat(), 200, { 200: null }),
    sessions,
    signInSteps: signIns[0]?.length ?? 1,
  };
}

/**
 * Asks with each session. @returns the bodies' lengths in bytes; throws unless each is its visitor's, and a stranger has
 * none.
 */
export async function prove(
  peer: Peer,
  url: string,
  sessions: readonly RequestParts[],
): Promise<Set<number>> {
  const lengths = new Set<number>();
  for (const [index, request] of sessions.entries()) {
    const { status, body } = await ask(url, request);
    if (status !== 200 || !peer.names(body, visitorOf(index)))
      throw new Error(`${peer.name} answers session ${index} with ${status} ${body.slice(0, 300)}`);
    lengths.add(Buffer.byteLength(body));
  }
  const [first] = sessions;
  if (first === undefined) throw new Error("nobody signed up");
  const { status, body } = await ask(url, { ...first, headers: {} });
  if (status === 200 && body !== "null")
    throw new Error(`${peer.name} lets a stranger in: ${body.slice(0, 300)}`);
  return lengths;
}

function visitorOf(index: number): Visitor {
  return { name: "Ann Example", email: emailOf(index), password };
}
