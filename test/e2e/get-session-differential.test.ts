import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  setSystemTime,
  test,
} from "bun:test";
import { mkdirSync } from "node:fs";
import * as fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/log.ts";
import { type Listener, listen } from "../../src/server.ts";
import { openService, type Service } from "../../src/service.ts";
import { signToken } from "../../src/session/cookie.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(180_000);

const runs = Number(process.env["LATCHKEY_TEST_DIFFERENTIAL_RUNS"] ?? 150);
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const expiresIn = 7 * day;
/** A refresh is due once a session has less than this left: its lifetime less the update age. */
const dueBelow = 6 * day;
const maxAge = 30 * day;

/** Instants are ms before or after the moment at which the row is written. */
interface Age {
  readonly created: number;
  readonly expires: number;
}

interface Person {
  readonly name: string;
  readonly image: string | null;
  readonly emailVerified: boolean;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /** Below a millisecond, which PostgreSQL keeps. */
  readonly microseconds: number;
}

interface Cookies {
  /** The `Cookie` header around `name=value`. */
  readonly layout: Layout;
  readonly companion: Companion;
}

interface Asked {
  readonly method: "GET" | "HEAD";
  readonly path: string;
  /** "no", "listed", or what the header says. */
  readonly origin: string;
}

const oddTexts = [
  "",
  " ",
  "Ann Example",
  `"quoted" 'single' back\\slash`,
  "👩‍👩‍👧‍👦 family",
  "مرحبا بالعالم",
  "\u202Eright to left\u202C",
  "a\tb\nc\rd\u001b[31m",
  "\u0001\u007f\u0085\u2028\u2029\ufeff",
  "</script><!-- &amp; -->",
  "__proto__",
  "null",
  "e\u0301 \u00e9 \ufb01",
  "\u{10ffff}\uffff",
  "x".repeat(3_000),
];
/** Anything that both dialects store: no NUL, no lone surrogates. */
const text = fc.oneof(
  fc.constantFrom(...oddTexts),
  fc.string({ unit: "binary", maxLength: 40 }).map((value) => value.replaceAll("\0", "").toWellFormed()),
);
const optional = fc.option(text, { nil: null });
const people: fc.Arbitrary<Person> = fc.record({
  name: text,
  image: fc.oneof(optional, fc.webUrl()),
  emailVerified: fc.boolean(),
  ipAddress: fc.oneof(optional, fc.ipV4(), fc.ipV6()),
  userAgent: optional,
  microseconds: fc.integer({ min: 0, max: 999 }),
});

const between = (min: number, max: number) => fc.integer({ min, max });
const ages: fc.Arbitrary<Age> = fc.oneof(
  // Fresh, and just short of the update age: upstream only reads.
  between(0, hour).map((age) => ({ created: -age, expires: expiresIn - age })),
  between(20_000, minute).map((left) => ({ created: -day + left, expires: dueBelow + left })),
  // At the update age, after it, and long after it: upstream refreshes.
  fc.constant({ created: -day, expires: dueBelow }),
  between(1, hour).map((past) => ({ created: -day - past, expires: dueBelow - past })),
  between(minute, dueBelow).map((left) => ({ created: left - expiresIn, expires: left })),
  // A refresh that the absolute lifetime cuts short.
  between(minute, dueBelow - hour).map((left) => ({ created: left + hour - maxAge, expires: left })),
  // At, and beyond, its absolute lifetime while that is not over.
  between(minute, expiresIn).map((left) => ({ created: left - maxAge, expires: left })),
  between(minute, expiresIn).map((left) => ({ created: left - maxAge, expires: left + 3 * day })),
  // Over: absolutely, or by its own expiry.
  between(1, day).map((past) => ({ created: -maxAge - past, expires: day })),
  between(1, day).map((past) => ({ created: -past - expiresIn, expires: -past })),
  // Longer than latchkey makes them.
  between(minute, 20 * day).map((more) => ({ created: -minute, expires: expiresIn + more })),
);

