import { describe, expect, test } from "bun:test";
import { diagnoseBy } from "./doctor-run.ts";

const proxied = { BETTER_AUTH_URL: "https://auth.example.com" };

/** The checks of the cookie and of the topology. */
async function cookiesOf(env: Readonly<Record<string, string>>) {
  const diagnosis = await diagnoseBy({ env });
  const at = (origin: string) => diagnosis.only(`cookie at ${origin}`);
  return { ...diagnosis, at, topology: diagnosis.only("topology").detail.split(":")[0] };
}

describe("doctor's cookie checks", () => {
  test.each([
    ["everything on this machine", {}],
    ["one origin", proxied],
    ["one host", { ...proxied, BETTER_AUTH_TRUSTED_ORIGINS: "https://auth.example.com:8443" }],
    [
      "sub-domains that share the cookie",
      {
        ...proxied,
        BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com,https://api.example.com",
        LATCHKEY_COOKIE_DOMAIN: "example.com",
      },
    ],
    [
      "sub-domains with the cookie on one host",
      { ...proxied, BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com" },
    ],
    ["cross-site", { ...proxied, BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.org" }],
  ])("name the topology %s", async (expected, env) => {
    expect((await cookiesOf(env)).topology).toBe(expected);
  });

  test("warn that a host-only cookie never reaches a sibling's server, and say which domain would", async () => {
    const { exitCode, at } = await cookiesOf({
      ...proxied,
      BETTER_AUTH_TRUSTED_ORIGINS: "https://api.example.com",
    });
    expect({ exitCode, ...at("https://api.example.com") }).toMatchObject({
      exitCode: 0,
      status: "warning",
      detail: expect.stringContaining("never to api.example.com itself"),
      remedy: expect.stringContaining("LATCHKEY_COOKIE_DOMAIN=example.com"),
    });
    expect(at("https://auth.example.com").status).toBe("ok");
  });

  test("warn that a cookie domain trusts every sibling", async () => {
    const env = { ...proxied, LATCHKEY_COOKIE_DOMAIN: "example.com" };
    expect((await cookiesOf(env)).only("cookie domain")).toMatchObject({
      status: "warning",
      detail: expect.stringContaining("each sub-domain is trusted"),
    });
  });

  test("are not made for a cookie domain that is a public suffix, and say why", async () => {
    const env = { BETTER_AUTH_URL: "https://auth.eu.ngrok.io", LATCHKEY_COOKIE_DOMAIN: "eu.ngrok.io" };
    const { exitCode, only } = await diagnoseBy({ env });
    expect({ exitCode, ...only("cookies") }).toMatchObject({
      exitCode: 1,
      status: "failure",
      detail: expect.stringContaining("strangers own other names under eu.ngrok.io"),
    });
  });

  test.each([
    ["https://docs.example.org", "BETTER_AUTH_URL=https://auth.example.org"],
    ["https://me.github.io", "under a domain of your own"],
    ["http://docs.example.com", "serve docs.example.com over https"],
    ["http://localhost:3000", "run a latchkey of its own on that machine"],
    ["https://10.1.2.3", "give both names under one domain"],
  ])("fail on %s, which is cross-site, and say what to do", async (origin, remedy) => {
    const { exitCode, at } = await cookiesOf({ ...proxied, BETTER_AUTH_TRUSTED_ORIGINS: origin });
    expect({ exitCode, ...at(origin) }).toMatchObject({
      exitCode: 1,
      status: "failure",
      detail: expect.stringContaining("neither stored nor sent by fetch"),
      remedy: expect.stringContaining(remedy),
    });
  });

  test("only warn of SameSite=None across sites, naming who blocks it", async () => {
    const env = {
      ...proxied,
      BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.org",
      LATCHKEY_COOKIE_SAMESITE: "none",
    };
    const { exitCode, at } = await cookiesOf(env);
    expect({ exitCode, ...at("https://docs.example.org") }).toMatchObject({
      exitCode: 0,
      status: "warning",
      detail: expect.stringMatching(/third-party cookies .*Safari, Firefox/),
    });
  });

  test("warn of SameSite=None that nothing needs", async () => {
    const env = { ...proxied, LATCHKEY_COOKIE_SAMESITE: "none" };
    expect((await cookiesOf(env)).only("cookie SameSite").status).toBe("warning");
  });

  test("tell localhost from 127.0.0.1", async () => {
    const { exitCode, at } = await cookiesOf({ BETTER_AUTH_URL: "http://127.0.0.1:3001" });
    expect({ exitCode, ...at("http://localhost:3000") }).toMatchObject({
      exitCode: 1,
      status: "failure",
      remedy: "BETTER_AUTH_URL=http://localhost:3001",
    });
    const other = await cookiesOf({ BETTER_AUTH_TRUSTED_ORIGINS: "http://127.0.0.1:3000" });
    expect(other.at("http://127.0.0.1:3000").remedy).toStartWith("open it as http://localhost:3000");
  });
});

describe("doctor's proxy checks", () => {
  test.each([
    { what: "local use", env: {}, detail: "none, for local use" },
    {
      what: "a proxy on this machine",
      env: proxied,
      detail: "client addresses come from 127.0.0.0/8, ::1/128",
    },
    {
      what: "a proxy elsewhere",
      env: { ...proxied, HOST: "0.0.0.0", LATCHKEY_TRUSTED_PROXIES: "10.0.0.0/8" },
      detail: "client addresses come from 10.0.0.0/8",
    },
  ])("accept $what", async ({ env, detail }) => {
    expect((await diagnoseBy({ env })).only("proxies")).toEqual({ name: "proxies", status: "ok", detail });
  });

  test.each([
    {
      what: "an https URL without a trusted proxy",
      env: { ...proxied, LATCHKEY_TRUSTED_PROXIES: "none" },
      detail: "every client counts as the proxy's address",
    },
    {
      what: "plain http open to others",
      env: { HOST: "0.0.0.0" },
      detail: "open to other machines over plain http",
    },
    {
      what: "a proxy on this machine that others can pass by",
      env: { ...proxied, HOST: "0.0.0.0", LATCHKEY_TRUSTED_PROXIES: "127.0.0.1" },
      detail: "can pass the proxy by",
    },
    {
      what: "a base URL on another port",
      env: { PORT: "4000", BETTER_AUTH_URL: "http://localhost:3001" },
      detail: "but latchkey listens on port 4000",
    },
    {
      what: "half the internet trusted",
      env: { ...proxied, LATCHKEY_TRUSTED_PROXIES: "128.0.0.0/1" },
      detail: "128.0.0.0/1 takes in much of the internet",
    },
  ])("warn of $what", async ({ env, detail }) => {
    const { exitCode, only } = await diagnoseBy({ env });
    expect({ exitCode, ...only("proxies") }).toMatchObject({
      exitCode: 0,
      status: "warning",
      detail: expect.stringContaining(detail),
    });
  });
});
