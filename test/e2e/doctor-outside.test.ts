import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Check } from "../../src/doctor/check.ts";
import { addressCheck } from "../../src/doctor/outside/session.ts";
import { runCommand } from "../cli/run-command.ts";
import { type Certificate, makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { deployedCommand, startDeployed } from "../support/deployed-proxy.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const auth = "https://auth.example.com";
const docs = "https://docs.example.com";
const names = ["DNS:auth.example.com", "DNS:tools.example.com"];
const commands = {
  nginx: await deployedCommand("nginx"),
  caddy: await deployedCommand("caddy"),
  haproxy: await deployedCommand("haproxy"),
};
const good = makeCertificate(names);
const strange = makeCertificate(["DNS:other.example.com"]);
const expired = makeExpiredCertificate(names);
const folder = temporaryDirectory("doctor-outside");
/** As an operator pastes it. */
const documented =
  readDocument("docs/proxies.md").blocks.find(({ marker }) => marker === "run: doctor outside")?.code ?? "";
const asDocumented = documented.trim().split(" ").slice(2);

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const statusesOf = (checks: readonly Check[], status: Check["status"]) =>
  checks.filter((check) => check.status === status).map(({ name, detail }) => `${name}: ${detail}`);

let database: TestDatabase;
let latchkey: RunningLatchkey;
let member: Member;

beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  latchkey = await spawnLatchkey({
    env: {
      ...database.env,
      BETTER_AUTH_URL: auth,
      BETTER_AUTH_TRUSTED_ORIGINS: docs,
      LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32",
    },
  });
  member = await addMember(database);
});
afterAll(async () => {
  await latchkey.stop();
  await database.close();
});

/** The executable, signed in once. */
async function diagnose(args: readonly string[], as = member) {
  const { exitCode, stdout, stderr } = await runLatchkey(
    ["doctor", "--json", "--sign-in", as.email, ...args],
    { stdin: `${memberPassword}\n` },
  );
  const { status, checks } = JSON.parse(stdout) as {
    readonly status: string;
    readonly checks: readonly Check[];
  };
  return { exitCode, stderr, status, checks };
}

describe("doctor --url finds nothing wrong", () => {
  test("with latchkey asked directly, on this machine", async () => {
    const place = await openTestDatabase("sqlite");
    const own = await spawnLatchkey({ env: { ...place.env, BETTER_AUTH_TRUSTED_ORIGINS: docs } });
    const found = await diagnose(["--url", own.origin, "--origin", docs], await addMember(place));
    expect([
      found.exitCode,
      statusesOf(found.checks, "failure"),
      statusesOf(found.checks, "warning"),
    ]).toEqual([0, [], []]);
    expect(found.status).toBe("ok");
    await own.stop();
    await place.close();
  });

  test("with https by latchkey itself", async () => {
    const place = await openTestDatabase("sqlite");
    const plainPort = freePort();
    const own = await spawnLatchkey({
      env: {
        ...place.env,
        BETTER_AUTH_URL: auth,
        BETTER_AUTH_TRUSTED_ORIGINS: docs,
        LATCHKEY_TLS_CERT_FILE: good.path,
        LATCHKEY_TLS_KEY_FILE: join(dirname(good.path), "key.pem"),
        LATCHKEY_HTTP_PORT: String(plainPort),
      },
    });
    const to = [
      "--connect",
      `127.0.0.1:${new URL(own.url).port}`,
      "--connect-http",
      `127.0.0.1:${plainPort}`,
    ];
    const found = await diagnose([...asDocumented, "--ca-file", good.path, ...to], await addMember(place));
    expect([
      found.exitCode,
      statusesOf(found.checks, "failure"),
      statusesOf(found.checks, "warning"),
    ]).toEqual([0, [], []]);
    expect(found.checks.find(({ name }) => name === "trusted proxy")?.detail).toStartWith("none");
    await own.stop();
    await place.close();
  });

  for (const name of ["nginx", "caddy", "haproxy"] as const) {
    const command = commands[name];
    test.skipIf(typeof command === "string")(
      `behind ${name} as in deploy/, and ends its session`,
      async () => {
        const places = { latchkey: new URL(latchkey.url).host, program: "127.0.0.1:1" };
        const proxy = await startDeployed(name, [command].flat(), places);
        const found = await diagnose(
          [
            [...asDocumented, "--ca-file", written(`${name}.pem`, proxy.ca)],
            ["--connect", `127.0.0.1:${proxy.port}`, "--connect-http", `127.0.0.1:${proxy.plainPort}`],
          ].flat(),
        );
        expect([
          found.exitCode,
          statusesOf(found.checks, "failure"),
          statusesOf(found.checks, "warning"),
        ]).toEqual([0, [], []]);
        expect(found.checks.map((check) => check.name)).toEqual([
          "certificate",
          "protocol",
          "http",
          "health",
          "public URL",
          "HSTS",
          "clock",
          "session cookie",
          "pages",
          "security headers",
          "crawlers",
          "compression",
          "verify",
          "caches",
          "trusted proxy",
          "long cookies",
          "body limit",
          "metrics",
          "CORS",
          `CORS for ${docs}`,
          "sign-in",
          "forwarded address",
          "sign-out",
        ]);
        expect(await database.query("SELECT id FROM session WHERE user_id = $1", [member.id])).toEqual([]);
        await proxy.stop();
      },
    );
  }
});