const layouts = {
  alone: (name: string, value: string) => `${name}=${value}`,
  "others around": (name: string, value: string) => `theme=dark; ${name}=${value}; lang=de`,
  "no blanks": (name: string, value: string) => `a=1;${name}=${value};b=2`,
  "many blanks": (name: string, value: string) => `a=1;   ${name} =  ${value} ; b=2`,
  quoted: (name: string, value: string) => `${name}="${value}"`,
  decoded: (name: string, value: string) => `${name}=${decodeURIComponent(value)}`,
  "lower-case escapes": (name: string, value: string) =>
    `${name}=${value.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())}`,
  "a trailing semicolon": (name: string, value: string) => `${name}=${value};`,
  "twice the same": (name: string, value: string) => `${name}=${value}; ${name}=${value}`,
  "a broken one first": (name: string, value: string) => `${name}=x; ${name}=${value}`,
  "inside another's value": (name: string, value: string) => `x=${name}=${value}`,
  "no signature": (name: string, value: string) => `${name}=${value.split(".")[0] ?? ""}`,
  "a tampered signature": (name: string, value: string) => `${name}=${value.replace(/\.(.)/, ".x$1")}`,
  empty: (name: string) => `${name}=`,
  none: () => "theme=dark",
} satisfies Record<string, (name: string, value: string) => string>;
type Layout = keyof typeof layouts;
const layoutNames = Object.keys(layouts) as Layout[];
/** What else of BetterAuth's may come with it. */
type Companion = "nothing" | "dont_remember" | "unsigned dont_remember" | "session_data";
const cookies: fc.Arbitrary<Cookies> = fc.record({
  layout: fc.oneof(
    { arbitrary: fc.constantFrom<Layout>("alone", "others around", "decoded"), weight: 2 },
    { arbitrary: fc.constantFrom(...layoutNames), weight: 1 },
  ),
  companion: fc.oneof(
    { arbitrary: fc.constant<Companion>("nothing"), weight: 4 },
    {
      arbitrary: fc.constantFrom<Companion>("dont_remember", "unsigned dont_remember", "session_data"),
      weight: 1,
    },
  ),
});
const asked: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom("GET" as const, "GET" as const, "HEAD" as const),
  path: fc.constantFrom(
    "/api/auth/get-session",
    "/api/auth/get-session/",
    "/api/auth/session",
    "/api/auth/session/",
  ),
  origin: fc.constantFrom("no", "no", "listed", "http://evil.example", "null"),
});

interface Raw {
  /** The status line and every header in order, but for the values of Date and X-Request-Id. */
  readonly head: readonly string[];
  readonly body: string;
}

/** One request on a connection of its own, and every byte of the answer. */
async function ask(url: string, { method, path, origin }: Asked, cookie: string): Promise<Raw> {
  const { hostname, port } = new URL(url);
  const chunks: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, chunk) => void chunks.push(new Uint8Array(chunk)),
      close: () => ended.resolve(),
      error: (_socket, error) => ended.reject(error),
    },
  });
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    ...(cookie === "" ? [] : [`Cookie: ${cookie}`]),
    ...(origin === "no" ? [] : [`Origin: ${origin}`]),
  ];
  socket.write(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  await ended.promise;
  const answer = Buffer.concat(chunks).toString("utf8");
  const headEnd = answer.indexOf("\r\n\r\n");
  return {
    head: answer
      .slice(0, headEnd)
      .split("\r\n")
      .map((line) => line.replace(/^(date|x-request-id):.*/i, "$1")),
    body: answer.slice(headEnd + 4),
  };
}

interface Asker {
  readonly dialect: Dialect;
  readonly database: TestDatabase;
  readonly url: string;
  /** Its public origin. */
  readonly origin: string;
  readonly cookieName: string;
}

let rows = 0;

