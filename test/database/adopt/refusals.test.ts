import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type Difference,
  isSqlite,
  type LegacyDatabase,
  openLegacy,
  person,
  session,
  verification,
} from "./fixtures.ts";

// The first test starts PostgreSQL.
setDefaultTimeout(30_000);

const opened: LegacyDatabase[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

describe.each(["sqlite", "postgres"] as const)("adoptTables on %s", (dialect) => {
  const legacy = async (difference: Difference) => {
    const database = await openLegacy(dialect, difference);
    opened.push(database);
    return database;
  };
  const instant = isSqlite(dialect) ? "integer" : "timestamp";
  const flag = isSqlite(dialect) ? "integer" : "boolean";
  const people = (count: number, row: (at: number) => Record<string, string>) =>
    Array.from({ length: count }, (_, at) => person(dialect, `p${at}`, row(at))).flat();

  const refusals: [string, Difference, (string | RegExp)[], string[]?][] = [
    ["missing tables", { without: ["session", "account"], onDelete: null }, ["not session, account"]],
    ["a lone table of the name", { without: ["session", "account", "verification"] }, ["there is user"]],
    [
      "a column under both of its names",
      { columns: { "user.emailVerified": `${flag} NOT NULL` }, rows: [] },
      ["user.emailVerified is NOT NULL without a default"],
    ],
    [
      "every missing, foreign and mistyped column at once",
      {
        columns: {
          "verification.value": null,
          "user.age": "integer NOT NULL",
          "session.tenant": "text NOT NULL",
          "user.nickname": "text",
          "session.expires_at": isSqlite(dialect) ? "blob NOT NULL" : "bigint NOT NULL",
        },
        rows: [],
      },
      [
        "verification.value is missing",
        "user.age is NOT NULL without a default",
        "session.tenant is NOT NULL without a default",
        /session\.expires_at is of type (blob|bigint), where latchkey needs/,
      ],
      ["nickname"],
    ],
    [
      "ids that are not text",
      {
        columns: {
          "user.id": `${isSqlite(dialect) ? "integer" : "uuid"} PRIMARY KEY NOT NULL`,
          "session.user_id": `${isSqlite(dialect) ? "integer" : "uuid"} NOT NULL`,
          "account.user_id": `${isSqlite(dialect) ? "integer" : "uuid"} NOT NULL`,
        },
        rows: [],
      },
      [/user\.id is of type (uuid|integer)/, /account\.user_id is of type/, "where latchkey needs text"],
    ],
    [
      "another primary key",
      { columns: { "user.id": "text NOT NULL", "user.email": "text PRIMARY KEY NOT NULL" }, onDelete: null },
      ["the primary key of user is email, not id"],
    ],
    [
      "a generated column",
      { columns: { "user.image": "text GENERATED ALWAYS AS ('x') STORED" } },
      ["user.image is a generated column"],
    ],
    [
      "NULL where a value is needed",
      {
        columns: { "user.created_at": instant },
        rows: [
          ...person(dialect, "ann", { created_at: null }),
          ...person(dialect, "bob", { created_at: null }),
        ],
      },
      ["2 rows of user without created_at (id ann, bob)"],
    ],
    [
      "e-mail addresses that occur twice",
      { unique: false, rows: people(7, () => ({ email: "secret@example.com" })) },
      ["7 rows of user with the same (email) as another (id p0, p1, p2, p3, p4, …)"],
      ["secret"],
    ],
    [
      "tokens that occur twice",
      {
        unique: false,
        rows: [
          ...person(dialect, "ann"),
          ["session", { ...session(dialect, "s1", "ann"), token: "secret" }],
          ["session", { ...session(dialect, "s2", "ann"), token: "secret" }],
        ],
      },
      ["2 rows of session with the same (token) as another (id s1, s2)"],
      ["secret"],
    ],
    [
      "accounts that occur twice",
      {
        rows: [...person(dialect, "ann"), ["account", { ...person(dialect, "ann")[2]?.[1], id: "again" }]],
      },
      ["2 rows of account with the same (provider_id, account_id) as another (id account-ann, again)"],
      ["hash-ann"],
    ],
    [
      "e-mail addresses that differ in case only",
      {
        rows: [
          ...person(dialect, "ann", { email: "secret@example.com" }),
          ...person(dialect, "bob", { email: "Secret@example.com" }),
          ...person(dialect, "cyd", { email: "Other@example.com" }),
        ],
      },
      ["1 row of user with an e-mail address that another has in other letter case (id bob)"],
      ["ecret", "ther@"],
    ],
    [
      "e-mail addresses that become one",
      {
        rows: [
          ...person(dialect, "ann", { email: "SECRET@example.com" }),
          ...person(dialect, "bob", { email: "Secret@example.com" }),
        ],
      },
      ["2 rows of user with an e-mail address that another has in other letter case (id ann, bob)"],
      ["ecret"],
    ],
    [
      "rows of users that do not exist",
      {
        onDelete: null,
        rows: [...person(dialect, "ann"), ["session", session(dialect, "orphan", "nobody")]],
      },
      ["1 row of session with a user_id that no user has (id orphan)"],
    ],
    [
      "an index of its name on something else",
      {
        then: [
          "CREATE INDEX session_expires_at_idx ON session (created_at)",
          "CREATE INDEX account_provider_account_uidx ON account (provider_id, account_id)",
        ],
      },
      [
        "the index session_expires_at_idx on session is not the one",
        "the index account_provider_account_uidx",
      ],
    ],
    [
      "an index of its name on another table",
      {
        then: [
          `CREATE INDEX "session_userId_idx" ON account (user_id)`,
          "CREATE TABLE post (id text)",
          "CREATE INDEX verification_identifier_idx ON post (id)",
        ],
      },
      [
        "the index session_userId_idx on account is not the one",
        "the index verification_identifier_idx on post is not the one",
      ],
    ],
    [
      "a partial unique index of its name",
      {
        unique: false,
        then: [
          `CREATE UNIQUE INDEX user_email_unique ON "user" (email) WHERE image IS NULL`,
          "CREATE UNIQUE INDEX session_token_unique ON session (lower(token))",
        ],
      },
      ["the index user_email_unique", "the index session_token_unique"],
    ],
    [
      "a foreign key to another table",
      isSqlite(dialect)
        ? {
            onDelete: null,
            columns: { "session.user_id": "text NOT NULL REFERENCES account(id)" },
          }
        : {
            rows: [],
            then: ["ALTER TABLE session ADD FOREIGN KEY (user_id) REFERENCES account(id)"],
          },
      [/session\.user_id refers to account\.id, not to user\.id/],
    ],
    [
      "a view in a table's place",
      { without: ["verification"], then: ["CREATE VIEW verification AS SELECT 1 AS id"] },
      ["verification is not a table"],
    ],
  ];
  test.each(refusals)("refuses %s and changes nothing", async (_, difference, said, unsaid = []) => {
    const database = await legacy(difference);
    const before = await database.content();
    const message = await database.refusal();
    for (const part of said) expect(message).toMatch(part);
    for (const part of unsaid) expect(message).not.toMatch(part);
    expect(await database.content()).toEqual(before as object);
  });

  test("names every problem of the rows at once", async () => {
    const database = await legacy({
      onDelete: null,
      unique: false,
      rows: [
        ...people(2, () => ({ email: "x@example.com" })),
        ["session", session(dialect, "orphan", "nobody")],
        verification(dialect),
      ],
    });
    expect((await database.refusal()).split("\n  - ")).toEqual([
      "the database's tables cannot be taken over:",
      "1 row of session with a user_id that no user has (id orphan)",
      "2 rows of user with the same (email) as another (id p0, p1)",
    ]);
  });
});