const passesOn = "doctor --url knows the address that a visitor made up, behind an nginx that passes it on";
test.skipIf(typeof commands.nginx === "string")(passesOn, async () => {
  const places = { latchkey: new URL(latchkey.url).host, program: "127.0.0.1:1" };
  const proxy = await startDeployed("nginx", [commands.nginx].flat(), places, undefined, (text) =>
    text.replaceAll("X-Forwarded-For $remote_addr", "X-Forwarded-For $http_x_forwarded_for"),
  );
  const { exitCode, checks, stderr } = await diagnose(
    [
      ["--url", auth, "--ca-file", written("spoofed.pem", proxy.ca)],
      ["--connect", `127.0.0.1:${proxy.port}`, "--connect-http", `127.0.0.1:${proxy.plainPort}`],
    ].flat(),
  );
  expect([exitCode, checks.filter(({ status }) => status !== "ok")]).toEqual([
    1,
    [expect.objectContaining({ name: "forwarded address", status: "failure" })],
  ]);
  expect(stderr).toMatch(/Try: have the proxy set X-Forwarded-For itself/);
  await proxy.stop();
});

test.each([
  ["its own address", "192.0.2.5", { here: "192.0.2.5", there: "198.51.100.1" }, "ok"],
  ["that of a router on the way", "93.184.216.34", { here: "192.168.0.2", there: "93.184.215.14" }, "ok"],
  ["the proxy's, beside latchkey", "127.0.0.1", { here: "192.168.0.2", there: "93.184.215.14" }, "failure"],
  ["the proxy's, in a container", "172.17.0.1", { here: "192.168.0.2", there: "93.184.215.14" }, "failure"],
  ["a neighbour's own", "10.0.0.7", { here: "10.0.0.7", there: "10.0.0.1" }, "ok"],
  ["what was made up", "203.0.113.77", { here: "192.168.0.2", there: "93.184.215.14" }, "failure"],
])("the address that latchkey takes a visitor for: %s", (_name, address, ends, status) => {
  expect(addressCheck(address, ends).status).toBe(status as Check["status"]);
});

/** A proxy of ours that spoils what passes. */
interface Spoiling {
  readonly certificate?: Certificate;
  /** Before which latchkey; default the one that trusts its proxy. */
  readonly before?: RunningLatchkey;
  /** Which `--ca-file`; default the certificate's own. */
  readonly caFile?: string | null;
  readonly answer?: (answer: Response, request: Request) => Response | Promise<Response>;
  /** What answers over plain http; default a redirect. */
  readonly plain?: "nobody" | ((request: Request) => Response);
}

function changed(answer: Response, change: (headers: Headers) => void): Response {
  const headers = new Headers(answer.headers);
  change(headers);
  return new Response(answer.body, { status: answer.status, headers });
}

async function spoilt({
  before = latchkey,
  certificate = good,
  caFile = certificate.path,
  answer,
  plain,
}: Spoiling) {
  const toHttps = (request: Request) => {
    const { pathname, search } = new URL(request.url);
    return Response.redirect(auth + pathname + search, 308);
  };
  const secure = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: certificate.key, cert: certificate.cert },
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("x-forwarded-for", "127.0.0.1");
      const passed = await fetch(before.url + pathname + search, {
        method: request.method,
        headers,
        redirect: "manual",
        decompress: false,
        ...(request.method === "POST" ? { body: await request.arrayBuffer() } : {}),
      });
      return (await answer?.(passed, request)) ?? passed;
    },
  });
  const open =
    plain === "nobody" ? null : Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: plain ?? toHttps });
  const { stdout, exitCode } = await runCommand(
    [
      [
        "doctor",
        "--json",
        "--url",
        auth,
        "--origin",
        docs,
        ...(caFile === null ? [] : ["--ca-file", caFile]),
      ],
      ["--connect", `127.0.0.1:${secure.port}`, "--connect-http", `127.0.0.1:${open?.port ?? 1}`],
    ].flat(),
  );
  await secure.stop(true);
  await open?.stop(true);
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
  return { exitCode, checks };
}

