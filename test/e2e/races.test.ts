import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";

/** How often each pair meets; `bun run test:long` lets it 200 times. */
const rounds = Number(process.env["LATCHKEY_TEST_RACE_ROUNDS"] ?? 4);
const day = 24 * 60 * 60 * 1000;

setDefaultTimeout(600_000);

const actions = ["sign-in", "change", "change-only", "delete", "revoke-others", "refresh"] as const;
type Action = (typeof actions)[number];
const pairs = actions.flatMap((one, at) => actions.slice(at).map((other) => [one, other] as const));

interface Done {
  readonly action: Action;
  readonly status: number;
  readonly body: { readonly token?: string; readonly code?: string } | null;
  /** What a change made of the password. */
  readonly newPassword: string;
  /** The session that acted. */
  readonly token: string;
}

/** What may be answered to each, whatever the other one does. */
const allowed: Readonly<Record<Action, readonly number[]>> = {
  "sign-in": [200, 401],
  change: [200, 400, 401],
  "change-only": [200, 400, 401],
  delete: [200, 400, 401],
  "revoke-others": [200, 401],
  refresh: [200],
};

describe.each(dialects)("B6: two requests for one account at once on %s", (dialect) => {
  let database: TestDatabase;
  let servers: readonly RunningLatchkey[];
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    servers = [await spawnLatchkey({ env: database.env }), await spawnLatchkey({ env: database.env })];
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await database.close();
  });

  const act = async (
    action: Action,
    member: Member,
    { origin }: RunningLatchkey,
    token: string,
  ): Promise<Done> => {
    const newPassword = `new password of ${token}`;
    const client = member.browser(origin, token);
    const post = (path: string, body: object) =>
      client.fetch(`/api/auth/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          // Somebody signs in who has no session yet.
          ...(action === "sign-in" ? { cookie: "none=1" } : {}),
        },
        body: JSON.stringify(body),
      });
    const ask = {
      "sign-in": () => post("sign-in/email", { email: member.email, password: memberPassword }),
      change: () =>
        post("change-password", { currentPassword: memberPassword, newPassword, revokeOtherSessions: true }),
      "change-only": () => post("change-password", { currentPassword: memberPassword, newPassword }),
      delete: () => post("delete-user", { password: memberPassword }),
      "revoke-others": () => post("revoke-other-sessions", {}),
      refresh: () => client.fetch("/api/auth/get-session"),
    }[action];
    const answer = await ask();
    const body = (await answer.json()) as Done["body"];
    return { action, status: answer.status, body, newPassword, token };
  };
  const sessionsOf = async (member: Member) =>
    (await database.query("SELECT token FROM session WHERE user_id = $1", [member.id])).map(({ token }) =>
      String(token),
    );
  const passwordOf = async (member: Member) =>
    String(
      (await database.query("SELECT password FROM account WHERE user_id = $1", [member.id]))[0]?.["password"],
    );
  const exists = async (member: Member) =>
    (await database.query('SELECT 1 AS one FROM "user" WHERE id = $1', [member.id])).length === 1;

  /** What has to be so afterwards, whichever came first. */
  const judge = async (member: Member, done: readonly Done[]): Promise<readonly string[]> => {
    const wrong: string[] = [];
    const succeeded = (action: Action) => done.filter((one) => one.action === action && one.status === 200);
    for (const { action, status, body } of done)
      if (!allowed[action].includes(status))
        wrong.push(`${action} answered ${status} ${JSON.stringify(body)}`);
    const tokens = await sessionsOf(member);
    const [deletion] = succeeded("delete");
    if (succeeded("delete").length > 1) wrong.push("deleted twice");
    if ((await exists(member)) !== (deletion === undefined)) wrong.push("deleted and there, or neither");
    if (deletion !== undefined && tokens.length > 0) wrong.push("sessions of a deleted account");
    if (deletion !== undefined) return wrong;
    const changes = [...succeeded("change"), ...succeeded("change-only")];
    if (changes.length > 1) wrong.push("one current password was changed twice");
    const [changed] = changes;
    if (changed !== undefined && !(await Bun.password.verify(changed.newPassword, await passwordOf(member))))
      wrong.push("the password is another one than the change's");
    const [change] = succeeded("change");
    if (change !== undefined) {
      // Whoever knew the old password only is out; the revocation may have come after the change, too.
      const own = change.body?.token;
      const others = tokens.filter((token) => token !== own);
      if (others.length > 0) wrong.push(`${others.length} sessions survive a change with revocation`);
    }
    const revocations = succeeded("revoke-others");
    for (const { token: kept } of revocations) {
      const signedIn = succeeded("sign-in").flatMap(({ body }) => body?.token ?? []);
      const survivors = tokens.filter((token) => token !== kept && !signedIn.includes(token));
      if (change === undefined && survivors.length > 0) wrong.push("a session survives its revocation");
    }
    if (revocations.length > 1) wrong.push("two revoked each other");
    return wrong;
  };

  test.each(pairs)("%s and %s", async (one, other) => {
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const member = await addMember(database);
      // Due for a refresh, so that each route may write before it acts.
      const due = { ageMs: 6 * day, leftMs: day };
      const tokens = [await member.session(round % 2 === 0 ? {} : due), await member.session(due)];
      const [first, second] = round % 3 === 0 ? [0, 1] : [0, 0];
      const work = [
        act(one, member, servers[first] as RunningLatchkey, tokens[0] ?? ""),
        Bun.sleep((round * 7) % 40).then(() =>
          act(other, member, servers[second] as RunningLatchkey, tokens[1] ?? ""),
        ),
      ];
      const done = await Promise.all(work);
      const found = await judge(member, done);
      if (found.length > 0)
        wrong.push(`round ${round}: ${found.join("; ")} (${done.map(({ status }) => status).join(", ")})`);
    }
    expect(wrong).toEqual([]);
  });
});
