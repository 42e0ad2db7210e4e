import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import {
  commandsOf,
  installPython,
  linkPackages,
  pasteFiles,
  type StartedProgram,
  startProgram,
} from "../support/paste.ts";
import { readDocument } from "../support/readme.ts";
import { startTcpRelay, type TcpRelay } from "../support/tcp-relay.ts";

setDefaultTimeout(300_000);

const readme = readDocument("README.md");
const clients = readDocument("docs/clients.md");
const site = "http://localhost:3000";
const apis = ["fastapi", "httpx", "hono", "express"] as const;
type Api = (typeof apis)[number];

let latchkey: RunningLatchkey;
let relay: TcpRelay;
let cookie: string;
const programs: StartedProgram[] = [];
const urls = new Map<Api, string>();

/** Pastes, installs and starts as the document says, but for the port and latchkey's address. */
async function startApi(api: Api): Promise<void> {
  const port = freePort();
  const url = `http://localhost:${port}`;
  const isPython = api === "fastapi" || api === "httpx";
  const document = api === "fastapi" ? readme : clients;
  const { installing, starting } = commandsOf(document, api);
  const directory = pasteFiles(document, isPython ? api : "node");
  if (isPython) symlinkSync(await installPython(installing), join(directory, ".venv"));
  else await linkPackages(installing, directory);
  programs.push(
    await startProgram(starting.replace(/ 8000$/, ` ${port}`), {
      cwd: directory,
      url,
      env: { LATCHKEY_URL: `http://127.0.0.1:${relay.port}`, PORT: String(port) },
    }),
  );
  urls.set(api, url);
}

beforeAll(async () => {
  latchkey = await spawnLatchkey({ env: {} });
  relay = await startTcpRelay({ targetPort: Number(new URL(latchkey.url).port) });
  const answer = await fetch(`${latchkey.url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "Ann", email: "ann@example.com", password: "correct horse battery" }),
  });
  expect(answer.status).toBe(200);
  cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  await Promise.all(apis.map(startApi));
});
afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  await relay.close();
  await latchkey.stop();
});

const ask = (api: Api, headers: Record<string, string> = { cookie, origin: site }, method = "GET") =>
  fetch(`${urls.get(api)}/me`, { method, headers });
/** What lets a page of the site read an answer, the refusals included. */
const readable = (answer: Response) => [
  answer.status,
  answer.headers.get("access-control-allow-origin"),
  answer.headers.get("access-control-allow-credentials"),
];

describe.each(apis)("10-B6: the documented file for %s, as pasted,", (api) => {
  test("knows who is signed in", async () => {
    const answer = await ask(api);
    expect(readable(answer)).toEqual([200, site, "true"]);
    expect(await answer.json()).toMatchObject({ name: "Ann", email: "ann@example.com" });
  });

  test.each([
    ["nobody", ""],
    ["somebody whose cookie is forged", "better-auth.session_token=forged.AAAA"],
  ])("answers 401 to %s, and a page can read it", async (_who, forged) => {
    const answer = await ask(api, { origin: site, ...(forged === "" ? {} : { cookie: forged }) });
    expect(readable(answer)).toEqual([401, site, "true"]);
    expect(await answer.text()).not.toContain("ann@example.com");
  });

  test("lets the site's pages ask first, and no other site's read", async () => {
    const preflight = (origin: string, method = "GET") =>
      ask(
        api,
        {
          origin,
          "access-control-request-method": method,
          "access-control-request-headers": "content-type",
        },
        "OPTIONS",
      );
    const allowed = await preflight(site);
    expect(readable(allowed)).toEqual([allowed.status, site, "true"]);
    expect([200, 204]).toContain(allowed.status);
    expect(allowed.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("content-type");
    // The first route that a reader adds takes JSON.
    const posting = await preflight(site, "POST");
    expect([200, 204]).toContain(posting.status);
    expect(posting.headers.get("access-control-allow-methods")).toContain("POST");
    const other = "http://localhost:4999";
    for (const answer of [await preflight(other), await ask(api, { cookie, origin: other })])
      expect(["*", other]).not.toContain(answer.headers.get("access-control-allow-origin"));
  });

  test("knows somebody who has another program's cookie beside it, of bytes beyond ASCII", async () => {
    const answer = await ask(api, { cookie: `name=J\u00fcrgen; ${cookie}`, origin: site });
    expect(answer.status).toBe(200);
  });

  test("does not keep one visitor's cookie for the next", async () => {
    expect((await ask(api)).status).toBe(200);
    expect((await ask(api, { origin: site })).status).toBe(401);
  });
});

/** Whom the pasted code believes the cookie's bearer to be, as it says itself. */
const askers = {
  node: [
    "node --input-type=module --eval",
    `import { whoIs } from "./latchkey.mjs";
    console.log(await whoIs(process.env.COOKIE).then((user) => JSON.stringify(user), () => "nobody can tell"));`,
  ],
  httpx: [
    ".venv/bin/python -c",
    `import asyncio, os, main, starlette.requests
request = starlette.requests.Request({"type": "http", "headers": [(b"cookie", os.environb[b"COOKIE"])]})
try: print(asyncio.run(main.who_is(request)))
except main.HTTPException as error: print("nobody can tell" if error.status_code == 503 else error)`,
  ],
} as const;

test.each(["node", "httpx"] as const)(
  "10-B6: %s lets no answer but latchkey's own sign anybody in or out",
  async (name) => {
    const directory = pasteFiles(clients, name);
    const [command, code] = askers[name];
    if (name === "httpx")
      symlinkSync(await installPython(commandsOf(clients, name).installing), join(directory, ".venv"));
    const good = `${latchkey.url}/api/auth/verify`;
    const answers: readonly (readonly [string, () => Response])[] = [
      ["a redirect to a good answer", () => Response.redirect(good)],
      ["a page that says 200", () => new Response("<p>Welcome to this network")],
      ["somebody else's JSON", () => Response.json({ user: { name: "Eve" } })],
      ["somebody else's 401", () => new Response("Who are you?", { status: 401 })],
      ["a proxy's 502", () => Response.json({ valid: false }, { status: 502 })],
    ];
    const outcomes = await Promise.all(
      answers.map(async ([what, answer]) => {
        const front = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
        const child = Bun.spawn([...command.split(" "), code], {
          cwd: directory,
          env: { PATH: process.env["PATH"] ?? "", COOKIE: cookie, LATCHKEY_URL: front.url.origin },
        });
        const said = (await child.stdout.text()).trim();
        await front.stop(true);
        return [what, said];
      }),
    );
    expect(outcomes).toEqual(answers.map(([what]) => [what, "nobody can tell"]));
  },
);

describe("10-B6: while latchkey cannot be asked", () => {
  test("each answers 503 after seven seconds of silence, and a page can read it", async () => {
    relay.stall(true);
    const answers = await Promise.all(
      apis.map(async (api) => {
        const begun = performance.now();
        const answer = await ask(api);
        return [api, readable(answer), Math.round((performance.now() - begun) / 1000)];
      }),
    );
    relay.stall(false);
    expect(answers).toEqual(apis.map((api) => [api, [503, site, "true"], 7]));
    for (const api of apis) expect([api, (await ask(api)).status]).toEqual([api, 200]);
  });

  test.each(apis)("%s answers 503 at once when latchkey is stopped", async (api) => {
    await relay.close();
    await latchkey.stop();
    const begun = performance.now();
    expect(readable(await ask(api))).toEqual([503, site, "true"]);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
