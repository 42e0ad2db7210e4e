import { describe, expect, test } from "bun:test";
import { settingList } from "../../src/config/settings.ts";
import { filesIn, load, problemsOf, STRONG_SECRET } from "./load.ts";

const HTTPS = { BETTER_AUTH_URL: "https://auth.example.com" };

describe("loadConfig", () => {
  test("has a default for everything", () => {
    const { config, warnings } = load({});
    expect(config).toEqual({
      host: "127.0.0.1",
      port: 3001,
      tls: null,
      socket: null,
      workers: 1,
      baseUrl: "http://localhost:3001",
      secure: false,
      database: { driver: "sqlite", path: "/srv/latchkey/data/latchkey.db" },
      dataDir: "/srv/latchkey/data",
      backups: null,
      secrets: [],
      secretsVersion: 0,
      trustedOrigins: [3000, 3001, 8000, 5173, 4321, 8080].map((port) => `http://localhost:${port}`),
      defaultRedirectUrl: "http://localhost:3000",
      defaultRedirectIsGuess: true,
      cookieDomain: null,
      cookieSameSite: "lax",
      trustedProxies: [],
      signUp: "open",
      signUpDomains: [],
      passwordMinLength: 8,
      passwordCommon: "refuse",
      passwordBreached: null,
      sessionExpiresInSeconds: 604_800,
      sessionUpdateAgeSeconds: 86_400,
      sessionMaxAgeSeconds: 2_592_000,
      sessionsMax: 50,
      bearer: "off",
      logLevel: "info",
      logFormat: "json",
      logEmails: false,
      hashConcurrency: 3,
      hashesOnSpareCore: true,
      hashQueue: 256,
      brandName: "latchkey",
      brandLogoUrl: null,
      brandAccent: "#3355cc",
      brandAccentDark: "#3355cc",
      contact: null,
      metrics: null,
      mail: null,
      emailVerification: "off",
      mailNewDevice: true,
      limits: {
        signIn: { points: 50, seconds: 900 },
        signUp: { points: 60, seconds: 3_600 },
        mail: { points: 1_000, seconds: 3_600 },
        connections: 1_000,
      },
    });
    expect(warnings).toEqual([]);
  });

  test("reads a whole production environment", () => {
    const { config, warnings } = load({
      PORT: "8443",
      HOST: "0.0.0.0",
      LATCHKEY_LISTEN: "unix:/run/latchkey/latchkey.sock",
      LATCHKEY_LISTEN_MODE: "0600",
      LATCHKEY_LISTEN_GROUP: "www-data",
      LATCHKEY_WORKERS: "auto",
      DATABASE_URL: "postgresql://app:pw@db.example.com/auth?sslmode=verify-full",
      LATCHKEY_DATA_DIR: "/var/lib/latchkey",
      BETTER_AUTH_SECRET: STRONG_SECRET,
      BETTER_AUTH_URL: "https://auth.example.com/",
      BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com/, https://api.example.com",
      LATCHKEY_DEFAULT_REDIRECT_URL: "https://docs.example.com/welcome",
      LATCHKEY_COOKIE_DOMAIN: ".example.com",
      LATCHKEY_COOKIE_SAMESITE: "none",
      LATCHKEY_TRUSTED_PROXIES: "10.0.0.0/8",
      LATCHKEY_SIGN_UP: "closed",
      LATCHKEY_SIGN_UP_DOMAINS: "Example.com, bücher.example,example.com",
      LATCHKEY_PASSWORD_MIN_LENGTH: "15",
      LATCHKEY_PASSWORD_COMMON: "allow",
      LATCHKEY_PASSWORD_BREACHED: "api",
      LATCHKEY_SESSION_EXPIRES_IN: "12h",
      LATCHKEY_SESSION_UPDATE_AGE: "30m",
      LATCHKEY_SESSION_MAX_AGE: "2d",
      LATCHKEY_SESSIONS_MAX: "3",
      LATCHKEY_BEARER: "signed",
      LOG_LEVEL: "DEBUG",
      LATCHKEY_LOG_FORMAT: "pretty",
      LATCHKEY_LOG_EMAILS: "on",
      LATCHKEY_HASH_CONCURRENCY: "2",
      LATCHKEY_HASH_QUEUE: "64",
      LATCHKEY_DATABASE_CONNECTIONS: "40",
      LATCHKEY_BRAND_NAME: "Example",
      LATCHKEY_BRAND_LOGO_URL: "https://docs.example.com/logo.svg",
      LATCHKEY_BRAND_ACCENT: "#0A7D5A",
      LATCHKEY_METRICS_LISTEN: "[::]:9464",
      LATCHKEY_METRICS_TOKEN: STRONG_SECRET,
    });
    expect(config).toEqual({
      host: "0.0.0.0",
      port: 8443,
      tls: null,
      socket: { path: "/run/latchkey/latchkey.sock", mode: 0o600, group: "www-data" },
      workers: 4,
      baseUrl: "https://auth.example.com",
      secure: true,
      database: {
        driver: "postgres",
        url: "postgresql://app:pw@db.example.com/auth?sslmode=verify-full",
        connections: 40,
      },
      dataDir: "/var/lib/latchkey",
      backups: null,
      secrets: [STRONG_SECRET],
      secretsVersion: 1,
      trustedOrigins: ["https://docs.example.com", "https://api.example.com", "https://auth.example.com"],
      defaultRedirectUrl: "https://docs.example.com/welcome",
      defaultRedirectIsGuess: false,
      cookieDomain: "example.com",
      cookieSameSite: "none",
      trustedProxies: ["10.0.0.0/8"],
      signUp: "closed",
      signUpDomains: ["example.com", "xn--bcher-kva.example"],
      passwordMinLength: 15,
      passwordCommon: "allow",
      passwordBreached: { by: "api", url: "https://api.pwnedpasswords.com/range" },
      sessionExpiresInSeconds: 43_200,
      sessionUpdateAgeSeconds: 1_800,
      sessionMaxAgeSeconds: 172_800,
      sessionsMax: 3,
      bearer: "signed",
      logLevel: "debug",
      logFormat: "pretty",
      logEmails: true,
      hashConcurrency: 2,
      hashesOnSpareCore: false,
      hashQueue: 64,
      brandName: "Example",
      brandLogoUrl: "https://docs.example.com/logo.svg",
      brandAccent: "#0a7d5a",
      brandAccentDark: "#0a7d5a",
      contact: null,
      metrics: { listen: { host: "::", port: 9464 }, token: STRONG_SECRET },
      mail: null,
      emailVerification: "off",
      mailNewDevice: true,
      limits: {
        signIn: { points: 50, seconds: 900 },
        signUp: { points: 60, seconds: 3_600 },
        mail: { points: 1_000, seconds: 3_600 },
        connections: 1_000,
      },
    });
    expect(warnings).toEqual([]);
  });

  test("reports every problem at once, each with a remedy", () => {
    const problems = problemsOf({
      PORT: "99999",
      HOST: "nowhere at all",
      DATABASE_URL: "postgres://u:p@h/db?sslmode=off",
      BETTER_AUTH_URL: "http://auth.example.com",
      BETTER_AUTH_TRUSTED_ORIGINS: "*,null",
      LATCHKEY_COOKIE_DOMAIN: "com",
      LATCHKEY_TRUSTED_PROXIES: "localhost",
      LATCHKEY_SIGN_UP: "maybe",
      LATCHKEY_SESSION_EXPIRES_IN: "a week",
      LATCHKEY_SINGUP: "open",
    });
    expect(problems.map(({ variable }) => variable)).toEqual([
      "LATCHKEY_SINGUP",
      "PORT",
      "HOST",
      "DATABASE_URL",
      "BETTER_AUTH_SECRET",
      "BETTER_AUTH_URL",
      "BETTER_AUTH_TRUSTED_ORIGINS",
      "BETTER_AUTH_TRUSTED_ORIGINS",
      "LATCHKEY_COOKIE_DOMAIN",
      "LATCHKEY_TRUSTED_PROXIES",
      "LATCHKEY_SIGN_UP",
      "LATCHKEY_SESSION_EXPIRES_IN",
    ]);
    for (const { reason, remedy } of problems) {
      expect(reason).not.toBe("");
      expect(reason).not.toEndWith(".");
      expect(remedy).not.toBe("");
    }
  });

  test("takes an empty value as unset", () => {
    const names = [
      "PORT",
      "HOST",
      "DATABASE_URL",
      "DATABASE_URL_FILE",
      "BETTER_AUTH_SECRET",
      "BETTER_AUTH_URL",
    ];
    const more = [
      "BETTER_AUTH_TRUSTED_ORIGINS",
      "CORS_ALLOWED_ORIGINS",
      "LATCHKEY_SIGN_UP",
      "LATCHKEY_UNHEARD_OF",
    ];
    const env = Object.fromEntries([...names, ...more].map((name) => [name, ""]));
    expect(load(env).config).toEqual(load({}).config);
  });

  test("S59: does not depend on NODE_ENV, TEST, CI or AUTH_SECRET", () => {
    const env = {
      NODE_ENV: "test",
      TEST: "1",
      CI: "true",
      AUTH_SECRET: STRONG_SECRET,
      BASE_URL: "https://x.example",
    };
    expect(load(env).config).toEqual(load({}).config);
  });

  test("logs prettily on a terminal", () => {
    expect(load({}, { isTerminal: true }).config.logFormat).toBe("pretty");
  });

  test.each([
    [1, 1],
    [2, 1],
    [64, 63],
  ])("hashes on fewer than %i cores: %i", (cpuCount, hashConcurrency) => {
    expect(load({}, { cpuCount }).config.hashConcurrency).toBe(hashConcurrency);
  });

  test.each([
    [1, {}, false],
    [2, {}, true],
    [4, { LATCHKEY_HASH_CONCURRENCY: "3" }, false],
  ])("has a spare core on %i cores with %p: %p", (cpuCount, env, isSpare) => {
    expect(load(env, { cpuCount }).config.hashesOnSpareCore).toBe(isSpare);
  });

  test("says why there are not as many hashes as cores", () => {
    const [problem] = problemsOf({ LATCHKEY_HASH_CONCURRENCY: "4" });
    expect(problem).toMatchObject({
      reason: "4 leaves no core for anything else",
      remedy: "write a whole number from 1 to 3",
    });
    expect(problemsOf({ LATCHKEY_HASH_CONCURRENCY: "2" }, { cpuCount: 1 })).toHaveLength(1);
    expect(load({ LATCHKEY_HASH_CONCURRENCY: "1" }, { cpuCount: 1 }).config.hashConcurrency).toBe(1);
  });

  test.each([
    ["PORT", "-1"],
    ["PORT", "65536"],
    ["PORT", "3001x"],
    ["PORT", "1e3"],
    ["HOST", "[::1]"],
    ["HOST", "http://localhost"],
    ["HOST", "localhost:3001"],
    ["HOST", "*"],
    ["HOST", "256.1.1.1"],
    ["HOST", "127.1"],
    ["LATCHKEY_SIGN_UP", "yes"],
    ...[",", "*.example.com", "@example.com", "example", "https://example.com", "a b.example"].map(
      (text) => ["LATCHKEY_SIGN_UP_DOMAINS", text] as const,
    ),
    ["LATCHKEY_PASSWORD_MIN_LENGTH", "7"],
    ["LATCHKEY_PASSWORD_MIN_LENGTH", "129"],
    ["LATCHKEY_PASSWORD_MIN_LENGTH", "8.5"],
    ["LATCHKEY_PASSWORD_COMMON", "off"],
    ["LATCHKEY_PASSWORD_BREACHED", "on"],
    ["LATCHKEY_SESSIONS_MAX", "0"],
    ["LATCHKEY_SESSIONS_MAX", "10001"],
    ["LATCHKEY_BEARER", "on"],
    ["LOG_LEVEL", "loud"],
    ["LATCHKEY_LOG_FORMAT", "xml"],
    ["LATCHKEY_HASH_CONCURRENCY", "0"],
    ["LATCHKEY_HASH_CONCURRENCY", "4"],
    ["LATCHKEY_HASH_QUEUE", "0"],
    ["LATCHKEY_HASH_QUEUE", "10001"],
    ["LATCHKEY_LISTEN", "/run/latchkey.sock"],
    ["LATCHKEY_LISTEN", "unix:latchkey.sock"],
    ["LATCHKEY_LISTEN", "unix:///run/latchkey.sock"],
    ["LATCHKEY_LISTEN", `unix:/${"x".repeat(96)}`],
    ["LATCHKEY_LISTEN_MODE", "660"],
    ["LATCHKEY_LISTEN_GROUP", "www-data"],
    ["LATCHKEY_WORKERS", "0"],
    ["LATCHKEY_WORKERS", "65"],
    ["LATCHKEY_WORKERS", "all"],
    ["LATCHKEY_DATA_DIR", "~/latchkey"],
    ["LATCHKEY_DATA_DIR", "/srv/a\nb"],
    ["LATCHKEY_COOKIE_SAMESITE", "strict"],
    ["LATCHKEY_DATABASE_DRIVER", "mysql"],
  ])("refuses %s=%s and nothing else", (name, value) => {
    expect(problemsOf({ [name]: value }).map(({ variable }) => variable)).toEqual([name]);
  });

  test.each([
    ["PORT", "1", "port", 1],
    ["PORT", "65535", "port", 65_535],
    ["HOST", "LOCALHOST", "host", "localhost"],
    ["HOST", "1.auth.0xyz.internal", "host", "1.auth.0xyz.internal"],
    ["LATCHKEY_SIGN_UP", "Open", "signUp", "open"],
    ["LATCHKEY_PASSWORD_MIN_LENGTH", "8", "passwordMinLength", 8],
    ["LATCHKEY_PASSWORD_MIN_LENGTH", "128", "passwordMinLength", 128],
    ["LATCHKEY_PASSWORD_COMMON", "Allow", "passwordCommon", "allow"],
    ["LATCHKEY_SESSIONS_MAX", "1", "sessionsMax", 1],
    ["LATCHKEY_SESSIONS_MAX", "10000", "sessionsMax", 10_000],
    ["LATCHKEY_BEARER", "off", "bearer", "off"],
    ["LATCHKEY_LOG_FORMAT", "json", "logFormat", "json"],
    ["LATCHKEY_HASH_QUEUE", "1", "hashQueue", 1],
    ["LATCHKEY_HASH_QUEUE", "10000", "hashQueue", 10_000],
    ["LATCHKEY_DATA_DIR", "/srv/a~/b", "dataDir", "/srv/a~/b"],
    ...["trace", "debug", "info", "warn", "error", "fatal", "silent"].map(
      (level) => ["LOG_LEVEL", level, "logLevel", level] as const,
    ),
  ] as const)("accepts %s=%s", (name, value, key, expected) => {
    expect(load({ [name]: value }, { isTerminal: true }).config).toMatchObject({ [key]: expected });
  });

  test.each([
    ["*", "is not an address", "write 0.0.0.0 (every interface)"],
    ["[::1]", "has brackets", "write ::1"],
    ["https://0.0.0.0", "is a URL", "127.0.0.1"],
    ["localhost:3001", "has a port", "goes into PORT"],
    ["a b", "is neither", "127.0.0.1"],
    ["[x]", "is neither", "127.0.0.1"],
    ["-a.example", "is neither", "127.0.0.1"],
    ["10.0.0.0x1", "is neither", "127.0.0.1"],
    [`${"a".repeat(64)}.example`, "is neither", "127.0.0.1"],
    [`${"a.".repeat(127)}ab`, "is neither", "127.0.0.1"],
  ])("says what is wrong with HOST=%s", (host, reason, remedy) => {
    expect(problemsOf({ HOST: host })).toEqual([
      {
        variable: "HOST",
        reason: expect.stringContaining(reason),
        remedy: expect.stringContaining(remedy),
      },
    ]);
  });

  test("reports the same mistake in two variables twice, in one variable once", () => {
    const problems = problemsOf({
      PORT: "x",
      LATCHKEY_HASH_QUEUE: "x",
      LATCHKEY_SESSION_EXPIRES_IN: "7d\n8d",
    });
    expect(problems.map(({ variable }) => variable)).toEqual([
      "PORT",
      "LATCHKEY_SESSION_EXPIRES_IN",
      "LATCHKEY_HASH_QUEUE",
    ]);
  });

  test("shortens a long value", () => {
    const [problem] = problemsOf({ LATCHKEY_SIGN_UP: `${"x".repeat(80)}yz` });
    expect(problem?.reason).toBe(`"${"x".repeat(80)}…" is not one of open, closed, invited`);
  });

  test("suggests the level that other loggers call warning", () => {
    expect(problemsOf({ LOG_LEVEL: "WARNING" })[0]?.remedy).toStartWith("write warn ");
  });

  test.each(["::1", "127.0.0.1", "localhost", "0.0.0.0", "::", "auth-1.internal"])(
    "listens on HOST=%s",
    (host) => {
      expect(load({ HOST: host }).config.host).toBe(host);
    },
  );

  test("warns when HOST is open and the base URL is not given", () => {
    expect(load({ HOST: "0.0.0.0" }).warnings).toEqual([expect.stringContaining("BETTER_AUTH_URL")]);
    expect(load({ HOST: "0.0.0.0", BETTER_AUTH_URL: "http://localhost:3001" }).warnings).toEqual([]);
  });
});

