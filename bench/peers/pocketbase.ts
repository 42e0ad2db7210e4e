import { join } from "node:path";
import { cached, requireProgram, run } from "./build.ts";
import { call, post, requireText, textAt } from "./call.ts";
import type { Peer } from "./peer.ts";

const version = "0.40.4";
/** What its go.mod asks for; the go command fetches it from the module proxy. */
const toolchain = "go1.27.0";
const administrator = { identity: "root@example.com", password: "rootrootroot1" };

/**
 * PocketBase, its `examples/base` (the released program). Asked by auth-refresh: reading the visitor's own record costs it
 * more. Its sessions are signed tokens, ended all at once by changing the user's key.
 */
export const pocketbase: Peer = {
  id: "pocketbase",
  name: "PocketBase",
  version,
  database: "sqlite",
  limits:
    "rate limits are off by default; the log of every request in its database is off (`logs.maxDays` 0)",
  asked: "POST /api/collections/users/auth-refresh",
  healthPath: "/api/health",
  async build() {
    const go = requireProgram("go");
    const directory = await cached(`pocketbase-${version}`, async (into) => {
      const source = `github.com/pocketbase/pocketbase/examples/base@v${version}`;
      const env = { CGO_ENABLED: "0", GOTOOLCHAIN: toolchain, GOBIN: into };
      await run([go, "install", "-ldflags", "-s -w", source], { cwd: into, env });
    });
    return join(directory, "base");
  },
  async prepare(program, { directory }) {
    const { identity, password } = administrator;
    await run([program, "superuser", "upsert", identity, password, "--dir", directory], { cwd: directory });
  },
  command: (_program, { directory, port }) => ({
    args: ["serve", "--http", `127.0.0.1:${port}`, "--dir", directory, "--automigrate=false"],
    env: {},
  }),
  async settle(url) {
    const signedIn = await call(url, post("/api/collections/_superusers/auth-with-password", administrator));
    const response = await fetch(`${url}/api/settings`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json", Authorization: requireText(signedIn, "token") },
      body: JSON.stringify({ logs: { maxDays: 0 }, rateLimits: { enabled: false } }),
    });
    if (!response.ok) throw new Error(`/api/settings answered ${response.status} ${await response.text()}`);
  },
  async signUp(url, visitor) {
    const { name, email, password } = visitor;
    const record = { name, email, password, passwordConfirm: password };
    await call(url, post("/api/collections/users/records", record));
    const [signIn] = await pocketbase.signIn(url, visitor);
    if (signIn === undefined) throw new Error("no request signs in");
    const token = requireText(await call(url, signIn), "token");
    const headers = { Authorization: token, "Content-Length": "0" };
    return { method: "POST", path: "/api/collections/users/auth-refresh", headers };
  },
  signIn: async (_url, { email, password }) => [
    post("/api/collections/users/auth-with-password", { identity: email, password }),
  ],
  names: (body, { email }) => textAt(JSON.parse(body), "record.email") === email,
};
