import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { createFormClient, type FormClient } from "../support/form-client.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(90_000);

const person = { name: "Ann", email: "ann@example.com", password: "correct horse battery" };
/** docs/contract.md: everything answers within 5 s; the rest is the machine's. */
const boundMs = 6_500;

let database: TestDatabase;
let server: RunningLatchkey;
let client: FormClient;
const open = async (dialect: "sqlite" | "postgres" | "neon") => {
  database = await openTestDatabase(dialect);
  server = await spawnLatchkey({ env: database.env });
  client = createFormClient(server.origin);
  expect((await client.post("/signup", person)).status).toBe(303);
};
const close = async () => {
  await server.stop();
  await database.close();
};

describe("a SQLite file that another process holds", () => {
  beforeAll(() => open("sqlite"));
  afterAll(close);

  test("S24: sign-out says that it failed and offers a retry, and the session lives", async () => {
    const foreign = new Database(database.url.slice("file:".length));
    foreign.run("BEGIN EXCLUSIVE");
    const [out, signUp, account] = await Promise.all([
      client.post("/signout", { callbackUrl: "/bye" }),
      createFormClient(server.origin).post("/signup", { ...person, email: "bea@example.com" }),
      client.get("/account"),
    ]);
    foreign.run("ROLLBACK");
    foreign.close();
    expect([out.status, out.location, out.headers.getSetCookie()]).toEqual([503, null, []]);
    expect(out.html).toContain("You are still signed in");
    expect(out.html).toContain(">Try again</button>");
    expect(out.html).toContain('value="http://localhost:3000/bye"');
    expect([signUp.status, signUp.headers.getSetCookie()]).toEqual([503, []]);
    expect(signUp.html).toContain("Accounts cannot be reached at the moment.");
    expect(signUp.html).toContain('value="bea@example.com"');
    expect(account.status).toBe(200);
    expect((await client.get("/api/auth/verify")).status).toBe(200);
    expect((await client.post("/signout", { callbackUrl: "/bye" })).location).toBe(
      "http://localhost:3000/bye",
    );
  });
});

describe.each(["postgres", "neon"] as const)("a %s server that does not answer", (dialect) => {
  beforeAll(() => open(dialect));
  afterAll(close);

  test("is 503 on every page that needs it, in time, and the account is there again when it does", async () => {
    const stranger = createFormClient(server.origin);
    database.network?.stall(true);
    const answers = await within(
      Promise.all([
        stranger.post("/signin", { ...person, callbackUrl: "/guide" }),
        client.get("/account"),
        client.post("/account/profile", { name: "Bea" }),
        stranger.get("/signin"),
      ]),
      boundMs,
    );
    if (answers === undefined) throw new Error(`not all pages had answered after ${boundMs} ms`);
    const [signIn, account, rename, form] = answers;
    expect([signIn.status, account.status, rename.status, form.status]).toEqual([503, 503, 503, 200]);
    expect(signIn.html).toContain("Accounts cannot be reached at the moment.");
    expect(signIn.html).toContain(`value="${person.email}"`);
    expect(signIn.html).toContain('value="http://localhost:3000/guide"');
    expect(signIn.html).not.toContain(person.password);
    for (const { html, headers, location } of [account, rename]) {
      expect(html).toContain("Back in a moment");
      expect(html).toContain(">Try again</a>");
      expect(headers.get("retry-after")).toMatch(/^\d+$/);
      expect([location, headers.getSetCookie()]).toEqual([null, []]);
    }
    database.network?.stall(false);
    const deadline = Date.now() + 6_000;
    let again = await client.get("/account");
    while (again.status !== 200 && Date.now() < deadline) again = await client.get("/account");
    expect(again.status).toBe(200);
    expect(again.html).toContain('value="Ann"');
  });
});
