import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../support/client.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { startTestserver } from "../support/testserver.ts";

const src = join(import.meta.dir, "..", "..", "src");
const cheap = "$argon2id$v=19$m=8,t=1,p=1$";
const owasp = "$argon2id$v=19$m=19456,t=2,p=1$";

function rowsOf(path: string, query: string): Record<string, unknown>[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.query<Record<string, unknown>, []>(query).all();
  } finally {
    db.close();
  }
}
const hashesOf = (path: string) =>
  rowsOf(path, "SELECT password FROM account").map(({ password }) => String(password).slice(0, owasp.length));

describe("hashes", () => {
  test("are cheap on a testserver, of whoever signs up too, and stay so", async () => {
    const server = await startTestserver(["--users", "1"]);
    const { auth } = createClient(server.url);
    await auth.signUp.email({ email: "new@example.com", name: "New", password: "correct horse battery" });
    const [user] = server.users;
    const signedIn = await auth.signIn.email({ email: user?.email ?? "", password: user?.password ?? "" });
    expect(signedIn.error).toBeNull();
    const hashes = hashesOf(join(server.directory, "latchkey.db"));
    expect(hashes.map((hash) => hash.slice(0, cheap.length))).toEqual([cheap, cheap]);
    await server.stop();
  });

  test("are OWASP's on serve, whatever is set", async () => {
    const env = {
      LATCHKEY_HASH_CONCURRENCY: "1",
      LATCHKEY_HASH_QUEUE: "1",
      LATCHKEY_LIMITS: "off",
      LATCHKEY_PASSWORD_COMMON: "allow",
      NODE_ENV: "test",
      TEST: "1",
    };
    const server = await spawnLatchkey({ env, args: ["serve"] });
    const { auth } = createClient(server.origin);
    await auth.signUp.email({ email: "ann@example.com", name: "Ann", password: "correct horse battery" });
    expect(hashesOf(join(server.dir, "data", "latchkey.db"))).toEqual([owasp]);
    await server.stop();
  });

  test.each(["LATCHKEY_HASH_COST", "LATCHKEY_TESTSERVER"])("have no setting %s", async (name) => {
    const { exitCode, stderr } = await runLatchkey(["serve"], { env: { PORT: "0", [name]: "1" } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(name);
  });

  test.each(["--users=3", "--rehearsal", "--hash-cost=1"])(
    "have no option of serve's: %s",
    async (option) => {
      const { exitCode, stderr } = await runLatchkey(["serve", option], { env: { PORT: "0" } });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: expect.stringContaining("unknown option"),
      });
    },
  );

  test("are made cheap by one file alone, which nothing but the command line loads", () => {
    const files = [...new Bun.Glob("**/*.{ts,tsx}").scanSync(src)];
    const naming = (text: RegExp) =>
      files.filter((path) => text.test(readFileSync(join(src, path), "utf8"))).sort();
    expect(naming(/memoryKib: 8\b/)).toEqual(["cli/testserver.ts"]);
    expect(naming(/\bhashCost: cheapest\b/)).toEqual(["cli/testserver.ts"]);
    expect(naming(/\bserveAlone\([^)]+\{/)).toEqual(["cli/testserver.ts"]);
    expect(naming(/["/]testserver\.ts"/)).toEqual(["cli/program.ts"]);
  });

  test("are renewed where serve takes a testserver's database over", async () => {
    const server = await startTestserver(["--users", "1"]);
    const [user] = server.users;
    const data = temporaryDirectory("taken-over");
    const path = join(data, "latchkey.db");
    const db = new Database(join(server.directory, "latchkey.db"));
    db.run("VACUUM INTO ?", [path]);
    db.close();
    await server.stop();
    const env = {
      LATCHKEY_DATA_DIR: data,
      BETTER_AUTH_SECRET: "Jm2pQ8x/4VbYt6Lr0ZsK9wNdHfGcA1eU5iOo3kTqXyE=",
    };
    const real = await spawnLatchkey({ env });
    const { auth } = createClient(real.origin);
    const signedIn = await auth.signIn.email({ email: user?.email ?? "", password: user?.password ?? "" });
    expect(signedIn.error).toBeNull();
    // The hash is renewed behind the answer, and the end waits for it.
    await real.stop();
    expect(hashesOf(path)).toEqual([owasp]);
  });
});

describe("a testserver's rows", () => {
  test("are as a sign-up leaves them", async () => {
    const server = await startTestserver(["--users", "1"]);
    const { auth } = createClient(server.url);
    await auth.signUp.email({ email: "new@example.com", name: "New", password: "correct horse battery" });
    const path = join(server.directory, "latchkey.db");
    for (const table of ["user", "account", "session"]) {
      const rows = rowsOf(path, `SELECT * FROM ${table}`);
      const shapes = rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === "string" && /(?:^|_)(?:id|token)$/.test(name) ? value.length : typeof value,
          ]),
        ),
      );
      expect(shapes).toHaveLength(2);
      expect({ table, row: shapes[0] }).toEqual({ table, row: shapes[1] ?? {} });
    }
    await server.stop();
  });
});

