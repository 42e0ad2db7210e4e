import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient, type FormAnswer, type FormClient } from "../support/form-client.ts";

setDefaultTimeout(60_000);

const base = "https://auth.example.com";
const docs = "https://docs.example.com";
const listed = [docs, "https://app.example.com", "http://localhost:3000", base];
const person = { name: "Ann", email: "ann@example.com", password: "correct horse battery" };

/** Lines in which only `\uXXXX` is an escape, each as it is and percent-encoded. */
function corpus(name: string): { readonly line: string; readonly encoded: string; readonly raw: string }[] {
  return readFileSync(join(import.meta.dir, "../corpora", name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const text = line.replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
      return { line, encoded: encodeURIComponent(text.toWellFormed()), raw: text };
    });
}

const attacks = corpus("callback-urls.txt");
const controls = corpus("callback-urls-ok.txt");

let database: TestDatabase;
let server: RunningLatchkey;
let ann: FormClient;
const stranger = () => createFormClient(server.url, base);

beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  server = await spawnLatchkey({
    env: {
      ...database.env,
      BETTER_AUTH_URL: base,
      BETTER_AUTH_TRUSTED_ORIGINS: listed.slice(0, 3).join(","),
      LATCHKEY_COOKIE_DOMAIN: "example.com",
    },
  });
  ann = stranger();
  expect((await ann.post("/signup", person)).status).toBe(303);
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

/** Where the browser would land: by the redirect, or by the link that the visitor is offered. */
function landing({ html, location }: FormAnswer): string | undefined {
  return location ?? attribute(html, /<a class="button primary" href="([^"]*)">Continue/);
}

function expectListed(address: string | undefined): void {
  const url = new URL(address ?? "nowhere:");
  expect(listed).toContain(url.origin);
  expect([url.href, url.username + url.password]).toEqual([address ?? "", ""]);
}

/** Sends a request line as it is. @returns its answer's head. */
async function rawGet(target: string, cookie: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  let text = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(server.url).port),
    socket: {
      data: (_socket, chunk) => {
        text += chunk.toString("latin1");
        if (text.includes("\r\n\r\n")) answer.resolve(text);
      },
      close: () => answer.resolve(text),
    },
  });
  socket.write(
    `GET ${target} HTTP/1.1\r\nHost: auth.example.com\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
  );
  const head = await answer.promise;
  socket.end();
  return head;
}

describe("S36: whatever the string, the browser lands on a listed origin", () => {
  test.each(attacks.map(({ line, encoded }) => [line, encoded]))("by query: %s", async (_line, encoded) => {
    const answer = await ann.get(`/signin?callbackUrl=${encoded}`);
    expectListed(landing(answer));
    expect(answer.headers.get("set-cookie")).toBeNull();
    const form = await stranger().get(`/signin?callbackUrl=${encoded}`);
    const field = attribute(form.html, /name="callbackUrl" value="([^"]*)"/);
    if (field !== undefined) expectListed(field);
  });

  test.each(attacks.map(({ line, raw }) => [line, raw]))("by query, raw: %s", async (_line, raw) => {
    const head = await rawGet(`/signin?callbackUrl=${raw}`, ann.jar.header());
    const location = /^location: (.*)\r$/im.exec(head)?.[1];
    // 505 is the parser's, where the string ends the request line.
    expect(head).toMatch(/^HTTP\/1\.1 (?:[234]\d\d|505) /);
    if (location !== undefined) expectListed(location);
    expect(head).not.toMatch(/^(?:set-cookie: pwned|x-injected)/im);
  });

  test.each(
    attacks.flatMap(({ line, encoded, raw }) => [
      [line, encoded],
      [`${line} (raw)`, raw.toWellFormed()],
    ]),
  )("by form: %s", async (_line, value) => {
    const answer = await stranger().post("/signout", `callbackUrl=${value}`);
    // Raw, an ampersand or a percent sign may make another form of it.
    expect([303, 400]).toContain(answer.status);
    if (answer.status === 303) expectListed(answer.location ?? undefined);
  });
});

describe("S36: an honest destination is reached exactly", () => {
  const exact = controls.map(({ line, encoded }) => [line, encoded, new URL(line, docs).href] as const);

  test.each(exact)("by query: %s", async (_line, encoded, href) => {
    expect(landing(await ann.get(`/signin?callbackUrl=${encoded}`))).toBe(href);
  });

  test.each(exact)(
    "over a failed attempt, the sign-up link and the form: %s",
    async (line, encoded, href) => {
      const visitor = stranger();
      const signIn = await visitor.get(`/signin?callbackUrl=${encoded}`);
      const fieldOf = ({ html }: FormAnswer) => attribute(html, /name="callbackUrl" value="([^"]*)"/) ?? "";
      const failed = await visitor.post("/signin", {
        email: "x",
        password: "y",
        callbackUrl: fieldOf(signIn),
      });
      expect(failed.status).toBe(400);
      const signUp = await visitor.get(attribute(failed.html, /href="(\/signup[^"]*)"/) ?? "");
      const email = `to-${exact.findIndex(([known]) => known === line)}@example.com`;
      const done = await visitor.post("/signup", { ...person, email, callbackUrl: fieldOf(signUp) });
      expect([done.status, done.location]).toEqual([303, href]);
    },
  );

  test.each(exact)("after signing out: %s", async (_line, encoded, href) => {
    const visitor = stranger();
    expect((await visitor.get(`/signout?callbackUrl=${encoded}`)).location).toBe(href);
    expect((await visitor.post("/signout", `callbackUrl=${encoded}`)).location).toBe(href);
  });
});

describe("S51: a repeated callbackUrl", () => {
  test.each([
    ["in the query", () => stranger().get("/signin?callbackUrl=/a&callbackUrl=/a")],
    ["in the query, signed in", () => ann.get("/signin?callbackUrl=/a&callbackUrl=/a")],
    ["in the form", () => stranger().post("/signin", "email=a&password=b&callbackUrl=/a&callbackUrl=/a")],
    ["in both", () => stranger().post("/signout?callbackUrl=/a", "callbackUrl=/a")],
    ["of the sign-out", () => ann.get("/signout?callbackUrl=/a&callbackUrl=//evil.com")],
  ])("%s is 400", async (_where, ask) => {
    const { status, location, headers } = await ask();
    expect([status, location, headers.get("content-type")]).toEqual([400, null, "text/html; charset=utf-8"]);
  });
});
