import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { scrypt } from "node:crypto";
import { promisify } from "node:util";
import { NeonClient } from "../../src/database/neon-log-in.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase("neon");
  // The driver keeps the proxy for the process.
  await (await openMigrated(database)).close();
});
afterAll(() => database.close());

/** Another password's URL. */
function withPassword(password: string): string {
  const url = new URL(database.url);
  url.password = encodeURIComponent(password);
  return url.href;
}

describe("NeonClient", () => {
  test("logs in while every thread hashes passwords, and does not wait until they are done", async () => {
    const hash = promisify(scrypt) as (password: string, salt: string, bytes: number) => Promise<Buffer>;
    let hashed = 0;
    let isOver = false;
    const lane = async () => {
      while (!isOver && hashed < 200) {
        await hash("correct horse battery", "salt", 64);
        hashed += 1;
      }
    };
    const lanes = Array.from({ length: 2 * navigator.hardwareConcurrency }, lane);
    const client = new NeonClient(database.url);
    await client.connect();
    isOver = true;
    const { rows } = await client.query<{ answer: number }>("SELECT 42 AS answer");
    await client.end();
    await Promise.all(lanes);
    expect(rows).toEqual([{ answer: 42 }]);
    // One turn behind those that were there before it, and the hashes of the round trips.
    expect(hashed).toBeLessThan(100);
  });

  test("takes a password of any characters, and tells a wrong one", async () => {
    const password = "pä ß'word,=%:@ 🗝";
    const own = decodeURIComponent(new URL(database.url).password);
    const change = (to: string) =>
      database.query(`ALTER ROLE CURRENT_USER PASSWORD '${to.replaceAll("'", "''")}'`);
    await change(password);
    try {
      const client = new NeonClient(withPassword(password));
      await client.connect();
      expect((await client.query("SELECT 42 AS answer")).rows).toEqual([{ answer: 42 }]);
      await client.end();
    } finally {
      await change(own);
    }
    const refused = new NeonClient(withPassword("wrong"));
    await expect(refused.connect()).rejects.toMatchObject({ code: "28P01" });
  });

  test.each([
    ["no nonce", "s=c2FsdA==,i=4096"],
    ["no salt", "r=client+server,i=4096"],
    ["no iterations", "r=client+server,s=c2FsdA=="],
    ["as many iterations as none", "r=client+server,s=c2FsdA==,i=0"],
    ["another's nonce", "r=other+server,s=c2FsdA==,i=4096"],
    ["the client's nonce and no more", "r=client,s=c2FsdA==,i=4096"],
  ])("takes a server's first message with %s for a failure of the connection", async (_, data) => {
    const client = new NeonClient(database.url);
    const failure = Promise.withResolvers<Error>();
    const sent: string[] = [];
    Object.assign(client, {
      password: "secret",
      saslSession: { message: "SASLInitialResponse", clientNonce: "client" },
      connection: {
        emit: (_name: string, error: Error) => failure.resolve(error),
        sendSCRAMClientFinalMessage: (message: string) => sent.push(message),
      },
    });
    await client._handleAuthSASLContinue({ data });
    expect((await failure.promise).message).toStartWith("SASL: ");
    expect(sent).toEqual([]);
  });
});
