import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DrizzleQueryError } from "drizzle-orm/errors";
import { AppError, describeCause } from "../src/errors.ts";

const secret = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";

describe("describeCause", () => {
  test("tells the chain of causes: names, codes, messages", () => {
    const inner = Object.assign(new Error("connect ECONNREFUSED 10.0.0.7:5432"), {
      code: "ECONNREFUSED",
      errno: -111,
    });
    const error = new AppError("STORE_UNAVAILABLE", "Later.", {
      cause: new TypeError("lost", { cause: inner }),
    });
    expect(describeCause(error)).toEqual([
      { name: "AppError", code: "STORE_UNAVAILABLE", message: "Later." },
      { name: "TypeError", message: "lost" },
      { name: "Error", code: "ECONNREFUSED", message: "connect ECONNREFUSED 10.0.0.7:5432" },
    ]);
  });

  test("never repeats a query or its parameters", () => {
    const driver = Object.assign(new Error('relation "account" does not exist'), { errno: "42P01" });
    const query = new DrizzleQueryError("insert into account values ($1)", [secret], driver);
    const renamed = Object.assign(new Error(`Failed query: insert\nparams: ${secret}`), { name: "Error" });
    const told = describeCause(new Error("outer", { cause: new Error("x", { cause: query }) }));
    expect(told.at(-1)).toEqual({
      name: "Error",
      code: "42P01",
      message: 'relation "account" does not exist',
    });
    expect(JSON.stringify([told, describeCause(query), describeCause(renamed)])).not.toContain("argon2");
  });

  test.each(["22P02", "22001", "23502", "23505", "23514", "44000", "P0001", "P0002"])(
    "withholds the message of SQLSTATE %s, which may quote the row",
    (sqlstate) => {
      for (const fields of [{ errno: sqlstate, code: "ERR_POSTGRES_SERVER_ERROR" }, { code: sqlstate }]) {
        const error = Object.assign(new Error(`refused: (u,ann@example.com,${secret})`), fields);
        expect(describeCause(error)).toEqual([
          { name: "Error", code: sqlstate, message: "refused by the database" },
        ]);
      }
    },
  );

  test("withholds what a trigger says on SQLite", () => {
    const error = Object.assign(new Error(secret), { code: "SQLITE_CONSTRAINT_TRIGGER" });
    expect(describeCause(error)).toMatchObject([{ message: "refused by the database" }]);
  });

  test.each([
    "57P01",
    "28P01",
    "3D000",
    "53300",
    "08006",
    "40001",
    "42501",
    "SQLITE_BUSY",
    "SQLITE_FULL",
    "ENOSPC",
  ])("keeps the message of %s, which an operator needs", (code) => {
    expect(describeCause(Object.assign(new Error("what happened"), { code }))).toMatchObject([
      { code, message: "what happened" },
    ]);
  });

  test("ends: with what is no error, and with a chain that has no end", () => {
    const circular = new Error("circular");
    circular.cause = circular;
    expect(describeCause(circular)).toHaveLength(5);
    expect([describeCause(undefined), describeCause("text"), describeCause({ message: secret })]).toEqual([
      [],
      [],
      [],
    ]);
    expect(describeCause(new Error("a", { cause: { parameters: [secret] } }))).toHaveLength(1);
  });
});

describe("openLog", () => {
  /** What a process of its own writes to stderr. */
  function written(format: "json" | "pretty", level: string, statements: string): string {
    const script = `
      import { openLog } from ${JSON.stringify(join(import.meta.dir, "../src/log.ts"))};
      const log = openLog({ level: ${JSON.stringify(level)}, format: ${JSON.stringify(format)} });
      ${statements}`;
    const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", script]);
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
    return stderr.toString();
  }

  test("S64, S65: writes one JSON object a line to stderr, in UTC, without process id and host", () => {
    const text = written(
      "json",
      "info",
      `log.info({ event: "sign_in", name: "a\\r\\nb\\u001b[31m" }, "sign in"); log.debug("not this");`,
    );
    expect(text.endsWith("}\n")).toBe(true);
    for (const character of ["\r", "\n", "\u001b"]) expect(text.trimEnd()).not.toContain(character);
    expect(JSON.parse(text)).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: "sign_in",
      name: "a\r\nb\u001b[31m",
      msg: "sign in",
    });
  });

  test.each(["json", "pretty"] as const)(
    "S63: %s: keeps credentials out that were given to it by mistake",
    (format) => {
      const fields = ["password", "token", "cookie", "authorization", "secret"];
      const given = fields.map((field) => `${field}: "canary-value"`).join();
      const text = written(
        format,
        "trace",
        `log.info({ ${given}, body: { password: "canary-value", token: "canary-value", cookie: "canary-value" } }, "x");`,
      );
      expect(text).not.toContain("canary-value");
      expect(text).toContain("[Redacted]");
    },
  );

  test.each(["json", "pretty"] as const)("%s: describes causes instead of printing them", (format) => {
    const text = written(
      format,
      "info",
      `log.error({ cause: Object.assign(new Error("Failed query: x\\nparams: canary-value"), { query: "canary-value", params: ["canary-value"] }) }, "request failed");`,
    );
    expect(text).toContain("query failed");
    expect(text).not.toMatch(/canary-value|\bat .*:\d+:\d+/);
  });

  test("S66: goes on when nobody reads it", () => {
    const script = `
      import { openLog } from ${JSON.stringify(join(import.meta.dir, "../src/log.ts"))};
      const log = openLog({ level: "info", format: "json" });
      for (let count = 0; count < 100; count += 1) log.info("x".repeat(10000));
      console.log("still here");`;
    const { stdout } = Bun.spawnSync([
      "/bin/sh",
      "-c",
      `exec ${JSON.stringify(process.execPath)} -e '${script.replaceAll("'", "'\\''")}' 2>&-`,
    ]);
    expect(stdout.toString()).toContain("still here");
  });
});
