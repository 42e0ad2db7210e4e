import { chmodSync, chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { runLatchkey } from "../support/executable.ts";
import { isRoot, unprivilegedId } from "../support/postgres-binaries.ts";
import { postgresTools } from "../support/postgres-tools.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const available =
  process.platform === "linux" &&
  process.arch === "x64" &&
  ["dpkg-deb", "openssl"].every((program) => Bun.which(program) !== null);

/** Makes an authority and a certificate of its for `localhost`, which the server may read. @returns their folder. */
function createCertificates(): string {
  const folder = temporaryDirectory("certificates");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost");
  const script = `
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority
    openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names`;
  const made = Bun.spawnSync(["/bin/sh", "-euc", script], { cwd: folder, stderr: "pipe" });
  if (!made.success) throw new Error(made.stderr.toString());
  chmodSync(folder, 0o755);
  chmodSync(join(folder, "server.key"), 0o600);
  if (isRoot()) chownSync(join(folder, "server.key"), unprivilegedId, unprivilegedId);
  return folder;
}

describe.skipIf(!available)("latchkey backup of a server with TLS (needs dpkg-deb and openssl)", () => {
  let postgres: TestPostgres;
  let tools: string;
  let ca: string;
  const cwd = temporaryDirectory("dumps");
  beforeAll(async () => {
    const folder = createCertificates();
    ca = join(folder, "ca.pem");
    tools = await postgresTools(18);
    postgres = await startPostgres({
      ssl: "on",
      ssl_cert_file: join(folder, "server.pem"),
      ssl_key_file: join(folder, "server.key"),
    });
  });
  afterAll(() => postgres.stop());

  const databaseWith = async (query: string) => {
    const url = new URL(await postgres.createDatabase());
    url.hostname = "localhost";
    url.search = query;
    return url.href;
  };
  const run = (args: readonly string[], url: string, env: Readonly<Record<string, string>>) =>
    runLatchkey(args, {
      cwd,
      env: {
        PATH: `${tools}:/bin:/usr/bin`,
        HOME: cwd,
        BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh",
        DATABASE_URL: url,
        // Of these libpq would connect elsewhere, or otherwise.
        PGHOSTADDR: "203.0.113.1",
        PGSERVICE: "another",
        PGOPTIONS: "-c nonsense=1",
        ...env,
      },
    });

  test.each([
    ["verify-full", "NODE_EXTRA_CA_CERTS"],
    ["verify-ca", "NODE_EXTRA_CA_CERTS"],
    ["verify-full", "SSL_CERT_FILE"],
    ["verify-ca", "SSL_CERT_FILE"],
    ["verify-full", "sslrootcert"],
    ["require", ""],
  ])("dumps and restores by sslmode=%s with the certificate that latchkey has by %s", async (mode, by) => {
    const query = `sslmode=${mode}${by === "sslrootcert" ? `&sslrootcert=${ca}` : ""}`;
    const env = by === "sslrootcert" || by === "" ? {} : { [by]: ca };
    const url = await databaseWith(query);
    expect((await run(["migrate"], url, env)).exitCode).toBe(0);
    const file = `${mode}-${by}.dump`;
    const made = await run(["backup", file], url, env);
    expect([made.exitCode, splitLog(made.stderr).talk]).toEqual([0, ""]);
    const restored = await run(["restore", file], await databaseWith(query), env);
    expect([restored.exitCode, splitLog(restored.stderr).talk]).toEqual([0, ""]);
    expect(readFileSync(join(tools, "called"), "utf8")).toContain(`sslmode=${mode}`);
  });

  test("goes by the operator's PGSSLROOTCERT, and says what to set where the certificate is another's", async () => {
    const url = await databaseWith("sslmode=verify-full");
    const env = { NODE_EXTRA_CA_CERTS: ca };
    expect((await run(["migrate"], url, env)).exitCode).toBe(0);
    const missing = join(cwd, "none.pem");
    rmSync(missing, { force: true });
    const refused = await run(["backup", "refused.dump"], url, { ...env, PGSSLROOTCERT: missing });
    expect([refused.exitCode, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/pg_dump failed: .*none\.pem[^]*\nTry: name the file .* by PGSSLROOTCERT\n/),
    ]);
    const done = await run(["backup", "named.dump"], url, { ...env, PGSSLROOTCERT: ca });
    expect(done.exitCode).toBe(0);
  });
});
