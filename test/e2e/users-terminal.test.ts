import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";

setDefaultTimeout(60_000);

const another = "a new good password";

describe("latchkey users on a terminal", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    await runLatchkey(["migrate"], { env: database.env });
  });
  afterAll(() => database.close());

  /** Types each answer once what it answers is asked. @returns all that the terminal showed. */
  const type = async (
    args: readonly string[],
    ...dialogue: readonly (readonly [asked: string, typed: string])[]
  ) => {
    let shown = "";
    let told = 0;
    const rest = [...dialogue];
    const child = Bun.spawn([await buildExecutable(), "users", ...args], {
      env: database.env,
      terminal: {
        data(terminal, bytes) {
          shown += new TextDecoder().decode(bytes);
          const [next] = rest;
          if (next === undefined || !shown.slice(told).includes(next[0])) return;
          told = shown.length;
          rest.shift();
          terminal.write(next[1]);
        },
      },
    });
    const exitCode = await child.exited;
    child.terminal?.close();
    return { exitCode, shown };
  };
  const nameOf = async (id: string) =>
    (await database.query('SELECT id FROM "user" WHERE id = $1', [id])).length;
  const hashOf = async (id: string) =>
    String((await database.query("SELECT password FROM account WHERE user_id = $1", [id]))[0]?.["password"]);

  test("asks for a password twice, and shows nothing of it", async () => {
    const { id } = await addMember(database);
    const { exitCode, shown } = await type(
      ["set-password", id],
      ["New password: ", `${another}x\u007F\r`],
      ["Again: ", `${another}\r`],
    );
    expect(exitCode).toBe(0);
    expect(shown).toContain("has a new password");
    expect(shown).not.toContain("good");
    expect(await Bun.password.verify(another, await hashOf(id))).toBe(true);
  });

  test("sets none when the two differ, or somebody interrupts", async () => {
    const { id } = await addMember(database);
    const differ = await type(["set-password", id], ["New password: ", `${another}\r`], ["Again: ", "x\r"]);
    expect([differ.exitCode, differ.shown]).toEqual([2, expect.stringContaining("the two are not the same")]);
    const interrupted = await type(["set-password", id], ["New password: ", "abc\u0003"]);
    expect([interrupted.exitCode, interrupted.shown]).toEqual([1, expect.stringContaining("interrupted")]);
    expect(await Bun.password.verify(memberPassword, await hashOf(id))).toBe(true);
  });

  test("takes what was typed or pasted ahead, and shows nothing of it", async () => {
    const { id } = await addMember(database);
    const { exitCode, shown } = await type(
      ["set-password", id],
      ["New password: ", `${another}\r${another}\r`],
    );
    expect([exitCode, shown]).toEqual([0, expect.not.stringContaining("good")]);
    expect(await Bun.password.verify(another, await hashOf(id))).toBe(true);
  });

  test("deletes when somebody says yes, and not otherwise", async () => {
    const { id } = await addMember(database);
    const kept = await type(["delete", id], ["Type yes: ", "y\r"]);
    expect([kept.exitCode, kept.shown, await nameOf(id)]).toEqual([
      1,
      expect.stringContaining("nothing was done"),
      1,
    ]);
    const deleted = await type(["delete", id], ["Type yes: ", "yes\r"]);
    expect([deleted.exitCode, await nameOf(id)]).toEqual([0, 0]);
  });

  describe("without a command", () => {
    const sessionsOf = async (id: string) =>
      (await database.query("SELECT id FROM session WHERE user_id = $1", [id])).length;
    const list = "q: leave\r\n Choice:";
    const one = `b: back to the users, ${list}`;

    test("finds somebody, shows the sessions, ends them once that is confirmed, and leaves", async () => {
      const member = await addMember(database);
      await member.session();
      await member.session();
      const { exitCode, shown } = await type(
        [],
        [list, `/${member.id.slice(0, 30).toUpperCase()}\r`],
        [list, "1\r"],
        [one, "s\r"],
        [one, "r\r"],
        ["End all sessions", "n\r"],
        [one, "r\r"],
        ["End all sessions", "y\r"],
        [one, "b\r"],
        [list, "q\r"],
      );
      expect([exitCode, shown]).toEqual([0, expect.stringContaining("2 sessions ended")]);
      expect(await sessionsOf(member.id)).toBe(0);
      // Its action is in the log, as that of any command.
      expect(shown).toContain("session_revocation");
    });

    test("ends one session alone, and says what is none", async () => {
      const member = await addMember(database);
      const token = await member.session();
      await member.session();
      const { exitCode, shown } = await type(
        [],
        [list, `/${member.id}\r`],
        [list, "99\r"],
        [list, "1\r"],
        [one, "x\r"],
        [one, "r nothing\r"],
        ["End session nothing", "y\r"],
        [one, `r s-${token}\r`],
        ["End session s-", "y\r"],
        [one, "q\r"],
      );
      expect(exitCode).toBe(0);
      expect(shown.match(/That is none of these/g)).toHaveLength(2);
      expect(shown).toContain("has no live session nothing");
      expect(shown).toContain("1 session ended");
      expect(await sessionsOf(member.id)).toBe(1);
    });

    test("locks somebody once that is confirmed, and unlocks", async () => {
      const member = await addMember(database);
      await member.session();
      const locked = async () =>
        (await database.query("SELECT 1 FROM latchkey_lock WHERE user_id = $1", [member.id])).length;
      const open = [
        [list, `/${member.id}\r`],
        [list, "1\r"],
      ] as const;
      const lock = await type(
        [],
        ...open,
        [one, "l\r"],
        ["Lock m", "n\r"],
        [one, "l\r"],
        ["Lock m", "y\r"],
        [one, "q\r"],
      );
      expect([lock.exitCode, lock.shown.match(/is locked; 1 session ended/g)]).toEqual([
        0,
        expect.any(Array),
      ]);
      expect([await locked(), await sessionsOf(member.id)]).toEqual([1, 0]);
      expect((await type([], ...open, [one, "u\r"], [one, "q\r"])).exitCode).toBe(0);
      expect(await locked()).toBe(0);
    });

    test("turns pages, and never writes above the line that is typed: a screen reader has read it", async () => {
      const members = [];
      for (let count = 0; count < 12; count += 1) members.push(await addMember(database));
      const { exitCode, shown } = await type([], [list, "n\r"], [list, "a\r"], [list, "q\r"]);
      expect(exitCode).toBe(0);
      for (const { email } of members) expect(shown).toContain(email);
      // Cursor up, to a place, or a cleared screen.
      expect(shown.split("\u001B").filter((rest) => /^\[\d*(?:[AFHJfd]|;\d*[Hf])/.test(rest))).toEqual([]);
    });

    test("a name moves no cursor", async () => {
      const { id } = await addMember(database);
      await database.query('UPDATE "user" SET name = $2 WHERE id = $1', [id, "\u001B[2J\u202Eevil"]);
      const { shown } = await type([], [list, `/${id}\r`], [list, "1\r"], [one, "q\r"]);
      expect(shown).toContain("\\u{1b}[2J\\u{202e}evil");
      expect(shown).not.toContain("\u001B[2J");
    });

    test.each([
      ["Ctrl-C", "\u0003"],
      ["Ctrl-D", "\u0004"],
    ])("%s leaves, wherever one is", async (_key, key) => {
      const { id } = await addMember(database);
      expect((await type([], [list, key])).exitCode).toBe(0);
      expect((await type([], [list, `/${id}\r`], [list, "1\r"], [one, key])).exitCode).toBe(0);
    });

    test("is not there for a program: what is piped, or asked for as JSON, is told the commands", async () => {
      const piped = await runLatchkey(["users"], { env: database.env, stdin: "q\n" });
      expect([piped.exitCode, piped.stderr]).toEqual([2, expect.stringContaining("name what to do")]);
      const json = await type(["--json"]);
      expect([json.exitCode, json.shown]).toEqual([2, expect.stringContaining("name what to do")]);
    });
  });
});
