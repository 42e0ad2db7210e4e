import { writeFileSync } from "node:fs";
import { createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeCertificate } from "./certificate.ts";
import { openTestDatabase, type TestDatabase } from "./databases.ts";
import {
  deployedCommand,
  type DeployedProxy,
  type DeployedProxyName,
  startDeployed,
} from "./deployed-proxy.ts";
import { type RunningLatchkey, spawnLatchkey } from "./executable.ts";
import { addMember, type Member, memberPassword } from "./member.ts";
import { eventually } from "./process-figures.ts";
import { temporaryDirectory } from "./reaper.ts";

/** As which many programs (RFC 3875 §4.1.18) take X-Auth-User-Id. */
const spellings = [
  "X-Auth-User-Id",
  "X_Auth_User_Id",
  "X-Auth_User-Id",
  "X-Auth-User_Id",
  "x_auth_user_id",
  "X_Auth-User-Id",
];
const identity = [
  "x-auth-email",
  "x-auth-email-verified",
  "x-auth-name",
  "x-auth-session-id",
  "x-auth-user-id",
];
/** Nobody here, and no proxy. */
const visitor = "127.0.0.9";
const auth = "https://auth.example.com";
const tools = "https://tools.example.com";
const asPage = { accept: "text/html", "sec-fetch-mode": "navigate" };
const guide = "/guide?page=2&page=3&x=%2F";

/** What the protected program was told. */
interface Told {
  readonly path: string;
  readonly method: string;
  readonly bytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Between proxies and latchkey; knows what was said to latchkey. */
async function startRecorder(target: number) {
  let said = "";
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    near.on("data", (chunk) => {
      said += chunk.toString("latin1");
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => (near.destroy(), far.destroy(), sockets.delete(socket)));
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    said: () => said,
    forget: () => {
      said = "";
    },
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The program that knows nothing of sessions: it says what it was told, and repeats what a WebSocket says. */
function startProgram() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      if (server.upgrade(request)) return undefined;
      const url = new URL(request.url);
      const status = Number(/^\/status\/(\d+)$/.exec(url.pathname)?.[1]);
      if (status > 0) return new Response("the program's own", { status });
      const told: Told = {
        path: url.pathname + url.search,
        method: request.method,
        bytes: (await request.arrayBuffer()).byteLength,
        headers: Object.fromEntries(request.headers),
      };
      return Response.json(told);
    },
    websocket: { message: (socket, message) => void socket.send(`heard ${String(message)}`) },
  });
}

/**
 * Each proxy on the files of deploy/, in front of one latchkey and of a program that it asks latchkey about.
 * @param patiently also what takes ten seconds.
 */
export async function describeDeployed(
  names: readonly DeployedProxyName[],
  { patiently = false } = {},
): Promise<void> {
  const commands = await Promise.all(names.map(deployedCommand));
  const here = names.flatMap((name, at) => {
    const command = commands[at];
    return command === undefined || typeof command === "string" ? [] : [{ name, command }];
  });
  for (const [at, name] of names.entries()) {
    const reason = commands[at];
    if (typeof reason === "string") test.skip(`${name}: ${reason}`, () => {});
  }
  describe.skipIf(here.length === 0)("C20: deploy/ as it is", () => trials(here, patiently));
}

