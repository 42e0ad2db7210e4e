import { describe, expect, test } from "bun:test";
import { filesIn, load, OTHER_SECRET, problemsOf, STRONG_SECRET } from "./load.ts";

const POSTGRES = { DATABASE_URL: "postgres://app@localhost/auth" };
const WEAK = "0123456789abcdef0123456789abcdef";

describe("BETTER_AUTH_SECRET", () => {
  test("is generated elsewhere for embedded SQLite", () => {
    expect(load({}).config.secrets).toEqual([]);
    expect(load({ BETTER_AUTH_SECRET: STRONG_SECRET }).config.secrets).toEqual([STRONG_SECRET]);
  });

  test.each([POSTGRES.DATABASE_URL, "postgresql://a:b@ep-x.eu-central-1.aws.neon.tech/auth", "postgres://?"])(
    "is required with %s",
    (url) => {
      expect(problemsOf({ DATABASE_URL: url }).map(({ variable }) => variable)).toContain(
        "BETTER_AUTH_SECRET",
      );
    },
  );

  test("is not read from AUTH_SECRET, and says so", () => {
    const [problem] = problemsOf({ ...POSTGRES, AUTH_SECRET: STRONG_SECRET });
    expect(problem).toMatchObject({
      variable: "BETTER_AUTH_SECRET",
      reason: expect.stringContaining("AUTH_SECRET"),
    });
  });

  test("S55: is refused when weak, even for SQLite", () => {
    expect(problemsOf({ BETTER_AUTH_SECRET: WEAK })).toEqual([
      {
        variable: "BETTER_AUTH_SECRET",
        reason: "is too easy to guess (low entropy)",
        remedy: expect.stringMatching(/latchkey secret.*BETTER_AUTH_SECRETS=2:NEW,1:OLD/),
      },
    ]);
  });
});

describe("BETTER_AUTH_SECRETS", () => {
  test("signs with the first and verifies with all", () => {
    const { config, warnings } = load({
      ...POSTGRES,
      BETTER_AUTH_SECRETS: `2:${STRONG_SECRET}, 1:${OTHER_SECRET}`,
    });
    expect(config.secrets).toEqual([STRONG_SECRET, OTHER_SECRET]);
    expect(warnings).toEqual([]);
  });

  test("keeps the given order and colons inside a key", () => {
    const key = `${OTHER_SECRET}:x`;
    expect(load({ BETTER_AUTH_SECRETS: `1:${key},7:${STRONG_SECRET}` }).config.secrets).toEqual([
      key,
      STRONG_SECRET,
    ]);
  });

  test("warns of a weak old key", () => {
    const { config, warnings } = load({ BETTER_AUTH_SECRETS: `2:${STRONG_SECRET},1:${WEAK}` });
    expect(config.secrets).toEqual([STRONG_SECRET, WEAK]);
    expect(warnings).toEqual([expect.stringContaining("entry 2")]);
  });

  test.each([
    ["a weak first key", `2:${WEAK},1:${STRONG_SECRET}`],
    ["no version", STRONG_SECRET],
    ["a word for a version", `new:${STRONG_SECRET}`],
    ["a negative version", `-1:${STRONG_SECRET}`],
    ["a fractional version", `1.5:${STRONG_SECRET}`],
    ["an empty key", "1:"],
    ["a trailing comma", `1:${STRONG_SECRET},`],
    ["a repeated version", `1:${STRONG_SECRET},01:${OTHER_SECRET}`],
  ])("refuses %s", (_, ring) => {
    expect(problemsOf({ BETTER_AUTH_SECRETS: ring }).map(({ variable }) => variable)).toEqual([
      "BETTER_AUTH_SECRETS",
    ]);
  });

  test("counts every bad entry", () => {
    const ring = `1:${STRONG_SECRET},two:${OTHER_SECRET},nothing`;
    expect(problemsOf({ BETTER_AUTH_SECRETS: ring }).map(({ reason }) => reason)).toEqual([
      "entry 2 is not VERSION:SECRET",
      "entry 3 is not VERSION:SECRET",
    ]);
  });

  test("agrees with BETTER_AUTH_SECRET or is refused", () => {
    const ring = `2:${STRONG_SECRET},1:${OTHER_SECRET}`;
    expect(
      load({ BETTER_AUTH_SECRET: STRONG_SECRET, BETTER_AUTH_SECRETS: ring }).config.secrets,
    ).toHaveLength(2);
    const problems = problemsOf({ BETTER_AUTH_SECRET: OTHER_SECRET, BETTER_AUTH_SECRETS: ring });
    expect(problems.map(({ variable }) => variable)).toEqual(["BETTER_AUTH_SECRET"]);
  });
});

