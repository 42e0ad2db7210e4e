import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, type Member } from "../support/member.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

/** A program that knows nothing of sessions, on Python's own server: it says whom it believes the visitor to be. */
const wsgi = `
import json, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments): pass
def program(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    names = ("HTTP_X_AUTH_USER_ID", "HTTP_X_AUTH_EMAIL", "HTTP_X_AUTH_NAME", "HTTP_X_AUTH_SESSION_ID")
    return [json.dumps({name: environ.get(name) for name in names}).encode()]
server = make_server("127.0.0.1", 0, program, handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
`;

const spellings = [
  "X-Auth-User-Id",
  "X_Auth_User_Id",
  "X-Auth_User-Id",
  "X-Auth-User_Id",
  "x_auth_user_id",
  "X_Auth-User-Id",
];
const programs = [
  { proxy: "caddy", program: "usr/bin/caddy" },
  { proxy: "nginx", program: "usr/sbin/nginx" },
] as const;

async function commandOf({ proxy, program }: (typeof programs)[number]): Promise<readonly string[] | string> {
  if (Bun.which("python3") === null) return "python3 is missing";
  try {
    return (await debianProgram({ suite: "bookworm", name: proxy, program })).command;
  } catch (error) {
    return String(error);
  }
}

for (const wanted of programs) {
  const command = await commandOf(wanted);
  const isHere = typeof command !== "string";
  const name = `C20: ${wanted.proxy} as in docs/proxies.md before a WSGI program${isHere ? "" : ` (${command})`}`;
  describe.skipIf(!isHere)(name, () => behind(wanted.proxy, isHere ? command : []));
}

function behind(proxy: "caddy" | "nginx", command: readonly string[]): void {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let member: Member;
  let cookie: string;
  let port: number;
  const children: Bun.Subprocess[] = [];
  const start = (args: readonly string[], options: { readonly cwd: string }) => {
    const child = Bun.spawn([...args], {
      ...options,
      env: { HOME: options.cwd, PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    watchProcess(child.pid, "KILL");
    children.push(child);
    return child;
  };

  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8" } });
    member = await addMember(database);
    cookie = member.browser(server.origin, await member.session()).jar.header();
    const directory = temporaryDirectory(proxy);
    mkdirSync(directory, { recursive: true });
    const python = start(["python3", "-c", wsgi], { cwd: directory });
    const first = await new Response(python.stdout as ReadableStream).body?.getReader().read();
    const program = Number(new TextDecoder().decode(first?.value));
    for (let attempt = 0; attempt < 20; attempt += 1) {
      port = 20_000 + Math.floor(Math.random() * 12_000);
      const config = configurationOf(proxy, { port, latchkey: new URL(server.url).port, program, directory });
      const file = join(directory, proxy);
      writeFileSync(file, config);
      chmodSync(directory, 0o755);
      const args = proxy === "caddy" ? ["run", "--adapter", "caddyfile", "--config", file] : ["-c", file];
      const child = start([...command, ...args], { cwd: directory });
      const deadline = Date.now() + 10_000;
      while (Date.now() < deadline && child.exitCode === null) {
        if (
          await ask({}).then(
            () => true,
            () => false,
          )
        )
          return;
        await Bun.sleep(50);
      }
    }
    throw new Error(`${proxy} does not start`);
  });
  afterAll(async () => {
    for (const child of children) {
      child.kill("SIGKILL");
      await child.exited;
      forgetProcess(child.pid);
    }
    await server.stop();
    await database.close();
  });

  const ask = (headers: Record<string, string>, host = "tools.example.com") =>
    fetch(`http://127.0.0.1:${port}/`, {
      headers: { host: `${host}:${port}`, ...headers },
      redirect: "manual",
    });

  test("tells the program who a visitor is", async () => {
    const answer = await ask({ cookie });
    expect([answer.status, await answer.json()]).toMatchObject([200, { HTTP_X_AUTH_USER_ID: member.id }]);
  });

  test.each(spellings)("lets nobody say that he is somebody else by %s", async (header) => {
    const answer = await ask({ cookie, [header]: "admin" });
    expect([answer.status, await answer.json()]).toMatchObject([200, { HTTP_X_AUTH_USER_ID: member.id }]);
    const stranger = await ask({ [header]: "admin" });
    expect([302, 401]).toContain(stranger.status);
    expect(await stranger.text()).not.toContain("HTTP_X_AUTH");
  });

  test("passes latchkey through", async () => {
    expect((await ask({}, "auth.example.com")).status).not.toBe(502);
  });
}

interface Places {
  readonly port: number;
  readonly latchkey: string;
  readonly program: number;
  readonly directory: string;
}

/** The document's block, at the ports of this test. */
function configurationOf(proxy: "caddy" | "nginx", { port, latchkey, program, directory }: Places): string {
  const wanted = proxy === "caddy" ? "caddy: forward" : "nginx: verify";
  const block = readDocument("docs/proxies.md").blocks.find(({ marker }) => marker === wanted)?.code ?? "";
  const here = block
    .replaceAll("127.0.0.1:3001", `127.0.0.1:${latchkey}`)
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${program}`);
  if (proxy === "caddy")
    return `{\n\tadmin off\n\tauto_https off\n}\n${here.replaceAll(/^(auth|tools)\.example\.com/gm, `http://$1.example.com:${port}`)}`;
  const [, auth = "", tools = ""] = here.split(/^# (?:auth|tools)\.example\.com$/m);
  const site = (name: string, locations: string) =>
    `server {\nlisten 127.0.0.1:${port};\nserver_name ${name}.example.com;\n${locations}}\n`;
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  return [
    ...(process.getuid?.() === 0 ? ["user root;"] : []),
    `daemon off; master_process off; pid ${directory}/pid; error_log stderr error;`,
    `events {} http { access_log off; ${places.join(" ")}`,
    site("auth", auth),
    site("tools", tools),
    "}",
  ].join("\n");
}