/** Asks for one state twice: as callers do, and with a query that latchkey's own read path leaves to BetterAuth. */
async function askBoth(asker: Asker, person: Person, age: Age, presented: Cookies, request: Asked) {
  const number = String((rows += 1));
  const token = number.padStart(32, "t");
  const cookie = cookieHeader(asker, token, presented);
  const origin = request.origin === "listed" ? asker.origin : request.origin;
  await seedUser(asker, number, person);
  const now = Date.now();
  const seed = () => seedSession(asker, number, token, person, now, age);
  await seed();
  const own = await ask(asker.url, { ...request, origin }, cookie);
  await asker.database.query("DELETE FROM session WHERE id = $1", [`s${number}`]);
  await seed();
  const upstream = await ask(asker.url, { ...request, origin, path: `${request.path}?x=1` }, cookie);
  return { own: comparable(own), upstream: comparable(upstream) };
}

/** Of a session that was refreshed, when that happened may differ by the time between the two questions. */
function comparable(answer: Raw): Raw {
  const refreshed = answer.head.some((line) => /^set-cookie: .*session_token=[^;]/i.test(line));
  return refreshed
    ? { ...answer, body: answer.body.replace(/"expiresAt":"[^"]+"/, "").replace(/"updatedAt":"[^"]+"/, "") }
    : answer;
}

function cookieHeader(
  { cookieName, database }: Asker,
  token: string,
  { layout, companion }: Cookies,
): string {
  const secret = database.env["BETTER_AUTH_SECRET"] ?? "";
  const header = layouts[layout](cookieName, signToken(token, secret));
  const other = (name: string) => cookieName.replace("session_token", name);
  switch (companion) {
    case "nothing":
      return header;
    case "dont_remember":
      return `${header}; ${other("dont_remember")}=${signToken("true", secret)}`;
    case "unsigned dont_remember":
      return `${header}; ${other("dont_remember")}=true`;
    case "session_data":
      return `${header}; ${other("session_data")}=e30`;
  }
}