describe("S61: NAME_FILE", () => {
  const path = "/run/secrets/one";
  const read = (content: string) => ({ readFile: filesIn({ [path]: content }) });

  test.each(["", "\n", "\r\n"])("strips the last newline %j", (end) => {
    const env = { BETTER_AUTH_SECRET_FILE: path };
    expect(load(env, read(`${STRONG_SECRET}${end}`)).config.secrets).toEqual([STRONG_SECRET]);
  });

  test("works for the key ring and the database", () => {
    const ring = load({ BETTER_AUTH_SECRETS_FILE: path }, read(`2:${STRONG_SECRET},1:${OTHER_SECRET}\n`));
    expect(ring.config.secrets).toEqual([STRONG_SECRET, OTHER_SECRET]);
    const database = load({ DATABASE_URL_FILE: path }, read("file:/data/x.db\n"));
    expect(database.config.database).toEqual({ driver: "sqlite", path: "/data/x.db" });
  });

  test.each(["BETTER_AUTH_SECRET_FILE", "BETTER_AUTH_SECRETS_FILE", "DATABASE_URL_FILE"])(
    "B11: %s is refused, or warned of, as to who may write and read it",
    (name) => {
      const content = { DATABASE: "file:/data/x.db", BETTER_AUTH_SECRETS: `1:${STRONG_SECRET}` };
      const text = name.startsWith("DATABASE")
        ? content.DATABASE
        : name.includes("SECRETS")
          ? content.BETTER_AUTH_SECRETS
          : STRONG_SECRET;
      const risk = (severity: "refused" | "warning") => ({
        ...read(text),
        secretFileRisk: () => ({ severity, reason: "may be read by the moon", remedy: "draw the curtains" }),
      });
      expect(problemsOf({ [name]: path }, risk("refused"))).toEqual([
        { variable: name, reason: "names a file that may be read by the moon", remedy: "draw the curtains" },
      ]);
      expect(load({ [name]: path }, risk("warning")).warnings).toEqual([
        `${name} names a file that may be read by the moon: draw the curtains`,
      ]);
    },
  );

  test("resolves against the working directory", () => {
    const readFile = filesIn({ "/srv/latchkey/key.txt": STRONG_SECRET });
    expect(load({ BETTER_AUTH_SECRET_FILE: "key.txt" }, { readFile }).config.secrets).toEqual([
      STRONG_SECRET,
    ]);
  });

  test.each([
    ["BETTER_AUTH_SECRET", STRONG_SECRET],
    ["BETTER_AUTH_SECRETS", `1:${STRONG_SECRET}`],
    ["DATABASE_URL", "postgres://app@localhost/auth"],
  ])("of %s contradicts the name itself", (name, value) => {
    const problems = problemsOf({ [name]: value, [`${name}_FILE`]: path }, read(value));
    expect(problems.map(({ variable, reason }) => ({ variable, reason }))).toEqual([
      { variable: `${name}_FILE`, reason: `is set together with ${name}` },
    ]);
  });

  test.each(["BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "DATABASE_URL"])(
    "of %s must be readable and full",
    (name) => {
      const env = { [`${name}_FILE`]: path };
      const variable = `${name}_FILE`;
      expect(problemsOf(env)).toMatchObject([
        { variable, reason: "names a file that cannot be read (ENOENT)" },
      ]);
      expect(problemsOf(env, read("\n"))).toMatchObject([{ variable, reason: "names an empty file" }]);
      expect(problemsOf(env, read("  \n"))).toMatchObject([{ variable, reason: "names an empty file" }]);
      expect(problemsOf(env, read(`${STRONG_SECRET}\n${OTHER_SECRET}\n`))).toMatchObject([
        { variable, reason: expect.stringContaining("line break") },
      ]);
    },
  );

  test("counts as given where a secret is required", () => {
    const problems = problemsOf({ ...POSTGRES, BETTER_AUTH_SECRET_FILE: "/missing" });
    expect(problems.map(({ variable }) => variable)).toEqual(["BETTER_AUTH_SECRET_FILE"]);
  });
});
