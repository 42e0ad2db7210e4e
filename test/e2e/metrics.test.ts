import { join } from "node:path";
import { statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { declaredIn, metricsUrlOf, scrape } from "../support/metrics.ts";
import { openPromtool } from "../support/promtool.ts";
import { readDocument, requireTable, codeSpans } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const person = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };
const token = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const listen = { LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" };
const promtool = await openPromtool().catch(String);

describe.each(dialects)("the figures on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    const env = { ...database.env, ...listen, LATCHKEY_LIMITS: "on", LATCHKEY_LIMIT_SIGN_IN: "5/15m" };
    server = await spawnLatchkey({ env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  const look = () => scrape(metricsUrlOf(server));
  /** By how much series grew meanwhile. */
  const growth = async (series: readonly string[], work: () => Promise<unknown>) => {
    const before = await look();
    await work();
    const after = await look();
    return Object.fromEntries(series.map((one) => [one, after.value(one) - before.value(one)]));
  };

  test("tell of a sign-up, of verifies by their outcome, and of requests by route and status", async () => {
    const client = createClient(server.origin);
    const verify = (cookie: string) =>
      fetch(`${server.url}/api/auth/verify`, { headers: { cookie } }).then((answer) => answer.status);
    const grown = await growth(
      [
        'latchkey_sign_ups_total{outcome="success"}',
        'latchkey_http_requests_total{route="signUp",status="200"}',
        'latchkey_verifications_total{outcome="authenticated"}',
        'latchkey_verifications_total{outcome="no_credentials"}',
        'latchkey_verifications_total{outcome="invalid_session"}',
        'latchkey_verifications_total{outcome="session_expired"}',
        'latchkey_http_requests_total{route="verify",status="200"}',
        'latchkey_http_requests_total{route="verify",status="401"}',
        'latchkey_http_requests_total{route="verify",status="405"}',
        'latchkey_http_request_duration_seconds_count{route="verify"}',
        'latchkey_http_requests_total{route="signInPage",status="200"}',
        'latchkey_http_requests_total{route="unknown",status="404"}',
        "latchkey_hash_line_wait_seconds_count",
      ],
      async () => {
        expect((await client.auth.signUp.email(person)).error).toBeNull();
        const cookie = client.jar.header();
        expect([await verify(cookie), await verify(cookie), await verify(cookie)]).toEqual([200, 200, 200]);
        expect(await verify("")).toBe(401);
        expect(await verify(`better-auth.session_token=${"x".repeat(32)}.${"A".repeat(43)}%3D`)).toBe(401);
        await client.auth.signOut();
        expect([await verify(cookie), await verify(cookie)]).toEqual([401, 401]);
        await fetch(`${server.url}/api/auth/verify`, { method: "DELETE" });
        await fetch(`${server.url}/signin`);
        for (let at = 0; at < 20; at += 1) await fetch(`${server.url}/never-${at}-${crypto.randomUUID()}`);
      },
    );
    expect(Object.values(grown)).toEqual([1, 1, 3, 1, 1, 2, 3, 4, 1, 8, 1, 20, 1]);
  });

  test("tell of sign-ins by their outcome, those of the page too, and of limits that were reached", async () => {
    const client = createClient(server.origin);
    const email = `${dialect}@example.com`;
    expect((await client.auth.signUp.email({ ...person, email })).error).toBeNull();
    const signIn = (password: string) => createClient(server.origin).auth.signIn.email({ email, password });
    const grown = await growth(
      [
        'latchkey_sign_ins_total{outcome="success"}',
        'latchkey_sign_ins_total{outcome="refused"}',
        'latchkey_sign_ins_total{outcome="limited"}',
        'latchkey_limits_reached_total{limit="sign-ins"}',
        'latchkey_http_requests_total{route="signInPage",status="303"}',
      ],
      async () => {
        expect((await signIn(person.password)).error).toBeNull();
        const page = await fetch(`${server.url}/signin`, {
          method: "POST",
          redirect: "manual",
          headers: { origin: server.origin },
          body: new URLSearchParams({ email, password: person.password }),
        });
        expect(page.status).toBe(303);
        const guesses = await Promise.all(
          Array.from({ length: 8 }, (_, at) =>
            createClient(server.origin).auth.signIn.email({
              email: `nobody-${at}@example.com`,
              password: "wrong all the time",
            }),
          ),
        );
        expect(guesses.filter(({ error }) => error?.status === 401)).toHaveLength(5);
      },
    );
    expect(Object.values(grown)).toEqual([2, 5, 3, 3, 1]);
    const { values } = await look();
    expect(values.get("latchkey_limit_wait_seconds_count")).toBeGreaterThan(5);
  });

  test("have few series, whatever clients send", async () => {
    const before = (await look()).values.size;
    const word = () => crypto.randomUUID();
    for (let at = 0; at < 200; at += 1) {
      await fetch(`${server.url}/${word()}?${word()}=${word()}`, {
        method: at % 2 === 0 ? "PATCH" : "GET",
        headers: {
          cookie: `better-auth.session_token=${word()}`,
          [`x-${word()}`]: word(),
          host: "localhost",
        },
      });
      await fetch(`${server.url}/assets/${word()}.css`);
    }
    // Of two routes that nobody had asked: a histogram, and a status or two each.
    expect((await look()).values.size - before).toBeLessThan(50);
  });

  test("count the sessions that live", async () => {
    const own = await openTestDatabase(dialect);
    const fresh = await spawnLatchkey({ env: { ...own.env, ...listen } });
    const people = ["a", "b", "c"].map((name) => [name, createClient(fresh.origin)] as const);
    for (const [name, client] of people)
      expect((await client.auth.signUp.email({ ...person, email: `${name}@example.com` })).error).toBeNull();
    await people[0]?.[1].auth.signOut();
    expect((await scrape(metricsUrlOf(fresh))).value("latchkey_sessions_live")).toBe(2);
    await fresh.stop();
    await own.close();
  });

  test("do not count who asks for them", async () => {
    const sum = (scraped: Awaited<ReturnType<typeof look>>) =>
      [...scraped.values].filter(([series]) => series.startsWith("latchkey_http_requests_total"));
    const [first, second] = [await look(), await look()];
    expect(sum(second)).toEqual(sum(first));
  });

  test.skipIf(typeof promtool === "string")(
    `are what promtool expects${typeof promtool === "string" ? ` (${promtool})` : ""}`,
    async () => {
      if (typeof promtool === "string") return;
      const { text } = await look();
      expect(await promtool(["check", "metrics"], text)).toEqual({ exitCode: 0, output: "" });
      const broken = text.replace(
        "# TYPE latchkey_sign_ins_total counter",
        "# TYPE latchkey_sign_ins_total bar",
      );
      expect((await promtool(["check", "metrics"], broken)).exitCode).not.toBe(0);
    },
  );

  test("are those of the table in docs/monitoring.md", async () => {
    const { rows } = requireTable(readDocument("docs/monitoring.md"), "metrics");
    const documented = rows.map(([name = "", kind = ""]) => [codeSpans(name)[0] ?? "", kind]);
    // Those of backups, mail and https are there where the server does it: scheduled-backups, mail-metrics, tls.
    const optional =
      /^latchkey_(?:backup_(?:last_made|size)|mails_(?:waiting|given_up)|mail_oldest|tls_certificate_expiry)/;
    const always = documented.filter(([name = ""]) => !optional.test(name));
    expect(documented.length - always.length).toBe(6);
    expect(declaredIn((await look()).text)).toEqual(always as never);
  });
});

describe("where the figures are", () => {
  const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } });

  test("nowhere, by default", async () => {
    const server = await spawnLatchkey({ env: {} });
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${server.url}/metrics`, bearer(token))).status).toBe(404);
    await server.stop();
  });

  test("behind a token, at the server's own port: without it nothing is told", async () => {
    const server = await spawnLatchkey({ env: { LATCHKEY_METRICS_TOKEN: token } });
    const url = `${server.url}/metrics`;
    for (const init of [
      {},
      bearer(`${token}x`),
      bearer(token.slice(1)),
      { headers: { authorization: `Basic ${token}` } },
    ]) {
      const response = await fetch(url, init);
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe('Bearer realm="latchkey metrics"');
      expect(await response.json()).toMatchObject({ code: "UNAUTHORIZED" });
    }
    const response = await fetch(url, bearer(token));
    expect([
      response.status,
      response.headers.get("content-type"),
      response.headers.get("cache-control"),
    ]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8", "no-store"]);
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]+$/);
    expect(await response.text()).toContain("latchkey_build_info{");
    const head = await fetch(url, { method: "HEAD", ...bearer(token) });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await fetch(url, { method: "POST", ...bearer(token) })).status).toBe(404);
    expect(server.stdout() + server.stderr()).not.toContain(token);
    await server.stop();
  });

  test("at an address of their own, with nothing else beside them, behind a token where there is one", async () => {
    const server = await spawnLatchkey({ env: { ...listen, LATCHKEY_METRICS_TOKEN: token } });
    const url = metricsUrlOf(server);
    expect((await fetch(url)).status).toBe(401);
    expect((await scrape(url, bearer(token))).value("latchkey_workers_serving")).toBe(1);
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
    for (const path of ["/", "/health", "/api/auth/verify", "/signin"])
      expect((await fetch(new URL(path, url), bearer(token))).status).toBe(404);
    expect((await fetch(`${server.url}/metrics`, bearer(token))).status).toBe(404);
    await server.stop();
  });

  test("at a Unix socket of their own, for this user and group, which goes with the server", async () => {
    const path = join(temporaryDirectory("metrics"), "metrics.sock");
    const server = await spawnLatchkey({ env: { LATCHKEY_METRICS_LISTEN: `unix:${path}` } });
    expect(metricsUrlOf(server)).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const { text } = await scrape("http://localhost/metrics", { unix: path });
    expect(text).toContain("latchkey_build_info{");
    const second = await runLatchkey([], { env: { PORT: "0", LATCHKEY_METRICS_LISTEN: `unix:${path}` } });
    expect([second.exitCode, second.stderr]).toEqual([
      1,
      expect.stringContaining("set LATCHKEY_METRICS_LISTEN to another path"),
    ]);
    expect(await server.stop()).toBe(0);
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  test("not at a port that somebody has: the start says so, and touches nothing", async () => {
    const server = await spawnLatchkey({ env: listen });
    const { host } = new URL(metricsUrlOf(server));
    const cwd = temporaryDirectory("metrics");
    const second = await runLatchkey([], { env: { PORT: "0", LATCHKEY_METRICS_LISTEN: host }, cwd });
    expect([second.exitCode, second.stderr]).toEqual([
      1,
      expect.stringContaining("stop what listens there, or set LATCHKEY_METRICS_LISTEN to another one"),
    ]);
    expect(() => statSync(join(cwd, "data"))).toThrow("ENOENT");
    await server.stop();
  });

  test("not for everybody: an address that others reach is refused without a token", async () => {
    const { exitCode, stderr } = await runLatchkey([], { env: { LATCHKEY_METRICS_LISTEN: "0.0.0.0:9464" } });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("set LATCHKEY_METRICS_TOKEN")]);
  });
});
