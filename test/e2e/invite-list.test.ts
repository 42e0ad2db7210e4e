import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";

interface Made {
  readonly id: string;
  readonly url: string;
  readonly email: string | null;
  readonly expiresAt: string;
}

describe.each(dialects)("invitations that are open on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_SIGN_UP: "invited" } });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  const run = (...args: readonly string[]) =>
    runLatchkey(["invite", ...args], {
      env: { ...database.env, BETTER_AUTH_URL: server.origin, LATCHKEY_SIGN_UP: "invited" },
    });
  const invite = async (...args: readonly string[]): Promise<Made> =>
    JSON.parse((await run("--json", ...args)).stdout);
  const listed = async (): Promise<readonly Omit<Made, "url">[]> => {
    const { exitCode, stdout, stderr } = await run("list", "--json");
    expect([exitCode, stderr]).toEqual([0, ""]);
    return JSON.parse(stdout).invitations;
  };
  const signUp = async ({ url }: Made, email: string) => {
    const invitation = new URL(url).searchParams.get("invitation");
    const response = await createClient(server.origin).fetch("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Ann", email, password, invitation }),
    });
    return response.status;
  };

  test("are listed until they are used, withdrawn or over, and by their ids alone", async () => {
    expect(await listed()).toEqual([]);
    const nothing = await run("list");
    expect([nothing.exitCode, nothing.stdout, nothing.stderr]).toEqual([0, "", "no invitation is open\n"]);
    const late = await invite("--for", "2d");
    const named = await invite("--for", "1d", "--email", "Ann@Example.com");
    const over = await invite("--for", "1h");
    // A recovery link is none.
    await database.query(
      "UPDATE verification SET identifier = 'latchkey:recovery:x' WHERE substr(id, 1, 16) = $1",
      [over.id],
    );
    const shown = ({ id, email, expiresAt }: Made) => ({
      id,
      email,
      createdAt: expect.any(String),
      expiresAt,
    });
    expect(await listed()).toEqual([shown(named), shown(late)]);
    const made = Date.parse((await listed())[0]?.expiresAt ?? "") - 86_400_000;
    expect(Math.abs(Date.parse(((await listed()) as never[])[0]?.["createdAt"] ?? "") - made)).toBeLessThan(
      5_000,
    );
    const table = await run("list");
    expect(table.stdout.split("\n")).toEqual([
      expect.stringMatching(/^ID +CREATED +EXPIRES +FOR$/),
      expect.stringMatching(new RegExp(`^${named.id} .* ann@example\\.com$`)),
      expect.stringMatching(new RegExp(`^${late.id} .* whoever has it$`)),
      "",
    ]);
    for (const { url } of [late, named, over])
      expect(table.stdout).not.toContain(new URL(url).searchParams.get("invitation") ?? "");

    const gone = await run("withdraw", named.id, "--json");
    const { talk, log } = splitLog(gone.stderr);
    expect([gone.exitCode, JSON.parse(gone.stdout), talk, log]).toMatchObject([
      0,
      { id: named.id },
      "",
      [
        {
          event: "invitation_withdrawal",
          outcome: "success",
          operator: process.getuid?.(),
          invitation: named.id,
        },
      ],
    ]);
    expect(await signUp(named, "ann@example.com")).toBe(400);
    expect(await listed()).toEqual([shown(late)]);
    const again = await run("withdraw", named.id);
    expect([again.exitCode, again.stdout, again.stderr]).toEqual([
      2,
      "",
      expect.stringContaining(
        `no invitation that is open has the id ${named.id}\nTry: latchkey invite list\n`,
      ),
    ]);
    expect(splitLog(again.stderr).log).toMatchObject([{ outcome: "failure", reason: "unknown_invitation" }]);
    expect((await run("withdraw", over.id)).exitCode).toBe(2);
    expect(await signUp(late, "ben@example.com")).toBe(200);
    expect(await listed()).toEqual([]);
    expect((await run("withdraw", late.id)).exitCode).toBe(2);
  });

  test("of a withdrawal and a sign-up at once, one counts", async () => {
    for (let round = 0; round < 6; round += 1) {
      const made = await invite();
      const [status, { exitCode }] = await Promise.all([
        signUp(made, `race-${round}@example.com`),
        run("withdraw", made.id),
      ]);
      expect([
        [200, 2],
        [400, 0],
      ]).toContainEqual([status, exitCode]);
      expect(await listed()).toEqual([]);
    }
  });
});

describe("latchkey invite list and withdraw", () => {
  test("take the environment of a server that is named, before or behind", async () => {
    const database = await openTestDatabase("sqlite");
    const env = { ...database.env, BETTER_AUTH_URL: "https://auth.example.com" };
    await runLatchkey(["migrate"], { env });
    await runLatchkey(["invite"], { env });
    const file = join(temporaryDirectory("invite"), "env");
    writeFileSync(
      file,
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    for (const args of [
      ["invite", "--env-file", file, "list", "--json"],
      ["invite", "list", "--json", "--env-file", file],
    ]) {
      const { exitCode, stdout } = await runLatchkey(args);
      expect([exitCode, JSON.parse(stdout).invitations]).toEqual([0, [expect.anything()]]);
    }
    await database.close();
  });

  test.each([
    { args: ["list", "--email", "ann@example.com"], says: "--email is for a new invitation" },
    { args: ["list", "--for", "1d"], says: "--for is for a new invitation" },
    { args: ["list", "all"], says: "too many arguments" },
    { args: ["withdraw"], says: "missing required argument 'id'" },
    { args: ["withdraw", "kN0-a-link-of-secret-bits"], says: "this is no invitation's id" },
  ])("refuse $args with exit status 2, and repeat no link", async ({ args, says }) => {
    const { exitCode, stdout, stderr } = await runLatchkey(["invite", ...args]);
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(says)]);
    expect(stderr).not.toContain("secret-bits");
    expect(splitLog(stderr).log).toEqual([]);
  });
});