let cached: { readonly status: number; readonly headers: Headers; readonly body: string } | undefined;
const drop = (name: string) => (answer: Response) => changed(answer, (headers) => headers.delete(name));
const put = (name: string, value: string) => (answer: Response) =>
  changed(answer, (headers) => headers.set(name, value));
const only = (path: RegExp, answer: NonNullable<Spoiling["answer"]>): NonNullable<Spoiling["answer"]> => {
  return (given, request) => (path.test(new URL(request.url).pathname) ? answer(given, request) : given);
};

const spoils: readonly (readonly [string, Spoiling, string, Check["status"], RegExp])[] = [
  ["an expired certificate", { certificate: expired }, "certificate", "failure", /ended on 2020-02-01/],
  [
    "a certificate of another name",
    { certificate: strange },
    "certificate",
    "failure",
    /for other\.example\.com, not/,
  ],
  ["a CA that nobody knows", { caFile: null }, "certificate", "failure", /no browser knows/],
  [
    "plain http that answers itself",
    { plain: () => new Response("hello") },
    "http",
    "failure",
    /answers 200/,
  ],
  ["nobody at port 80", { plain: "nobody" }, "http", "warning", /nothing answers/],
  [
    "a redirect to elsewhere",
    { plain: () => Response.redirect("https://x.example/") },
    "http",
    "failure",
    /leads to/,
  ],
  [
    "a redirect that forgets the path",
    { plain: () => Response.redirect(auth) },
    "http",
    "warning",
    /becomes \//,
  ],
  ["no HSTS", { answer: drop("strict-transport-security") }, "HSTS", "warning", /missing/],
  ["a short HSTS", { answer: put("strict-transport-security", "max-age=60") }, "HSTS", "warning", /soon/],
  [
    "a clock that is off",
    { answer: put("date", new Date(Date.now() + 600_000).toUTCString()) },
    "clock",
    "failure",
    /ahead/,
  ],
  [
    "a cookie without Secure",
    {
      answer: only(/sign-out/, async (answer) => {
        const lines = answer.headers.getSetCookie();
        return changed(answer, (headers) => {
          headers.delete("set-cookie");
          for (const line of lines) headers.append("set-cookie", line.replace("; Secure", ""));
        });
      }),
    },
    "session cookie",
    "failure",
    /no Secure/,
  ],
  ["a cookie that is dropped", { answer: drop("set-cookie") }, "session cookie", "failure", /sets none/],
  [
    "pages that are elsewhere",
    { answer: only(/^\/signin/, () => new Response("no", { status: 404 })) },
    "pages",
    "failure",
    /404/,
  ],
  [
    "pages without their files",
    { answer: only(/^\/assets/, () => new Response("no", { status: 404 })) },
    "pages",
    "failure",
    /assets.*404/,
  ],
  ["no CSP", { answer: drop("content-security-policy") }, "security headers", "failure", /missing/],
  [
    "another frame policy",
    { answer: put("content-security-policy", "default-src 'self'") },
    "security headers",
    "failure",
    /without default-src 'none'/,
  ],
  [
    "pages that are compressed",
    {
      answer: only(/^\/signin/, async (answer) => {
        const headers = new Headers(answer.headers);
        headers.set("content-encoding", "gzip");
        headers.delete("content-length");
        return new Response(Bun.gzipSync(await answer.arrayBuffer()), { headers });
      }),
    },
    "compression",
    "warning",
    /gzip/,
  ],
  [
    "a verify of somebody else's",
    { answer: only(/verify/, () => Response.json({ ok: true })) },
    "verify",
    "failure",
    /answers 200/,
  ],
  [
    "a verify that is cached",
    {
      answer: only(/verify/, async (answer) => {
        cached ??= { status: answer.status, headers: new Headers(answer.headers), body: await answer.text() };
        return new Response(cached.body, cached);
      }),
    },
    "caches",
    "failure",
    /by a cache/,
  ],
  ["a cache's own header", { answer: put("x-cache", "HIT from far") }, "caches", "failure", /by a cache/],
  [
    "no-store that is lost",
    { answer: only(/verify/, put("cache-control", "public, max-age=60")) },
    "caches",
    "failure",
    /no-store/,
  ],
  [
    "a proxy that refuses long cookies",
    {
      answer: (answer, request) =>
        (request.headers.get("cookie") ?? "").length > 5_000 ? new Response("", { status: 431 }) : answer,
    },
    "long cookies",
    "warning",
    /431/,
  ],
  [
    "metrics for everybody",
    { answer: only(/metrics/, () => new Response("# TYPE latchkey_x counter\nlatchkey_x 1\n")) },
    "metrics",
    "failure",
    /open/,
  ],
  [
    "CORS for everybody",
    { answer: put("access-control-allow-origin", "*") },
    "CORS",
    "failure",
    /any origin/,
  ],
  [
    "CORS twice",
    {
      answer: (answer) => {
        const twice = new Headers(answer.headers);
        twice.append("access-control-allow-origin", docs);
        return new Response(answer.body, { status: answer.status, headers: twice });
      },
    },
    `CORS for ${docs}`,
    "failure",
    /twice|not call/,
  ],
  [
    "a proxy without latchkey behind it",
    { answer: () => new Response("Bad Gateway", { status: 502 }) },
    "health",
    "failure",
    /502/,
  ],
];

