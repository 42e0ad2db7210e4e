import { describe, expect, test } from "bun:test";
import { takeEnvironment } from "../../src/environment.ts";

const SHARED = {
  PATH: "/bin",
  HOME: "/root",
  TMPDIR: "/tmp",
  TZ: "UTC",
  LANG: "C",
  LC_ALL: "C",
  TERM: "dumb",
  NO_COLOR: "1",
  FORCE_COLOR: "0",
  SSL_CERT_FILE: "/ca.pem",
  SSL_CERT_DIR: "/ca",
  NODE_EXTRA_CA_CERTS: "/ca.pem",
  XDG_CACHE_HOME: "/cache",
};
const TAKEN = {
  BETTER_AUTH_SECRET: "s",
  BETTER_AUTH_URL: "u",
  BETTER_AUTH_TELEMETRY: "1",
  AUTH_SECRET: "s",
  BASE_URL: "b",
  NUXT_PUBLIC_AUTH_URL: "n",
  GITHUB_CLIENT_SECRET: "g",
  DATABASE_URL: "d",
  PGPASSWORD: "p",
  TLS_POSTGRES_DATABASE_URL: "t",
  LATCHKEY_SIGN_UP: "closed",
  PORT: "1",
  TEST: "1",
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_ENV: "test",
  LCX: "not a locale",
};

describe("S59: takeEnvironment", () => {
  test("copies everything and leaves only what is shared", () => {
    const env: Record<string, string | undefined> = { ...SHARED, ...TAKEN, ABSENT: undefined };
    expect(takeEnvironment(env)).toEqual({ ...SHARED, ...TAKEN });
    expect(env).toEqual({ ...SHARED, NODE_ENV: "production" });
    expect("ABSENT" in env).toBe(false);
  });

  test("returns a frozen copy", () => {
    const env = { ...SHARED };
    const taken = takeEnvironment(env);
    env.PATH = "/elsewhere";
    expect(taken["PATH"]).toBe("/bin");
    expect(Object.isFrozen(taken)).toBe(true);
  });

  test("works on the real environment, and only when it is called", async () => {
    const module = JSON.stringify(new URL("../../src/environment.ts", import.meta.url).pathname);
    const program = `
      const { takeEnvironment } = await import(${module});
      const before = process.env.BETTER_AUTH_SECRET;
      const taken = takeEnvironment(process.env);
      const child = Bun.spawnSync(["/usr/bin/env"], { env: process.env }).stdout.toString();
      console.log(JSON.stringify({ before, taken: taken.BETTER_AUTH_SECRET, after: Bun.env.BETTER_AUTH_SECRET ?? null,
        nodeEnv: process.env.NODE_ENV, childSees: child.includes("canary"), path: process.env.PATH === taken.PATH }));`;
    const child = Bun.spawn([process.execPath, "--no-env-file", "-e", program], {
      env: { ...process.env, BETTER_AUTH_SECRET: "canary", NODE_ENV: "development" },
      stdout: "pipe",
    });
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual({
      before: "canary",
      taken: "canary",
      after: null,
      nodeEnv: "production",
      childSees: false,
      path: true,
    });
  });
});