function trials(
  programs: readonly { readonly name: DeployedProxyName; readonly command: readonly string[] }[],
  patiently: boolean,
) {
  let database: TestDatabase;
  let latchkey: RunningLatchkey;
  let recorder: Awaited<ReturnType<typeof startRecorder>>;
  let program: ReturnType<typeof startProgram>;
  let member: Member;
  let cookie: string;
  const proxies = new Map<string, DeployedProxy>();
  const at = (name: string) => {
    const proxy = proxies.get(name);
    if (proxy === undefined) throw new Error(`${name} does not run`);
    return proxy;
  };

  beforeAll(async () => {
    database = await openTestDatabase("postgres");
    latchkey = await spawnLatchkey({
      env: {
        ...database.env,
        BETTER_AUTH_URL: auth,
        BETTER_AUTH_TRUSTED_ORIGINS: tools,
        LATCHKEY_COOKIE_DOMAIN: "example.com",
        LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32",
      },
    });
    recorder = await startRecorder(Number(new URL(latchkey.url).port));
    program = startProgram();
    member = await addMember(database);
    const plain = member.browser(latchkey.origin, await member.session()).jar.header();
    cookie = plain.replace("better-auth", "__Secure-better-auth");
    const certificate = makeCertificate(["DNS:auth.example.com", "DNS:tools.example.com"]);
    const places = { latchkey: `127.0.0.1:${recorder.port}`, program: `127.0.0.1:${program.port}` };
    await Promise.all(
      programs.map(async ({ name, command }) =>
        proxies.set(name, await startDeployed(name, command, places, certificate)),
      ),
    );
  });
  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
    recorder?.stop();
    await program?.stop(true);
    await latchkey?.kill();
    await database?.close();
  });
  const each = test.each(programs.map(({ name }) => name));

  each("%s leads plain http to https, with path and query", async (name) => {
    const answer = await at(name).askPlain("auth.example.com", "/signin?a=1&b=%2F");
    expect([301, 308]).toContain(answer.status);
    const location = new URL(answer.headers.get("location") ?? "");
    expect([location.hostname, location.pathname, location.search]).toEqual([
      "auth.example.com",
      "/signin",
      "?a=1&b=%2F",
    ]);
  });

  each("%s leads a stranger to sign in, through itself, and back with the whole query", async (name) => {
    const proxy = at(name);
    const spoofed = {
      "x-forwarded-host": "evil.example",
      "x-forwarded-uri": "/x",
      "x-forwarded-proto": "http",
    };
    const sent = await proxy.ask("tools.example.com", guide, { headers: { ...asPage, ...spoofed } });
    const location = new URL(sent.headers.get("location") ?? "");
    expect([sent.status, location.origin, location.pathname]).toEqual([302, auth, "/signin"]);
    expect(location.searchParams.get("callbackUrl")).toBe(tools + guide);
    const page = await proxy.ask("auth.example.com", location.pathname + location.search, {
      headers: asPage,
    });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<form")]);
    const form = { email: member.email, password: memberPassword };
    const signedIn = await proxy.ask("auth.example.com", location.pathname + location.search, {
      method: "POST",
      from: visitor,
      headers: {
        ...asPage,
        origin: auth,
        "content-type": "application/x-www-form-urlencoded",
        "x-forwarded-for": "198.51.100.7",
        "x-real-ip": "198.51.100.7",
        forwarded: "for=198.51.100.7",
        "user-agent": name,
      },
      body: new URLSearchParams(form).toString(),
    });
    expect([signedIn.status, signedIn.headers.get("location")]).toEqual([303, tools + guide]);
    const given = signedIn.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    expect(given).toContain("__Secure-better-auth.session_token=");
    const back = await proxy.ask("tools.example.com", guide, { headers: { ...asPage, cookie: given } });
    expect([back.status, ((await back.json()) as Told).path]).toEqual([200, guide]);
    // The visitor's address, whatever the visitor says it is.
    const line = () => latchkey.logs().findLast(({ event }) => event === "sign_in");
    expect(await eventually(() => line() !== undefined, 5_000)).toBe(true);
    expect(line()).toMatchObject({ outcome: "success", clientAddress: visitor });
    const [last] = await database.query("SELECT ip_address FROM session WHERE user_agent = $1", [name]);
    expect(last).toEqual({ ip_address: visitor });
  });

  each("%s tells the program who it is, and lets nobody say otherwise in any spelling", async (name) => {
    const lies = Object.fromEntries(spellings.map((spelling) => [spelling, "admin"]));
    const sent = await at(name).ask("tools.example.com", guide, {
      headers: {
        ...lies,
        cookie,
        "X_Auth-Name": "admin",
        "X-Auth-Role": "admin",
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
      },
    });
    const { headers, path } = (await sent.json()) as Told;
    expect([sent.status, path]).toEqual([200, guide]);
    const named = Object.keys(headers).filter((header) => /^x[-_]auth/i.test(header));
    // nginx drops none by a pattern: the program believes the five alone.
    const passed = name === "nginx" ? ["x-auth-role"] : [];
    expect(named.filter((header) => !passed.includes(header)).sort()).toEqual(identity);
    expect(headers).toMatchObject({
      "x-auth-user-id": member.id,
      "x-auth-email": member.email,
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "tools.example.com",
      "x-forwarded-proto": "https",
    });
    const stranger = await at(name).ask("tools.example.com", "/", { headers: lies });
    expect([stranger.status, await stranger.json()]).toMatchObject([401, { code: "NO_CREDENTIALS" }]);
    expect(stranger.headers.get("www-authenticate")).toBe('Bearer realm="latchkey"');
  });

  each("%s asks without the body, and passes long cookies and bodies on", async (name) => {
    recorder.forget();
    const body = "a body of the visitor's ".repeat(60_000);
    const answer = await at(name).ask("tools.example.com", "/form", {
      method: "POST",
      body,
      headers: { cookie: `other=${"x".repeat(6_000)}; ${cookie}` },
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { method: "POST", bytes: body.length, headers: { "x-auth-user-id": member.id } },
    ]);
    const stranger = await at(name).ask("tools.example.com", "/form", { method: "POST", body });
    expect(stranger.status).toBe(401);
    expect(recorder.said()).toContain(`GET /api/auth/`);
    expect(recorder.said()).not.toContain("POST /");
    expect(recorder.said()).not.toContain("a body of the visitor's");
  });

  test.skipIf(Bun.which("curl") === null).each(programs.map(({ name }) => name))(
    "%s asks with the cookies that came one by one over HTTP/2",
    async (name) => {
      const { ca, port } = at(name);
      const file = join(temporaryDirectory("curl"), "ca.pem");
      writeFileSync(file, ca);
      const sent = ["cookie: other=1", `cookie: ${cookie}`, "cookie: another=2"].flatMap((line) => [
        "-H",
        line,
      ]);
      const to = ["--resolve", `tools.example.com:${port}:127.0.0.1`, `https://tools.example.com:${port}/`];
      const child = Bun.spawn([
        "curl",
        "-s",
        "--http2",
        "-w",
        "\n%{http_version}",
        "--cacert",
        file,
        ...sent,
        ...to,
      ]);
      const [told = "", version] = (await new Response(child.stdout).text()).split("\n");
      expect([version, JSON.parse(told)]).toMatchObject(["2", { headers: { "x-auth-user-id": member.id } }]);
    },
  );

  each("%s takes a WebSocket to the program, and a stranger's not", async (name) => {
    expect(await at(name).echo({ cookie }, "hello")).toBe("heard hello");
    expect(await at(name).echo({}, "hello")).toStartWith("HTTP/1.1 401");
  });

  each("%s answers HEAD as GET, without a body", async (name) => {
    const asked = [{ headers: asPage }, { headers: {} }, { headers: { cookie } }];
    const answers = asked.map((one) => at(name).ask("tools.example.com", guide, { ...one, method: "HEAD" }));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([302, 401, 200]);
  });

  each("%s leaves the program's own errors alone", async (name) => {
    for (const status of [401, 403, 404, 500, 502, 503]) {
      const answer = await at(name).ask("tools.example.com", `/status/${status}`, { headers: { cookie } });
      expect([answer.status, await answer.text()]).toEqual([status, "the program's own"]);
    }
  });

  each("%s asks again and again on connections that it keeps", async (name) => {
    const statuses = new Map<number, number>();
    for (let round = 0; round < 10; round += 1) {
      const asked = Array.from({ length: 10 }, () =>
        at(name).ask("tools.example.com", "/", { headers: { cookie } }),
      );
      for (const { status } of await Promise.all(asked))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([[200, 100]]);
  });

  test("a latchkey that cannot tell is 503 behind each, and never 401 or the way to sign in", async () => {
    database.network?.stall(true);
    const fresh = cookie.replace(/token=.*/, `token=${(await signedAnew()).split("token=")[1] ?? ""}`);
    for (const [name, proxy] of proxies) {
      const page = await proxy.ask("tools.example.com", guide, { headers: { ...asPage, cookie: fresh } });
      expect([name, page.status, page.headers.get("location")]).toEqual([name, 503, null]);
      expect(page.headers.get("retry-after")).toMatch(/^\d+$/);
    }
    database.network?.stall(false);
  });

  /** A session's cookie that latchkey has not seen yet. */
  async function signedAnew(): Promise<string> {
    return member.browser(latchkey.origin, await member.session()).jar.header();
  }

  const hangs = "a latchkey that hangs is 503 behind each, within some seconds";
  const whereItMayTakeLong = patiently ? test : () => {};
  whereItMayTakeLong(hangs, async () => {
    process.kill(latchkey.pid, "SIGSTOP");
    const asked = [...proxies].map(async ([name, proxy]) => {
      const page = await proxy.ask("tools.example.com", guide, { headers: { ...asPage, cookie } });
      return [name, page.status, page.headers.get("location")];
    });
    const answers = await Promise.all(asked);
    process.kill(latchkey.pid, "SIGCONT");
    expect(answers).toEqual([...proxies.keys()].map((name) => [name, 503, null]));
  });

  test("a latchkey that is gone is 503 behind each, for strangers and for members", async () => {
    await latchkey.kill();
    for (const [name, proxy] of proxies)
      for (const headers of [asPage, { ...asPage, cookie }, { cookie }]) {
        const page = await proxy.ask("tools.example.com", guide, { headers });
        expect([name, page.status, page.headers.get("location")]).toEqual([name, 503, null]);
      }
  });
}
