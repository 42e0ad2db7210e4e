import { describe, expect, test } from "bun:test";
import { origin, textOf, visit } from "./requests.ts";
import type { Script } from "./scripted-pages.ts";

const anonymous = ["/signin", "/signup", "/signup?x=1", "/account/nothing"];
const known = ["/account", "/signout"];

describe("every page", () => {
  test.each([...anonymous, ...known])(
    "S44: %s has the whole set of headers and nothing inline",
    async (path) => {
      const { headers, html } = await visit({}, { signedIn: known.includes(path) }).get(path);
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "content-security-policy":
          "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'; " +
          "form-action 'self' http://localhost:3000 http://localhost:3001 http://localhost:8000 " +
          "http://localhost:5173 http://localhost:4321 http://localhost:8080; " +
          "base-uri 'none'; frame-ancestors 'none'",
      });
      expect(html).toStartWith('<!doctype html><html lang="en" data-locale="en-GB">');
      expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
      expect(
        [...html.matchAll(/<script([^>]*)>([^<]*)</g)].map(([, attributes, text]) => [attributes, text]),
      ).toEqual([[expect.stringMatching(/^ src="\/assets\/latchkey-[0-9a-f]{16}\.js" defer$/), ""]]);
    },
  );

  test("gives listed origins no way to read it", async () => {
    const { headers } = await visit({}, { signedIn: true }).get("/account", {
      origin: "http://localhost:3000",
    });
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("S43: answers HEAD and a trailing slash like GET", async () => {
    const visitor = visit();
    const get = await visitor.get("/signin");
    const head = await visitor.send(
      new Request(`${origin}/signin/`, { method: "HEAD", headers: { host: "localhost:3001" } }),
    );
    const { "x-request-id": _, ...expected } = Object.fromEntries(get.headers);
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toMatchObject(expected);
  });

  test("shows a configured brand, and allows exactly its logo", async () => {
    const env = {
      LATCHKEY_BRAND_NAME: "Kestrel <Docs>",
      LATCHKEY_BRAND_LOGO_URL: "http://localhost:3000/img/logo;v,2.svg?x=1",
      LATCHKEY_BRAND_ACCENT: "#0a7d5a",
    };
    const { html, headers } = await visit({ env }).get("/signin");
    expect(html).toContain("<title>Sign in to Kestrel &lt;Docs></title>");
    expect(html).toContain(
      '<img class="logo" src="http://localhost:3000/img/logo;v,2.svg?x=1" alt/><span>Kestrel &lt;Docs></span>',
    );
    expect(headers.get("content-security-policy")).toContain(
      "img-src 'self' http://localhost:3000/img/logo%3Bv%2C2.svg; ",
    );
    const stylesheet = /href="(\/assets\/[^"]+\.css)"/.exec(html)?.[1] ?? "";
    expect((await visit({ env }).get(stylesheet)).html).toContain("--accent:#0a7d5a");
  });
});

describe("assets", () => {
  const paths = async () =>
    [...(await visit().get("/signin")).html.matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? "");

  test("are kept for ever under the hash of their content", async () => {
    const types: string[] = [];
    for (const path of await paths()) {
      const { status, headers } = await visit().get(path);
      types.push(headers.get("content-type") ?? "");
      expect([status, headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
    }
    expect(types.sort()).toEqual([
      "font/woff2",
      "image/svg+xml",
      "text/css; charset=utf-8",
      "text/javascript; charset=utf-8",
    ]);
  });

  test("of another build are this build's, not to be kept", async () => {
    const { status, headers, html } = await visit().get("/assets/latchkey-0123456789abcdef.css");
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(html).toContain(":root");
  });

  test.each([
    "/assets/",
    "/assets/latchkey.css",
    "/assets/../package.json",
    "/assets/latchkey-0123456789abcdef.map",
  ])("%s is no asset", async (path) => {
    expect((await visit().get(path)).status).toBe(404);
  });
});

describe("what is no page", () => {
  const post = (body: string, headers: Record<string, string>, path = "/signin") =>
    visit().send(
      new Request(origin + path, {
        method: "POST",
        headers: { host: "localhost:3001", origin, ...headers },
        body,
      }),
    );
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const put = () =>
    visit().send(
      new Request(`${origin}/signin`, { method: "PUT", headers: { host: "localhost:3001", origin } }),
    );

  test.each([
    ["an unknown address", () => visit().get("/account/nothing"), 404, "Page not found"],
    ["another method", put, 405, "Page not found"],
    [
      "a form from elsewhere",
      () => post("", { ...form, origin: "https://evil.example" }),
      403,
      "This was not accepted",
    ],
    ["a form from nowhere", () => post("", { ...form, origin: "null" }), 403, "This was not accepted"],
    ["JSON", () => post("{}", { "content-type": "application/json" }), 415, "That link does not work"],
    ["too much", () => post(`email=${"x".repeat(33_000)}`, form), 413, "Too much at once"],
    ["a field twice", () => post("email=a&email=b", form), 400, "That link does not work"],
    [
      "a destination twice",
      () => visit().get("/signin?callbackUrl=/a&callbackUrl=/b"),
      400,
      "That link does not work",
    ],
    [
      "a destination in both places",
      () => post("callbackUrl=/a", form, "/signin?callbackUrl=/a"),
      400,
      "That link does not work",
    ],
  ] as const)("%s is answered in HTML", async (_name, ask, status, title) => {
    const answer = await ask();
    expect({ status: answer.status, type: answer.headers.get("content-type") }).toEqual({
      status,
      type: "text/html; charset=utf-8",
    });
    expect(answer.html).toContain(`<h1>${title}</h1>`);
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("a store that is out offers a retry of the same page", async () => {
    const script: Script = {
      answer: () => {
        throw new Error("database is on fire");
      },
    };
    const { status, html } = await visit(script, { signedIn: true }).post("/account/profile", {
      name: "Ann",
    });
    expect(status).toBe(500);
    expect(html).toContain(`href="${origin}/account/profile">Try again`);
    expect(html).not.toContain("fire");
    expect(html).toMatch(/<code>[\w-]+<\/code>/);
  });
});

describe("echoed text", () => {
  const attack = `"/><script>alert(1)</script>`;
  test.each([
    ["/signin", { email: attack, password: "x" }],
    ["/signup", { name: attack, email: attack, password: "x" }],
  ])("S37: %s keeps it text", async (path, fields) => {
    const script = {
      answer: () => Response.json({ code: "INVALID_EMAIL", message: attack }, { status: 400 }),
    };
    const { html } = await visit(script).post(path, { ...fields, callbackUrl: `/docs?x=${attack}` });
    expect(html).not.toContain("<script>alert");
    expect(html).toContain('value="&quot;/>&lt;script>alert(1)&lt;/script>"');
  });

  test("S37: a name on the account page stays text", async () => {
    const user = { name: attack, email: "ann@example.com" };
    const { html } = await visit({ user }, { signedIn: true }).get("/account");
    expect(html).not.toContain("<script>alert");
    expect(textOf(html, "profile-heading")).toBe("Profile");
  });
});
