import { signToken } from "../../src/session/cookie.ts";
import type { TestDatabase } from "./databases.ts";
import type { RunningLatchkey } from "./executable.ts";
import { addMember, memberPassword } from "./member.ts";

/** What everybody does all day, and what nobody should do. */
export interface MixedLoad {
  /** Answers so far, by what was asked and their status. */
  readonly answers: ReadonlyMap<string, number>;
  readonly wrong: string[];
  /** Answered so far. */
  count(): number;
  /** Every lane asks without a pause until `isOver`. Nothing that it makes is left: rows stay as many as they are. */
  run(lanes: number, isOver: () => boolean): Promise<void>;
}

interface Ask {
  readonly name: string;
  readonly weight: number;
  /** @returns the statuses, one each answer; 0 for one that nobody waited for. */
  readonly send: () => Promise<readonly number[]>;
  readonly expected: readonly number[];
}

const json = { "content-type": "application/json", origin: "http://localhost:3000" };

export async function createMixedLoad(database: TestDatabase, server: RunningLatchkey): Promise<MixedLoad> {
  const member = await addMember(database);
  const cookieFor = (token: string) =>
    `better-auth.session_token=${signToken(token, database.env["BETTER_AUTH_SECRET"] ?? "")}`;
  const cookies: string[] = [];
  // Nobody has more sessions than a person may have.
  for (let people = 0; people < 8; people += 1) {
    const other = await addMember(database);
    for (let made = 0; made < 25; made += 1) cookies.push(cookieFor(await other.session()));
  }
  const anyCookie = () => cookies[Math.floor(Math.random() * cookies.length)] ?? "";
  const api = `${server.origin}/api/auth`;
  const status = async (url: string, init: RequestInit = {}) => {
    const answer = await fetch(url, { redirect: "manual", ...init });
    await answer.arrayBuffer();
    return answer.status;
  };
  const post = (path: string, body: object, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${api}/${path}`, { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) });
  const busyOr = async (answer: Response, next: (cookie: string) => Promise<number>) => {
    await answer.arrayBuffer();
    const cookie = (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    return answer.status === 200 ? [200, await next(cookie)] : [answer.status];
  };
  const one = (send: () => Promise<number>) => async () => [await send()];
  const { hostname, port } = new URL(server.url);

  const asks: readonly Ask[] = [
    {
      name: "verify",
      weight: 300,
      send: one(() => status(`${api}/verify`, { headers: { cookie: anyCookie() } })),
      expected: [200],
    },
    {
      name: "verify of nobody",
      weight: 60,
      send: one(() => status(`${api}/verify`, { headers: { cookie: cookieFor(crypto.randomUUID()) } })),
      expected: [401],
    },
    {
      name: "get-session",
      weight: 120,
      send: one(() => status(`${api}/get-session`, { headers: { cookie: anyCookie() } })),
      expected: [200],
    },
    {
      name: "list-sessions",
      weight: 10,
      send: one(() => status(`${api}/list-sessions`, { headers: { cookie: anyCookie() } })),
      expected: [200],
    },
    {
      name: "update-user",
      weight: 20,
      send: async () => {
        const answer = await post("update-user", { name: "Member" }, { cookie: anyCookie() });
        await answer.arrayBuffer();
        return [answer.status];
      },
      expected: [200],
    },
    { name: "sign-in page", weight: 20, send: one(() => status(`${server.origin}/signin`)), expected: [200] },
    {
      name: "account page",
      weight: 10,
      send: one(() => status(`${server.origin}/account`, { headers: { cookie: anyCookie() } })),
      expected: [200],
    },
    { name: "OpenAPI", weight: 5, send: one(() => status(`${server.origin}/openapi.json`)), expected: [200] },
    { name: "health", weight: 10, send: one(() => status(`${server.origin}/health`)), expected: [200] },
    {
      name: "not there",
      weight: 20,
      send: one(() => status(`${server.origin}/${crypto.randomUUID()}`)),
      expected: [404],
    },
    {
      name: "bad body",
      weight: 20,
      send: one(() => status(`${api}/sign-in/email`, { method: "POST", headers: json, body: '{"email":' })),
      expected: [400],
    },
    {
      name: "large body",
      weight: 5,
      send: one(() =>
        status(`${api}/sign-in/email`, { method: "POST", headers: json, body: "x".repeat(40_000) }),
      ),
      expected: [413],
    },
    {
      name: "another site",
      weight: 10,
      send: one(() =>
        status(`${api}/sign-out`, { method: "POST", headers: { ...json, origin: "https://evil.example" } }),
      ),
      expected: [403],
    },
    {
      name: "sign in and out",
      weight: 3,
      send: async () =>
        await busyOr(
          await post("sign-in/email", { email: member.email, password: memberPassword }),
          async (cookie) => (await post("sign-out", {}, { cookie })).status,
        ),
      expected: [200, 503],
    },
    {
      name: "wrong password",
      weight: 2,
      send: async () => {
        const answer = await post("sign-in/email", { email: member.email, password: "no such password" });
        await answer.arrayBuffer();
        return [answer.status];
      },
      expected: [401, 503],
    },
    {
      name: "sign up and delete",
      weight: 2,
      send: async () => {
        const email = `${crypto.randomUUID()}@example.com`;
        const answer = await post("sign-up/email", { email, password: memberPassword, name: "Soak" });
        // Signed out where nobody had time for the deletion.
        return await busyOr(answer, async (cookie) => {
          let deleted = 503;
          while (deleted === 503)
            deleted = (await post("delete-user", { password: memberPassword }, { cookie })).status;
          return deleted;
        });
      },
      expected: [200, 503],
    },
    {
      name: "hung up",
      weight: 5,
      send: async () => {
        const gone = new AbortController();
        const answer = fetch(`${api}/verify`, { headers: { cookie: anyCookie() }, signal: gone.signal });
        gone.abort();
        return await answer.then(
          () => [0],
          () => [0],
        );
      },
      expected: [0],
    },
    {
      name: "half a request",
      weight: 5,
      send: async () => {
        const socket = await Bun.connect({
          hostname,
          port: Number(port),
          socket: { data: () => {}, error: () => {} },
        });
        socket.write(
          "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        );
        socket.flush();
        socket.terminate();
        return [0];
      },
      expected: [0],
    },
  ];
  const chances = asks.flatMap((ask) => Array.from({ length: ask.weight }, () => ask));
  const answers = new Map<string, number>();
  const wrong: string[] = [];
  let count = 0;

  return {
    answers,
    wrong,
    count: () => count,
    async run(lanes, isOver) {
      const lane = async () => {
        while (!isOver()) {
          const ask = chances[Math.floor(Math.random() * chances.length)];
          if (ask === undefined) return;
          const statuses = await ask.send().catch((error: unknown) => {
            wrong.push(`${ask.name}: ${String(error)}`);
            return [];
          });
          for (const found of statuses) {
            const key = `${ask.name} ${found}`;
            answers.set(key, (answers.get(key) ?? 0) + 1);
            count += 1;
            if (!ask.expected.includes(found)) wrong.push(key);
          }
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    },
  };
}
