import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

const { blocks } = readDocument("docs/operations.md");
const blockOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`docs/operations.md has no <!-- ${marker} -->`);
  return code;
};

describe.each(dialects.filter((dialect) => dialect !== "neon"))(
  "10-B7: the SQL of docs/operations.md on %s",
  (dialect) => {
    let database: TestDatabase;
    let server: RunningLatchkey;
    beforeAll(async () => {
      database = await openTestDatabase(dialect);
      server = await spawnLatchkey({ env: database.env });
    });
    afterAll(async () => {
      await server.stop();
      await database.close();
    });

    const password = "correct horse battery";
    const signUp = async (email: string, chosen = password) => {
      const client = createClient(server.origin);
      expect((await client.auth.signUp.email({ email, password: chosen, name: "Ann" })).error).toBeNull();
      return client;
    };
    const canSignIn = async (email: string, tried = password) =>
      (await createClient(server.origin).auth.signIn.email({ email, password: tried })).error === null;
    const verify = async (client: ReturnType<typeof createClient>) =>
      (await client.fetch("/api/auth/verify")).status;
    /** On one connection, as a shell has it. */
    const run = async (marker: string) => {
      const sql = blockOf(`sql: ${marker}`);
      if (dialect === "sqlite") {
        const { Database } = await import("bun:sqlite");
        const shell = new Database(database.url.slice("file:".length));
        shell.run(sql);
        shell.close();
      } else {
        // PostgreSQL has no PRAGMA, and keeps foreign keys.
        for (const statement of sql.replace(/^PRAGMA.*\n/m, "").split(";\n")) await database.query(statement);
      }
    };
    const rows = async (table: string) =>
      Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]?.["n"]);

    test("signs somebody out everywhere, locks him, sets another password, and deletes him", async () => {
      const email = "ann@example.com";
      const client = await signUp(email);
      const bystander = await signUp("ben@example.com");
      await run("sign-out");
      expect([await verify(client), await canSignIn(email)]).toEqual([401, true]);
      await run("lock");
      expect(await canSignIn(email)).toBe(false);
      await signUp("reset@example.com", "a new good password");
      await run("reset");
      expect([await canSignIn(email), await canSignIn(email, "a new good password")]).toEqual([false, true]);
      expect(await canSignIn("reset@example.com", "a new good password")).toBe(false);
      await run("delete");
      expect(await canSignIn(email, "a new good password")).toBe(false);
      expect(await verify(bystander)).toBe(200);
      expect([await rows('"user"'), await rows("account"), await rows("session")]).toEqual([1, 1, 1]);
    });
  },
);

const nginx = await debianProgram({ suite: "bookworm", name: "nginx", program: "usr/sbin/nginx" }).catch(
  String,
);
const isHere = typeof nginx !== "string";

test.skipIf(!isHere)(
  `10-B7: the limits that docs/operations.md proposes hold on the real nginx${isHere ? "" : ` (${nginx})`}`,
  async () => {
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8" } });
    const directory = temporaryDirectory("nginx-limits");
    mkdirSync(directory, { recursive: true });
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    );
    const proposed = blockOf("nginx: limits")
      .replaceAll("127.0.0.1:3001", new URL(server.url).host)
      .replace("127.0.0.1:8443", `127.0.0.1:${port}`);
    const file = join(directory, "nginx.conf");
    writeFileSync(
      file,
      [
        ...(process.getuid?.() === 0 ? ["user root;"] : []),
        `daemon off; master_process off; pid ${directory}/pid; error_log stderr crit;`,
        `events {} http { access_log off; ${places.join(" ")}`,
        proposed,
        "}",
      ].join("\n"),
    );
    const child = Bun.spawn([...(isHere ? nginx.command : []), "-c", file], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {},
    });
    watchProcess(child.pid, "KILL");
    const base = `http://127.0.0.1:${port}`;
    for (let tries = 0; tries < 100; tries += 1) {
      if (
        await fetch(`${base}/health/live`).then(
          () => true,
          () => false,
        )
      )
        break;
      await Bun.sleep(20);
    }
    const guess = () =>
      fetch(`${base}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email: "ann@example.com", password: "wrong horse battery" }),
      }).then(({ status }) => status);
    const statuses = [];
    for (let at = 0; at < 30; at += 1) statuses.push(await guess());
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(13);
    expect(statuses.at(-1)).toBe(429);
    expect((await fetch(`${base}/api/auth/verify`)).status).toBe(401);
    child.kill("SIGKILL");
    await child.exited;
    forgetProcess(child.pid);
    await server.stop();
    await database.close();
  },
);
