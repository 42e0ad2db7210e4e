import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { parseObject } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";

describe.each(dialects)("latchkey events on %s", (dialect) => {
  test("finds what somebody did, and nobody else, also once they are gone", async () => {
    const database = await openTestDatabase(dialect);
    const server = await spawnLatchkey({ env: { ...database.env, LOG_LEVEL: "debug" } });
    const [ann, bob] = [createClient(server.origin), createClient(server.origin)];
    for (const [client, name] of [
      [ann, "Ann"],
      [bob, "Bob"],
    ] as const)
      expect(
        (await client.auth.signUp.email({ email: `${name}@Example.com`, password, name })).error,
      ).toBeNull();
    const { data } = await ann.auth.getSession();
    await bob.auth.updateUser({ name: "Robert" });
    await ann.auth.updateUser({ name: "Anne" });
    await ann.auth.changePassword({ currentPassword: password, newPassword: "another good one" });
    await ann.auth.signOut();
    await ann.auth.signIn.email({ email: "ann@example.com", password });
    await bob.auth.signOut();
    const operated = await runLatchkey(["users", "rename", "ann@example.com", "Ann", "--json"], {
      env: database.env,
    });
    const log = [server.stdout(), "no line of latchkey's", server.stderr(), operated.stderr].join("\n");
    const search = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await runLatchkey(["events", ...args], {
        env: database.env,
        stdin: log,
      });
      expect([exitCode, stderr]).toEqual([0, ""]);
      return stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const { event, outcome } = JSON.parse(line) as { event: string; outcome: string };
          return outcome === "failure" ? `${event} failed` : event;
        });
    };
    const own = ["sign_up", "profile_update", "password_change", "sign_out", "sign_in failed"];
    const all = [...own, "profile_update"];
    expect(await search("--user", " ANN@example.com")).toEqual(all);
    expect(await search("--user", data?.user.id ?? "")).toEqual(all);
    expect(await search("--user", "bob@example.com")).toEqual(["sign_up", "profile_update", "sign_out"]);
    expect(await search("--user", "carol@example.com")).toEqual([]);
    expect(await search("--user", "ann@example.com", "--event", "sign_in,sign_out")).toEqual([
      "sign_out",
      "sign_in failed",
    ]);
    expect(await search("--outcome", "failure")).toEqual(["sign_in failed"]);
    const inSession = ["sign_up", "profile_update", "password_change", "sign_out"];
    expect(await search("--session", data?.session.id ?? "")).toEqual(inSession);
    expect(await search("--address", "127.0.0.0/8", "--event", "sign_up")).toEqual(["sign_up", "sign_up"]);
    expect(await search("--address", "10.0.0.0/8")).toEqual([]);
    expect(await search("--since", "400d", "--event", "sign_up")).toEqual(["sign_up", "sign_up"]);
    expect(await search("--since", "2999-01-01")).toEqual([]);
    const gone = await runLatchkey(["users", "delete", "ann@example.com", "--yes"], { env: database.env });
    expect(gone.exitCode).toBe(0);
    expect(await search("--user", "ann@example.com")).toEqual(all);
    await server.stop();
    await database.close();
  });
});

describe("latchkey events", () => {
  test.each([
    { args: ["missing.log"], says: "the log cannot be read" },
    { args: ["/tmp"], says: "the log cannot be read" },
    { args: ["--since", "yesterday"], says: '--since: "yesterday" is neither a duration nor a date' },
    { args: ["--address", "home"], says: '--address: "home" is no address' },
    { args: ["--outcome", "ok"], says: '--outcome: "ok" is neither' },
    { args: ["--user", "@"], says: '--user: "@" is no e-mail address' },
    { args: ["one", "two"], says: "too many arguments" },
  ])("refuses $args, with the remedy, and prints nothing", async ({ args, says }) => {
    const { exitCode, stdout, stderr } = await runLatchkey(["events", ...args], { stdin: "" });
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(says)]);
    expect(stderr).toContain("Try: ");
  });

  test("finds what operators did to the database and its secret", async () => {
    const cwd = temporaryDirectory("events");
    const run = async (...args: readonly string[]) => (await runLatchkey(args, { cwd })).stderr;
    const log = [
      await run("migrate"),
      await run("migrate", "--status"),
      await run("backup", "copy.db"),
      await run("backup", "copy.db"),
      await run("restore", "copy.db"),
      await run("secret", "rotate"),
    ].join("");
    const search = async (...args: readonly string[]) =>
      (await runLatchkey(["events", ...args], { cwd, stdin: log })).stdout
        .split("\n")
        .flatMap(parseObject)
        .map(({ event, outcome, reason }) => [event, outcome, ...(reason === undefined ? [] : [reason])]);
    expect(await search()).toEqual([
      ["migration", "success"],
      ["backup", "success"],
      ["backup", "failure", "path_taken"],
      ["restore", "success"],
      ["secret_rotation", "success"],
    ]);
    expect(await search("--event", "backup,secret_rotation", "--outcome", "success")).toEqual([
      ["backup", "success"],
      ["secret_rotation", "success"],
    ]);
  });

  test("says what is missing where the database cannot be asked, and finds the rest", async () => {
    const file = join(temporaryDirectory("events"), "log");
    const line =
      '{"time":"2026-11-22T08:00:00Z","event":"sign_in","email":"ann@example.com","msg":"a\u009B2Jb"}';
    writeFileSync(file, `${line}\n{"event":"sign_in","userId":"x"}\n{"level":"info"}\n{\n[]\n`);
    const { exitCode, stdout, stderr } = await runLatchkey(["events", "--user", "ann@example.com", file]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("Warning: lines without the address")]);
    // As it is, but for what a terminal would obey.
    expect(stdout).toBe(`${line.replace("\u009B", "\\u009b")}\n`);
  });
});
