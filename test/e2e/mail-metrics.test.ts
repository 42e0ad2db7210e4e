import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { spawnLatchkey } from "../support/executable.ts";
import { openMailbox } from "../support/mailbox.ts";
import { addMember } from "../support/member.ts";
import { metricsUrlOf, scrape } from "../support/metrics.ts";

setDefaultTimeout(60_000);

const listen = { LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" };
const outcome = (name: string) => `latchkey_mails_total{outcome="${name}"}`;

describe.each(dialects)("figures of mail on %s", (dialect) => {
  // Workers share a port on Linux alone.
  test.each(process.platform === "linux" ? [1, 2] : [1])(
    "are those of all, with %d workers",
    async (workers) => {
      const database = await openTestDatabase(dialect);
      const answers = new Map<string, number>();
      const mailbox = await openMailbox({
        onRcptTo({ address }, _, done) {
          const responseCode = answers.get(address);
          done(responseCode === undefined ? null : Object.assign(new Error("no"), { responseCode }));
        },
      });
      const env = { ...database.env, ...mailbox.env, ...listen, LATCHKEY_WORKERS: String(workers) };
      const server = await spawnLatchkey({ env });
      const url = metricsUrlOf(server);
      const start = await scrape(url);
      expect(["sent", "deferred", "failed", "void"].map((name) => start.values.get(outcome(name)))).toEqual([
        0, 0, 0, 0,
      ]);
      const [sent, later, never] = [
        await addMember(database),
        await addMember(database),
        await addMember(database),
      ];
      answers.set(later.email, 451).set(never.email, 550);
      for (const email of [sent.email, later.email, never.email, "nobody@example.com"]) {
        const { status } = await fetch(`${server.url}/api/auth/request-password-reset`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ email }),
          keepalive: false,
        });
        expect(status).toBe(200);
      }
      const seen = async () => {
        const { value, values } = await scrape(url);
        return {
          outcomes: ["sent", "deferred", "failed", "void"].map((name) => value(outcome(name))),
          waiting: values.get("latchkey_mails_waiting"),
          givenUp: values.get("latchkey_mails_given_up"),
        };
      };
      const wanted = { outcomes: [1, 1, 1, 1], waiting: 1, givenUp: 1 };
      let found = await seen();
      for (let tries = 0; !Bun.deepEquals(found, wanted) && tries < 120; tries += 1) {
        await Bun.sleep(100);
        found = await seen();
      }
      expect(found).toEqual(wanted);
      expect((await scrape(url)).value("latchkey_mail_oldest_seconds")).toBeGreaterThan(0);
      await server.stop();
      await mailbox.close();
      await database.close();
    },
  );
});

test("figures of mail that waits are not there where none is sent", async () => {
  const server = await spawnLatchkey({ env: listen });
  const { values } = await scrape(metricsUrlOf(server));
  expect([...values.keys()].filter((name) => /latchkey_mail(?!s_total)/.test(name))).toEqual([]);
  await server.stop();
});
