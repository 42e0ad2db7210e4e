import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { inspectServer } from "../../src/database/inspect-server.ts";
import { openDatabase } from "../../src/database/open.ts";
import { explainServerFailure } from "../../src/database/server-failure.ts";
import { openTestDatabase } from "../support/databases.ts";

setDefaultTimeout(60_000);

type Driver = "postgres" | "neon";

/** What is said of a server that cannot be used. */
async function explanation(driver: Driver, url: string, proxy: string | null): Promise<string> {
  const connections = 2;
  const database = openDatabase(
    driver === "neon" ? { driver, url, connections, proxy } : { driver, url, connections },
  );
  try {
    await inspectServer(database, Date.now);
    return "works";
  } catch (error) {
    const { message, remedy } = explainServerFailure(error);
    return `${message} | ${remedy}`;
  } finally {
    await database.close().catch(() => {});
  }
}

describe.each(["postgres", "neon"] as const)("A3: what is said of a %s server", (driver) => {
  test.each([
    ["with another password", (url: URL) => void (url.password = "wrong"), /28P01.*user and password/],
    ["with another database", (url: URL) => void (url.pathname = "/absent"), /3D000.*createdb/],
  ])("%s names the way out, and no password", async (_name, change, expected) => {
    const database = await openTestDatabase(driver);
    const url = new URL(database.url);
    change(url);
    const said = await explanation(driver, url.href, database.env["LATCHKEY_NEON_PROXY"] ?? null);
    expect(said).toMatch(expected);
    expect(said).not.toContain(url.password);
    await database.close();
  });
});

test("A3: a host and port where nothing answers", async () => {
  expect(await explanation("postgres", "postgresql://a:hunter2@127.0.0.1:1/x", null)).toMatch(
    /^nothing answers at the host and port of DATABASE_URL: .* \| see that the server runs/,
  );
});

test("A3: a server that is not PostgreSQL", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no") });
  expect(await explanation("postgres", `postgresql://a:hunter2@127.0.0.1:${server.port}/x`, null)).toMatch(
    /^the server did not answer in time: .* \| see that the server runs/,
  );
  await server.stop(true);
});

describe("A3: a Neon endpoint that cannot be reached", () => {
  test.each([
    ["since nothing listens", "ws://127.0.0.1:1/v2"],
    ["since its name is unknown", null],
  ])("%s", async (_name, proxy) => {
    const said = await explanation("neon", "postgresql://a:hunter2@ep-none.invalid/x", proxy);
    expect(said).toMatch(
      /^Neon's WebSocket proxy cannot be reached: WebSocket connection to .* \| .*wss:\/\//,
    );
    expect(said).not.toContain("hunter2");
  });
});