async function seedUser({ dialect, database }: Asker, number: string, person: Person): Promise<void> {
  const at = instant(dialect, Date.now() - 40 * day, person.microseconds);
  await database.query(
    `INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [`u${number}`, person.name, `${number}@example.com`, person.emailVerified, person.image, at, at],
  );
}

async function seedSession(
  { dialect, database }: Asker,
  number: string,
  token: string,
  person: Person,
  now: number,
  age: Age,
): Promise<void> {
  const at = (offset: number, microseconds = 0) => instant(dialect, now + offset, microseconds);
  await database.query(
    "INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, ip_address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    [
      `s${number}`,
      token,
      `u${number}`,
      at(age.expires),
      at(age.created),
      at(age.created, person.microseconds),
      person.ipAddress,
      person.userAgent,
    ],
  );
}

function instant(dialect: Dialect, at: number, microseconds: number): number | string {
  if (dialect === "sqlite") return at;
  return new Date(at).toISOString().replace("Z", `${String(microseconds).padStart(3, "0")}Z`);
}

const places = [
  ...dialects.map((dialect) => ({ name: dialect as string, dialect, env: {} })),
  {
    name: "sqlite behind https",
    dialect: "sqlite" as const,
    env: { BETTER_AUTH_URL: "https://auth.example.com", LATCHKEY_COOKIE_DOMAIN: "example.com" },
  },
];

describe.each(places)("get-session against BetterAuth's own answer on $name", ({ dialect, env }) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let asker: Asker;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: { ...database.env, ...env } });
    const prefix = server.origin.startsWith("https:") ? "__Secure-" : "";
    const cookieName = `${prefix}better-auth.session_token`;
    asker = { dialect, database, url: server.url, origin: server.origin, cookieName };
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test(`is the same, byte for byte, in ${runs} states`, async () => {
    const property = fc.asyncProperty(
      people,
      ages,
      cookies,
      asked,
      async (person, age, presented, request) => {
        const { own, upstream } = await askBoth(asker, person, age, presented, request);
        expect(own).toEqual(upstream);
      },
    );
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: 120_000 });
  });

  const plain: Person = {
    name: "Ann",
    image: null,
    emailVerified: true,
    ipAddress: null,
    userAgent: null,
    microseconds: 0,
  };
  const paths = ["/api/auth/get-session", "/api/auth/get-session/", "/api/auth/session"];
  const requests = paths.flatMap((path) =>
    (["GET", "HEAD"] as const).flatMap((method) =>
      ["no", "listed", "http://evil.example"].map((origin) => ({ path, method, origin })),
    ),
  );
  test.each(requests)("is the same for $method $path with $origin Origin", async (request) => {
    const alone = { layout: "alone", companion: "nothing" } as const;
    const { own, upstream } = await askBoth(asker, plain, { created: 0, expires: expiresIn }, alone, request);
    expect(own).toEqual(upstream);
    // Guards against two answers that are alike because neither found the session.
    expect(own.head[0]).toBe("HTTP/1.1 200 OK");
    if (request.method === "GET") expect(JSON.parse(own.body)).toMatchObject({ user: { name: "Ann" } });
    expect(own.head.filter((line) => /^set-cookie/i.test(line))).toEqual([]);
  });

  test("a session at its absolute lifetime is not refreshed, whatever the query", async () => {
    const alone = { layout: "alone", companion: "nothing" } as const;
    const clamped = { created: day - maxAge, expires: day };
    const request = { method: "GET", path: paths[0] ?? "", origin: "no" } as const;
    const { own, upstream } = await askBoth(asker, plain, clamped, alone, request);
    expect(upstream.head.filter((line) => /^set-cookie/i.test(line))).toEqual([]);
    expect(own).toEqual(upstream);
  });
});

describe.each(dialects)("get-session at the very millisecond on %s", (dialect) => {
  const frozenAt = Date.UTC(2026, 0, 15, 12);
  let database: TestDatabase;
  let service: Service;
  let listener: Listener;
  let asker: Asker;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mkdirSync(database.env["LATCHKEY_DATA_DIR"] ?? "", { recursive: true });
    const { config } = loadConfig(
      { ...database.env, BETTER_AUTH_URL: "http://localhost:3001" },
      {
        readFile: () => "",
        secretFileRisk: () => null,
        cwd: "/",
        isTerminal: false,
        cpuCount: 2,
        hasIpv6: () => true,
        platform: "linux",
      },
    );
    const log = openLog({ level: "silent", format: "json" });
    service = await openService({ config, log, version: "0", now: Date.now });
    listener = listen("127.0.0.1", 0);
    listener.serve(service.front);
    const origin = "http://localhost:3001";
    asker = { dialect, database, url: listener.url, origin, cookieName: "better-auth.session_token" };
  });
  afterEach(() => {
    setSystemTime();
  });
  afterAll(async () => {
    await listener.stop();
    await service.close();
    await database.close();
  });

  const edges = {
    "the update age": (offset: number) => ({ created: -day, expires: dueBelow + offset }),
    expiry: (offset: number) => ({ created: -expiresIn, expires: offset }),
    "the absolute lifetime": (offset: number) => ({ created: offset - maxAge, expires: day }),
    "the absolute lifetime, at which it is clamped": (offset: number) => ({
      created: 2 * day - maxAge,
      expires: 2 * day + offset,
    }),
    "the update age of one beyond its absolute lifetime": (offset: number) => ({
      created: dueBelow + offset - maxAge,
      expires: dueBelow + day,
    }),
  };
  test.each(
    Object.entries(edges).flatMap(([edge, age]) =>
      [-2, -1, 0, 1, 2].map((offset) => ({ edge, offset, age: age(offset) })),
    ),
  )("$edge, $offset ms off", async ({ age }) => {
    setSystemTime(frozenAt);
    const person = { name: "E", image: null, emailVerified: false, ipAddress: "", userAgent: "" };
    const { own, upstream } = await askBoth(
      asker,
      { ...person, microseconds: 0 },
      age,
      { layout: "alone", companion: "nothing" },
      { method: "GET", path: "/api/auth/get-session", origin: "no" },
    );
    expect(own).toEqual(upstream);
  });
});
