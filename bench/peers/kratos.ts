import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, requireProgram, run } from "./build.ts";
import { call, post, requireText, textAt } from "./call.ts";
import type { Peer, Place } from "./peer.ts";

/** The newest that is one to Go: tags from 2 on need a module path that ends in `/v2` and so on, which Kratos does not have. */
const version = "1.3.1";
/** What Kratos builds itself with in place of what it requires; a module that requires Kratos has to say it again. */
const replaced = {
  "github.com/gobuffalo/pop/v6": "github.com/ory/pop/v6 v6.2.0",
  "github.com/gorilla/sessions": "github.com/ory/sessions v1.2.2-0.20220110165800-b09c17334dc2",
  "github.com/mattn/go-sqlite3": "github.com/mattn/go-sqlite3 v1.14.22",
};

/** Ory Kratos by its API for programs without a browser. A sign-in is two requests: a flow begins, and ends. */
export function kratos(database: Peer["database"]): Peer {
  return {
    id: `kratos-${database}`,
    name: "Ory Kratos",
    version,
    database,
    limits:
      "it has none of its own; the look-up of leaked passwords at a service elsewhere is off, telemetry too; 20 connections to PostgreSQL, kept",
    asked: "GET /sessions/whoami",
    healthPath: "/health/ready",
    build,
    async prepare(program, place) {
      writeFileSync(join(place.directory, "person.schema.json"), JSON.stringify(person));
      writeFileSync(configPath(place), JSON.stringify(configOf(place)));
      const options = { cwd: place.directory, env: environmentOf(place) };
      await run([program, "migrate", "sql", "-c", configPath(place), "-e", "--yes"], options);
    },
    command: (_program, place) => ({ args: ["serve", "-c", configPath(place)], env: environmentOf(place) }),
    async signUp(url, { name, email, password }) {
      const path = await beginFlow(url, "registration");
      const done = await call(url, post(path, { method: "password", password, traits: { email, name } }));
      return { path: "/sessions/whoami", headers: { "X-Session-Token": requireText(done, "session_token") } };
    },
    async signIn(url, { email, password }) {
      const path = await beginFlow(url, "login");
      return [
        { path: "/self-service/login/api" },
        post(path, { method: "password", password, identifier: email }),
      ];
    },
    names(body, { email }) {
      const session: unknown = JSON.parse(body);
      const isActive =
        typeof session === "object" && session !== null && "active" in session && session.active;
      return isActive === true && textAt(session, "identity.traits.email") === email;
    },
  };
}

/** In a module of our own: `go install` refuses what replaces modules. */
async function build(): Promise<string> {
  const go = requireProgram("go");
  // go-sqlite3 is C.
  requireProgram("gcc");
  const directory = await cached(`kratos-${version}`, async (into) => {
    const lines = Object.entries(replaced).map(([module, by]) => `replace ${module} => ${by}`);
    const require = `require github.com/ory/kratos v${version}`;
    writeFileSync(join(into, "go.mod"), ["module peer", "go 1.23", require, ...lines, ""].join("\n"));
    const options = { cwd: into, env: { CGO_ENABLED: "1", GOFLAGS: "-mod=mod", GOTOOLCHAIN: "auto" } };
    const flags = ["-tags", "sqlite,json1", "-ldflags", "-s -w", "-o", "kratos"];
    await run([go, "build", ...flags, "github.com/ory/kratos"], options);
  });
  return join(directory, "kratos");
}

/** @returns the path to which the flow's answer is posted. */
async function beginFlow(url: string, kind: "login" | "registration"): Promise<string> {
  const flow = await call(url, { path: `/self-service/${kind}/api` });
  return `/self-service/${kind}?flow=${requireText(flow, "id")}`;
}

const person = {
  $id: "https://example.com/person.schema.json",
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Person",
  type: "object",
  properties: {
    traits: {
      type: "object",
      properties: {
        email: {
          type: "string",
          format: "email",
          "ory.sh/kratos": { credentials: { password: { identifier: true } } },
        },
        name: { type: "string" },
      },
      required: ["email"],
      additionalProperties: false,
    },
  },
};

function configPath({ directory }: Place): string {
  return join(directory, "kratos.json");
}

/** bcrypt at cost 12 is Kratos's default; it is written down, since `--dev` has another. */
function configOf({ directory, port }: Place) {
  const url = `http://127.0.0.1:${port}/`;
  return {
    version: `v${version}`,
    serve: {
      public: { base_url: url, host: "127.0.0.1", port },
      admin: { host: "127.0.0.1", port: port + 1 },
    },
    selfservice: {
      default_browser_return_url: url,
      methods: { password: { enabled: true, config: { haveibeenpwned_enabled: false } } },
      flows: {
        login: { ui_url: url, lifespan: "6h" },
        registration: { ui_url: url, after: { password: { hooks: [{ hook: "session" }] } } },
      },
    },
    log: { level: "error", format: "text" },
    secrets: {
      cookie: ["bench-cookie-secret-of-no-use-elsewhere"],
      cipher: ["bench-secret-of-32-characters-00"],
    },
    hashers: { algorithm: "bcrypt", bcrypt: { cost: 12 } },
    identity: {
      default_schema_id: "person",
      schemas: [{ id: "person", url: `file://${join(directory, "person.schema.json")}` }],
    },
    courier: { smtp: { connection_uri: "smtp://nobody:nothing@127.0.0.1:1/?disable_starttls=true" } },
    session: { lifespan: "240h" },
  };
}

function environmentOf({ directory, databaseUrl }: Place): Record<string, string> {
  const file = `sqlite://${join(directory, "kratos.db")}?_fk=true&mode=rwc`;
  // By default it connects anew at most requests.
  const server = `${databaseUrl}?sslmode=disable&max_conns=20&max_idle_conns=20`;
  return { DSN: databaseUrl === null ? file : server, SQA_OPT_OUT: "true" };
}
