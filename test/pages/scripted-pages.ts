import { createApp } from "../../src/app.ts";
import { createFront } from "../../src/front.ts";
import type { AuthRequest } from "../../src/auth/handle.ts";
import { openLog } from "../../src/log.ts";
import { load } from "../config/load.ts";
import { inputRules } from "../support/input-rules.ts";

/** Ann's sessions, as the API lists them. */
export interface ScriptedSession {
  readonly id: string;
  readonly userAgent: string;
  readonly ipAddress: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Script {
  /** Default: BetterAuth's 200 `{}`. */
  readonly answer?: (request: AuthRequest) => Response | Promise<Response>;
  readonly sessions?: readonly ScriptedSession[];
  /** The id of Ann's own; default: the first. */
  readonly current?: string;
  /** Default: `sessions`, at once. */
  readonly list?: () => Promise<Response>;
  /** Default: the clock stands. */
  readonly now?: () => number;
  readonly user?: { readonly name: string; readonly email: string };
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a link for a new password works; it is Ann's. Default: it does. */
  readonly recovery?: boolean;
}

/** The clock of the scripted pages. */
export const scriptedNow = Date.parse("2025-11-21T09:30:00.000Z");

/** Any cookie of this name is Ann's session. */
export const scriptedCookie = "better-auth.session_token=ann";

export const macFirefox =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0";

const here: ScriptedSession = {
  id: "here",
  userAgent: macFirefox,
  ipAddress: "203.0.113.24",
  createdAt: "2025-11-18T08:02:11.000Z",
  updatedAt: "2025-11-21T07:50:02.000Z",
};

/** Three devices of Ann's. */
export const annsSessions: readonly ScriptedSession[] = [
  {
    id: "here",
    userAgent: macFirefox,
    ipAddress: "203.0.113.24",
    createdAt: "2025-11-18T08:02:11.000Z",
    updatedAt: "2025-11-21T07:50:02.000Z",
  },
  {
    id: "phone",
    userAgent:
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ipAddress: "2001:db8:4e0::9:c31a",
    createdAt: "2025-11-02T17:45:00.000Z",
    updatedAt: "2025-11-20T21:14:00.000Z",
  },
  {
    id: "office",
    userAgent:
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ipAddress: "198.51.100.77",
    createdAt: "2025-10-27T10:11:00.000Z",
    updatedAt: "2025-11-07T16:02:00.000Z",
  },
];

/**
 * The whole application over an authentication that is a script: for states that are hard to bring about, such as a
 * rate limit. @returns what answers a request from 127.0.0.1.
 */
export function createScriptedPages(script: Script = {}): (request: Request) => Promise<Response> {
  const { config } = load({ BETTER_AUTH_URL: "http://localhost:3001", ...script.env });
  const user = script.user ?? { name: "Ann Example", email: "ann@example.com" };
  const sessions = script.sessions ?? [here];
  const rest = {
    config,
    version: "0.0.0",
    log: openLog({ level: "silent", format: "json" }),
    verify: () => ({ refusal: "NO_CREDENTIALS" }) as const,
    readSession: (cookie: string | null) =>
      cookie?.includes("session_token=ann") === true
        ? JSON.stringify({ user, session: sessions.find(({ id }) => id === script.current) ?? sessions[0] })
        : { isKnown: false },
    health: async () => new Response(),
  };
  const front = createFront({
    ...rest,
    load: async (shared) =>
      createApp({
        ...rest,
        ...shared,
        describeEmail: () => ({}),
        handle: (request) => answerOf(script, request, sessions),
        findLink: async () => null,
        findInvitation: async (token) => (token === "ann" ? { email: user.email } : null),
        findRecovery: async () => (script.recovery === false ? null : user),
        rules: inputRules,
        now: script.now ?? (() => scriptedNow),
      }),
  });
  const peers = { requestIP: () => ({ address: "127.0.0.1", family: "IPv4", port: 1 }) as const };
  return (request) => front.fetch(request, peers);
}

async function answerOf(
  script: Script,
  request: AuthRequest,
  sessions: readonly ScriptedSession[],
): Promise<Response> {
  if (request.name === "getSession") return Response.json(null);
  if (request.name === "listSessions") return (await script.list?.()) ?? Response.json(sessions);
  const answer = (await script.answer?.(request)) ?? Response.json({});
  if (request.name === "signOut" && answer.ok)
    answer.headers.append("Set-Cookie", "better-auth.session_token=; Max-Age=0; Path=/");
  return answer;
}
