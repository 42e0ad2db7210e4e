import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type DebianPackage, debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type RunningApi, startFastApi } from "../support/fastapi.ts";
import { freePort } from "../support/free-port.ts";
import { addMember, type Member } from "../support/member.ts";
import { spawnProxy } from "../support/proxy.ts";
import { forgetProcess, temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

interface Place {
  readonly port: number;
  readonly latchkey: string;
  readonly directory: string;
}

/** A proxy between the API and latchkey, and how it passes answers on. */
interface Front {
  readonly name: string;
  readonly debian: DebianPackage;
  readonly scheme: "http" | "https";
  readonly coding: "chunked" | null;
  readonly configuration: (place: Place) => string;
  readonly args: readonly string[];
  /** The authority that signed the certificate, below the directory. */
  readonly authority?: string;
}

const fronts: readonly Front[] = [
  {
    name: "Caddy with a certificate of its own",
    debian: { suite: "bookworm", name: "caddy", program: "usr/bin/caddy" },
    scheme: "https",
    coding: null,
    configuration: ({ port, latchkey, directory }) =>
      `{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system ${directory}\n}\n` +
      `https://localhost:${port} {\n\ttls internal\n\treverse_proxy 127.0.0.1:${latchkey}\n}\n`,
    args: ["run", "--adapter", "caddyfile", "--config"],
    authority: "pki/authorities/local/root.crt",
  },
  {
    name: "nginx that rewrites bodies and so sends chunks",
    debian: { suite: "bookworm", name: "nginx", program: "usr/sbin/nginx" },
    scheme: "http",
    coding: "chunked",
    configuration: ({ port, latchkey, directory }) =>
      [
        ...(process.getuid?.() === 0 ? ["user root;"] : []),
        `daemon off; master_process off; pid ${directory}/pid; error_log stderr error;`,
        "events {} http { access_log off;",
        ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
          (kind) => `${kind}_temp_path ${directory}/${kind};`,
        ),
        `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${latchkey};`,
        'sub_filter_types application/json; sub_filter "nothing like this" ""; } } }',
      ].join("\n"),
    args: ["-c"],
  },
];

async function commandOf({ debian }: Front): Promise<readonly string[] | string> {
  try {
    return (await debianProgram(debian)).command;
  } catch (error) {
    return String(error);
  }
}

for (const front of fronts) {
  const command = await commandOf(front);
  const isHere = typeof command !== "string";
  describe.skipIf(!isHere)(`latchkey-fastapi through ${front.name}${isHere ? "" : ` (${command})`}`, () =>
    through(front, isHere ? command : []),
  );
}

function through(front: Front, command: readonly string[]): void {
  let database: TestDatabase;
  let latchkey: RunningLatchkey;
  let api: RunningApi;
  let proxy: Bun.Subprocess;
  let member: Member;
  let token: string;
  let cookie: string;
  const apiUrl = `http://localhost:${freePort()}`;
  const proxyPort = freePort();
  const proxyUrl = `${front.scheme}://localhost:${proxyPort}`;

  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    latchkey = await spawnLatchkey({ env: { ...database.env, LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8" } });
    member = await addMember(database);
    token = await member.session();
    cookie = member.browser(latchkey.origin, token).jar.header();
    const directory = temporaryDirectory("front");
    chmodSync(directory, 0o755);
    const file = join(directory, "configuration");
    const place = { port: proxyPort, latchkey: new URL(latchkey.url).port, directory };
    writeFileSync(file, front.configuration(place));
    proxy = spawnProxy([...command, ...front.args, file], directory);
    const authority = front.authority === undefined ? undefined : join(directory, front.authority);
    const deadline = performance.now() + 20_000;
    while (!(await answers()) || (authority !== undefined && !existsSync(authority))) {
      if (proxy.exitCode !== null || performance.now() > deadline)
        throw new Error("the proxy does not start");
      await Bun.sleep(50);
    }
    api = await startFastApi({
      port: Number(new URL(apiUrl).port),
      latchkeyUrl: proxyUrl,
      allowedOrigins: ["http://localhost:3000"],
      env: authority === undefined ? {} : { SSL_CERT_FILE: authority },
    });
  });
  afterAll(async () => {
    await api.stop();
    proxy.kill("SIGKILL");
    await proxy.exited;
    forgetProcess(proxy.pid);
    await latchkey.stop();
    await database.close();
  });

  const verify = () =>
    fetch(`${proxyUrl}/api/auth/verify`, {
      headers: { "accept-encoding": "identity" },
      tls: { rejectUnauthorized: false },
    });
  const answers = () =>
    verify().then(
      ({ status }) => status === 401,
      () => false,
    );
  const me = (headers: Record<string, string>) => fetch(`${apiUrl}/me`, { headers });

  test(front.coding === null ? "answers come with their length" : "answers come in chunks", async () => {
    const { headers } = await verify();
    expect([headers.get("transfer-encoding"), headers.has("content-length")]).toEqual([
      front.coding,
      front.coding === null,
    ]);
  });

  test("knows who is signed in, and who is not, over kept connections", async () => {
    for (let round = 0; round < 3; round += 1) {
      const answer = await me({ cookie });
      expect([answer.status, await answer.json()]).toMatchObject([200, { user: { id: member.id } }]);
      const stranger = await me({});
      expect([stranger.status, await stranger.json()]).toMatchObject([
        401,
        { detail: { code: "NO_CREDENTIALS" } },
      ]);
    }
  });

  test("says 503, never 401, while latchkey is away behind it", async () => {
    await latchkey.stop();
    for (const headers of [{ cookie }, {}] as const) {
      const answer = await me(headers);
      expect([answer.status, answer.headers.has("www-authenticate")]).toEqual([503, false]);
    }
  });
}