describe("a testserver's surroundings", () => {
  test("are its own: settings for others change nothing", async () => {
    const env = {
      DATABASE_URL: "postgresql://nobody:secret@127.0.0.1:1/none",
      BETTER_AUTH_URL: "https://auth.example.com",
      BETTER_AUTH_SECRET: "short",
      LATCHKEY_URL: "http://localhost:3001",
      LATCHKEY_SIGN_UP: "closed",
      LATCHKEY_LIMITS: "on",
      LATCHKEY_WORKERS: "4",
      STATE_DIRECTORY: "/nonexistent",
    };
    const server = await startTestserver([], env);
    const { auth } = createClient(server.url);
    // More than the limits would let pass.
    for (let at = 0; at < 12; at += 1) {
      const wrong = await auth.signIn.email({ email: "user1@example.com", password: `wrong horse ${at}` });
      expect(wrong.error?.code).toBe("INVALID_EMAIL_OR_PASSWORD");
    }
    const up = await auth.signUp.email({
      email: "a@example.com",
      name: "A",
      password: "correct horse battery",
    });
    expect(up.error).toBeNull();
    await server.stop();
  });

  test.each(["localhost", "127.0.0.2"])("are PORT's and HOST's, where that is %s", async (host) => {
    const port = freePort();
    const server = await startTestserver([], { PORT: String(port), HOST: host });
    expect(server).toMatchObject({
      port,
      url: `http://${host}:${port}`,
      baseUrl: `http://localhost:${port}`,
    });
    const headers = { cookie: server.users[0]?.cookie ?? "" };
    expect((await fetch(`${server.url}/api/auth/verify`, { headers })).status).toBe(200);
    await server.stop();
  });

  test("are trusted origins by --origin, as often as it is given, and then no other", async () => {
    const named = ["https://app.example.com", "http://localhost:4999"];
    const server = await startTestserver(named.flatMap((origin) => ["--origin", origin]));
    const allowed = async (origin: string) => {
      const headers = { origin, cookie: server.users[0]?.cookie ?? "" };
      const answer = await fetch(`${server.url}/api/auth/get-session`, { headers });
      return answer.headers.get("access-control-allow-origin");
    };
    for (const origin of [...named, server.url, server.baseUrl]) expect(await allowed(origin)).toBe(origin);
    for (const origin of ["http://localhost:3000", "https://other.example.com"])
      expect(await allowed(origin)).toBeNull();
    await server.stop();
  });

  test.each(["0.0.0.0", "::", "10.0.0.1", "auth.example.com", "evil.localhost", "127.0.0.1:80"])(
    "are this machine alone: HOST=%s is refused",
    async (host) => {
      const temporary = temporaryDirectory("refused");
      const result = await runLatchkey(["testserver"], { env: { HOST: host, TMPDIR: temporary } });
      expect(result).toEqual({
        exitCode: 2,
        stdout: "",
        stderr: `Error: HOST: "${host}" is not this machine's own, and a server for tests is nobody else's to reach\nTry: remove it, or write 127.0.0.1 or ::1\n`,
      });
      expect(readdirSync(temporary)).toEqual([]);
    },
  );

  test.each(["0", "-1", "abc", "1.5", "", "1001", "100000"])(
    "have 1 to 1,000 users: --users=%s is refused",
    async (text) => {
      const { exitCode, stdout, stderr } = await runLatchkey(["testserver", `--users=${text}`]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain("It is no whole number from 1 to 1000.\nTry: latchkey testserver --help");
    },
  );

  test.each(["localhost:3000", "*", "https://*.example.com", "https://example.com/path", "null"])(
    "have exact origins: --origin %s is refused",
    async (text) => {
      const { exitCode, stdout, stderr } = await runLatchkey(["testserver", "--origin", text]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/^Error: option '--origin <origin>' argument '.*' is invalid\. .*\nTry: /);
    },
  );

  test("have a thousand users where somebody wants them, all signed in", async () => {
    const server = await startTestserver(["--users", "1000"]);
    expect(new Set(server.users.map(({ email }) => email)).size).toBe(1_000);
    const answers = await Promise.all(
      server.users.map(({ cookie }) => fetch(`${server.url}/api/auth/verify`, { headers: { cookie } })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1_000);
    await server.stop();
  });
});
