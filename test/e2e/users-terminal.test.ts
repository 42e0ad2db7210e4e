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
});