describe("data directory", () => {
  test.each([
    [{}, "/srv/latchkey/data"],
    [{ LATCHKEY_DATA_DIR: "state/../x" }, "/srv/latchkey/x"],
    [{ STATE_DIRECTORY: "/var/lib/latchkey" }, "/var/lib/latchkey"],
    [{ STATE_DIRECTORY: "/var/lib/one:/var/lib/two" }, "/var/lib/one"],
    [{ STATE_DIRECTORY: "/var/lib/one", LATCHKEY_DATA_DIR: "/data" }, "/data"],
  ])("%j is %s", (env, dataDir) => {
    const { config } = load(env);
    expect(config).toMatchObject({ dataDir, database: { driver: "sqlite", path: `${dataDir}/latchkey.db` } });
  });
});

describe("settings", () => {
  test("show what was chosen for proxies, cookies and keys", () => {
    const shown = (env: Record<string, string>) =>
      Object.fromEntries(load(env).settings.map(({ name, value }) => [name, value]));
    expect(shown({ ...HTTPS, LATCHKEY_COOKIE_DOMAIN: "example.com" })).toMatchObject({
      BETTER_AUTH_URL: "https://auth.example.com",
      LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8,::1/128",
      LATCHKEY_COOKIE_DOMAIN: "example.com",
      BETTER_AUTH_SECRET: "(kept in the data directory)",
      BETTER_AUTH_SECRETS: "",
    });
    expect(shown({ BETTER_AUTH_SECRETS: `1:${STRONG_SECRET}` })).toMatchObject({
      BETTER_AUTH_URL: "http://localhost:3001",
      LATCHKEY_TRUSTED_PROXIES: "none",
      LATCHKEY_COOKIE_DOMAIN: "",
      BETTER_AUTH_SECRET: "",
      BETTER_AUTH_SECRETS: "********",
    });
    const neon = { DATABASE_URL: "postgres://a@x.neon.tech/b", LATCHKEY_NEON_PROXY: "ws://localhost:1" };
    expect(shown({ ...neon, BETTER_AUTH_SECRET: STRONG_SECRET })).toMatchObject({
      LATCHKEY_NEON_PROXY: "ws://localhost:1",
      BETTER_AUTH_SECRET: "********",
    });
  });

  test("name every variable once with its value and source", () => {
    const { settings } = load(
      {
        ...HTTPS,
        BETTER_AUTH_SECRET_FILE: "/run/secrets/key",
        CORS_ALLOWED_ORIGINS: "https://docs.example.com",
        STATE_DIRECTORY: "/var/lib/latchkey",
        LATCHKEY_SESSION_EXPIRES_IN: "604800",
      },
      { readFile: filesIn({ "/run/secrets/key": `${STRONG_SECRET}\n` }) },
    );
    const names = settings.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const read = settingList.flatMap(({ name, aliasOf }) => (aliasOf === undefined ? [name] : []));
    expect(names.toSorted()).toEqual(read.toSorted());
    const one = (name: string) => settings.find((setting) => setting.name === name);
    expect(one("PORT")).toEqual({ name: "PORT", value: "3001", source: "default", variable: null });
    expect(one("BETTER_AUTH_SECRET")).toEqual({
      name: "BETTER_AUTH_SECRET",
      value: "********",
      source: "file",
      variable: "BETTER_AUTH_SECRET_FILE",
    });
    expect(one("BETTER_AUTH_TRUSTED_ORIGINS")).toEqual({
      name: "BETTER_AUTH_TRUSTED_ORIGINS",
      value: "https://docs.example.com,https://auth.example.com",
      source: "environment",
      variable: "CORS_ALLOWED_ORIGINS",
    });
    expect(one("LATCHKEY_DATA_DIR")).toMatchObject({
      value: "/var/lib/latchkey",
      variable: "STATE_DIRECTORY",
    });
    expect(one("DATABASE_URL")).toMatchObject({
      value: "file:///var/lib/latchkey/latchkey.db",
      source: "default",
    });
    expect(one("LATCHKEY_SESSION_EXPIRES_IN")).toMatchObject({ value: "7d", source: "environment" });
  });
});