describe("doctor --url names what is broken", () => {
  test.each(spoils)("%s", async (_name, spoiling, name, status, detail) => {
    const { checks, exitCode } = await spoilt(spoiling);
    const check = checks.find((one) => one.name === name);
    expect(check).toMatchObject({
      status,
      detail: expect.stringMatching(detail),
      remedy: expect.stringMatching(/./),
    });
    expect(exitCode).toBe(checks.some((one) => one.status === "failure") ? 1 : 0);
  });

  test("nothing but that, where nothing else is", async () => {
    const { checks } = await spoilt({});
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([]);
  });

  test("a proxy that is not trusted", async () => {
    const env = {
      BETTER_AUTH_URL: auth,
      BETTER_AUTH_TRUSTED_ORIGINS: docs,
      LATCHKEY_TRUSTED_PROXIES: "none",
    };
    const before = await spawnLatchkey({ env });
    const { checks } = await spoilt({ before, answer: put("via", "1.1 front") });
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([
      expect.objectContaining({
        name: "trusted proxy",
        status: "warning",
        detail: expect.stringContaining("1.1 front stands before latchkey and is not trusted"),
      }),
    ]);
    await before.stop();
  });

  test("a public URL that is another", async () => {
    const { exitCode, stdout } = await runCommand(["doctor", "--json", "--url", latchkey.url]);
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
    expect(exitCode).toBe(1);
    expect(statusesOf(checks, "failure")).toEqual([
      expect.stringContaining(`public URL: latchkey believes to be ${auth}`),
      expect.stringContaining("INVALID_ORIGIN"),
    ]);
  });

  test("nothing about a certificate for an address, where the URL is one", async () => {
    const { key, cert, path } = makeCertificate(["IP:127.0.0.1"]);
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key, cert },
      fetch: () => new Response(""),
    });
    const url = `https://127.0.0.1:${server.port}`;
    const { stdout } = await runCommand(["doctor", "--json", "--url", url, "--ca-file", path]);
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
    expect(checks.find(({ name }) => name === "certificate")).toMatchObject({ status: "ok" });
    expect(checks.find(({ name }) => name === "health")).toMatchObject({
      status: "failure",
      detail: expect.stringContaining("not as latchkey does"),
    });
    await server.stop(true);
  });

  test("a server that is not there", async () => {
    const { exitCode, stdout } = await runCommand(["doctor", "--json", "--url", "http://127.0.0.1:1"]);
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
    expect([exitCode, checks.map(({ name, status }) => [name, status])]).toEqual([
      1,
      [["reached", "failure"]],
    ]);
  });

  test("options that ask for two things at once, and a file without a certificate", async () => {
    for (const [args, said] of [
      [["--origin", docs], "go with --url"],
      [["--url", auth, "--send-test", "a@example.com"], "from outside"],
      [["--url", auth, "--ca-file", written("empty.pem", "")], "holds no certificate"],
      [["--url", `${auth}/signin`], "no origin"],
    ] as const) {
      const { exitCode, stderr } = await runCommand(["doctor", ...args]);
      expect([exitCode === 0, stderr]).toEqual([false, expect.stringContaining(said)]);
    }
  });
});
