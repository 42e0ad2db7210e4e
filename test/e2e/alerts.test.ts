import { closeSync, constants, copyFileSync, openSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeCertificate } from "../support/certificate.ts";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { addMember } from "../support/member.ts";
import { openMailbox } from "../support/mailbox.ts";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { metricsUrlOf, type Scrape, scrape } from "../support/metrics.ts";
import { openPromtool } from "../support/promtool.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const rules = resolve(import.meta.dir, "../../deploy/alerts.yml");
const promtool = await openPromtool().catch(String);
const isHere = typeof promtool !== "string";

const listen = { LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" };
const person = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };
const minutes = 20;

interface Series {
  readonly series: string;
  readonly values: string;
}

/** What Prometheus would have, had it seen in each minute what came between two scrapes; 0 as `up` where the second failed. */
function seriesOf(before: Scrape, after: Scrape | null) {
  const own = 'job="latchkey",instance="here:9464"';
  const up = { series: `up{${own}}`, values: `${after === null ? 0 : 1}+0x${minutes}` };
  const series = [...(after?.values ?? [])].map(([name, value]) => {
    const from = before.value(name);
    const isGauge =
      /^(?:latchkey_build_info|latchkey_workers|latchkey_sessions|latchkey_backup_(?!failures)|latchkey_mails?_(?!total)|latchkey_tls_certificate_expiry|process_(?!cpu))/.test(
        name,
      );
    const labelled = name.includes("{") ? name.replace("{", `{${own},`) : `${name}{${own}}`;
    const step = isGauge ? 0 : Math.max(0, value - from);
    return { series: labelled, values: `${from.toFixed(9)}+${step.toFixed(9)}x${minutes}` };
  });
  return [up, ...series];
}

/** Has promtool look whether these alerts fire, and no other. */
async function expectFiring(
  before: Scrape,
  after: Scrape | null,
  alerts: readonly string[],
  others: readonly Series[] = [],
): Promise<void> {
  if (!isHere) return;
  const firing = {
    expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
    eval_time: "15m",
    exp_samples: alerts.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
  };
  const file = join(temporaryDirectory("alerts"), "test.yml");
  const input = {
    interval: "1m",
    input_series: [...seriesOf(before, after), ...others],
    promql_expr_test: [firing],
  };
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify({ rule_files: [rules], evaluation_interval: "1m", tests: [input] }, null, 1),
  );
  const { exitCode, output } = await promtool(["test", "rules", file]);
  expect({ alerts, exitCode, output }).toEqual({
    alerts,
    exitCode: 0,
    output: expect.stringContaining("SUCCESS"),
  });
}

const verify = async (server: RunningLatchkey, cookie: string, count: number) => {
  const statuses = new Set<number>();
  for (let at = 0; at < count; at += 1)
    statuses.add((await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } })).status);
  return [...statuses];
};

const signedUp = async (server: RunningLatchkey) => {
  const client = createClient(server.origin);
  expect((await client.auth.signUp.email(person)).error).toBeNull();
  return client.jar.header();
};

describe.skipIf(!isHere)(`deploy/alerts.yml${isHere ? "" : ` (${promtool})`}`, () => {
  test("is what Prometheus takes: nine alerts, each with what to do", async () => {
    if (!isHere) return;
    const { exitCode, output } = await promtool(["check", "rules", rules]);
    expect([exitCode, output]).toEqual([0, expect.stringContaining("SUCCESS: 9 rules found")]);
    const parsed = Bun.YAML.parse(await Bun.file(rules).text()) as {
      groups: { rules: { annotations: Record<string, string> }[] }[];
    };
    for (const { annotations } of parsed.groups.flatMap((group) => group.rules))
      expect(Object.keys(annotations)).toEqual(["summary", "description"]);
  });

  test("is taken by the configuration that docs/monitoring.md shows", async () => {
    if (!isHere) return;
    const { blocks } = readDocument("docs/monitoring.md");
    const shown = blocks.find(({ marker }) => marker === "file: prometheus/prometheus.yml")?.code ?? "";
    const folder = temporaryDirectory("prometheus");
    writeFileSync(join(folder, "prometheus.yml"), shown);
    copyFileSync(rules, join(folder, "alerts.yml"));
    const { exitCode, output } = await promtool(["check", "config", join(folder, "prometheus.yml")]);
    expect([exitCode, output]).toEqual([0, expect.stringContaining("9 rules found")]);
  });

  test("is silent while all is well, and says when nobody answers any more", async () => {
    const server = await spawnLatchkey({ env: listen });
    const url = metricsUrlOf(server);
    const before = await scrape(url);
    expect(await verify(server, await signedUp(server), 50)).toEqual([200]);
    expect(await verify(server, "", 10)).toEqual([401]);
    await createClient(server.origin).auth.signIn.email({ ...person, password: "wrong horse battery" });
    await fetch(`${server.url}/nowhere`);
    await expectFiring(before, await scrape(url), []);
    await server.kill();
    const after = await scrape(url).catch(() => null);
    expect(after).toBeNull();
    await expectFiring(before, after, ["LatchkeyDown"]);
  });

  describe.each(dialects)("on %s", (dialect) => {
    test("says that verify cannot tell when the database is lost", async () => {
      const database = await openTestDatabase(dialect);
      const server = await spawnLatchkey({ env: { ...database.env, ...listen } });
      const url = metricsUrlOf(server);
      const cookie = await signedUp(server);
      const before = await scrape(url);
      if (database.network === null) {
        const path = database.url.slice("file:".length);
        renameSync(path, `${path}.away`);
        // Somebody notices within a second or two.
        while (!(await verify(server, cookie, 1)).includes(503)) await Bun.sleep(50);
      } else database.network.stall(true);
      expect(await verify(server, cookie, 4)).toEqual([503]);
      const after = await scrape(url);
      expect(after.value('latchkey_database_failures_total{operation="lookup"}')).toBeGreaterThan(3);
      // A server that says nothing is also slow to be given up.
      const slow = database.network === null ? [] : ["LatchkeyVerifySlow"];
      await expectFiring(before, after, ["LatchkeyVerifyUnavailable", ...slow]);
      database.network?.stall(false);
      await server.stop();
      await database.close();
    });
  });

  // SQLite is no network away.
  describe.each(dialects.filter((dialect) => dialect !== "sqlite"))("on %s", (dialect) => {
    test("says that verify is slow when the database is", async () => {
      const database = await openTestDatabase(dialect);
      const server = await spawnLatchkey({ env: { ...database.env, ...listen } });
      const url = metricsUrlOf(server);
      const cookie = await signedUp(server);
      const before = await scrape(url);
      database.network?.delay(300);
      expect(await verify(server, cookie, 5)).toEqual([200]);
      await expectFiring(before, await scrape(url), ["LatchkeyVerifySlow"]);
      database.network?.delay(0);
      await server.stop();
      await database.close();
    });
  });

  test("says that answers are errors when the database refuses what it should take", async () => {
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: { ...database.env, ...listen } });
    const url = metricsUrlOf(server);
    const before = await scrape(url);
    await database.query(
      `CREATE TRIGGER nobody BEFORE INSERT ON "user" BEGIN SELECT RAISE(ABORT, 'nobody'); END`,
    );
    const { error } = await createClient(server.origin).auth.signUp.email(person);
    expect(error?.status).toBe(500);
    const after = await scrape(url);
    expect(after.value('latchkey_sign_ups_total{outcome="error"}')).toBe(1);
    await expectFiring(before, after, ["LatchkeyErrors"]);
    await server.stop();
    await database.close();
  });

  test("says that sign-ins are sent away when the line of hashes is full", async () => {
    const full = { LATCHKEY_HASH_QUEUE: "1", LATCHKEY_HASH_CONCURRENCY: "1" };
    const server = await spawnLatchkey({ env: { ...listen, ...full } });
    const url = metricsUrlOf(server);
    const before = await scrape(url);
    const attempts = Array.from({ length: 16 }, (_, at) =>
      createClient(server.origin).auth.signIn.email({
        email: `n${at}@example.com`,
        password: "not this one",
      }),
    );
    const refused = (await Promise.all(attempts)).filter(({ error }) => error?.status === 503).length;
    expect(refused).toBeGreaterThan(0);
    const after = await scrape(url);
    expect(after.value("latchkey_hash_line_refusals_total")).toBe(refused);
    expect(after.value('latchkey_sign_ins_total{outcome="busy"}')).toBe(refused);
    await expectFiring(before, after, ["LatchkeySignInsRefused"]);
    await server.stop();
  });

  test("says that backups fail, or that the last is two days old", async () => {
    const cwd = temporaryDirectory("alerts");
    const server = await spawnLatchkey({ env: { ...listen, LATCHKEY_BACKUP_DIR: "backups" }, cwd });
    const url = metricsUrlOf(server);
    const madeAt = "latchkey_backup_last_made_timestamp_seconds";
    while (!(await scrape(url)).values.has(madeAt)) await Bun.sleep(50);
    const well = await scrape(url);
    const failures = well.value("latchkey_backup_failures_total");
    expect(failures).toBe(0);
    await expectFiring(well, well, []);
    await server.stop();
    // Of another one; promtool's time begins with the epoch.
    const there = (name: string, values: string) => [
      { series: `${name}{job="latchkey",instance="there:9464"}`, values },
    ];
    const day = 86_400;
    await expectFiring(well, well, [], there(madeAt, `-${day}+0x${minutes}`));
    await expectFiring(well, well, ["LatchkeyBackupsMissing"], there(madeAt, `-${2 * day}+0x${minutes}`));
    const failing = there("latchkey_backup_failures_total", `0+1x${minutes}`);
    await expectFiring(well, well, ["LatchkeyBackupsMissing"], failing);
  });

  test("says that a certificate ends soon, or that no new one can be had", async () => {
    const { path } = makeCertificate(["DNS:auth.latchkey.test"]);
    const server = await spawnLatchkey({
      env: {
        ...listen,
        BETTER_AUTH_URL: "https://auth.latchkey.test",
        LATCHKEY_TLS_CERT_FILE: path,
        LATCHKEY_TLS_KEY_FILE: path.replace("cert.pem", "key.pem"),
      },
    });
    const well = await scrape(metricsUrlOf(server));
    expect(well.value("latchkey_tls_certificate_expiry_timestamp_seconds")).toBeGreaterThan(0);
    await expectFiring(well, well, []);
    await server.stop();
    const there = (name: string, values: string) => [
      { series: `latchkey_tls_certificate_${name}{job="latchkey",instance="there:9464"}`, values },
    ];
    const week = 7 * 86_400;
    const ends = "expiry_timestamp_seconds";
    await expectFiring(well, well, [], there(ends, `${week + 3_600}+0x${minutes}`));
    await expectFiring(well, well, ["LatchkeyCertificateEnds"], there(ends, `${week}+0x${minutes}`));
    await expectFiring(well, well, ["LatchkeyCertificateEnds"], there("failures_total", `0+1x${minutes}`));
  });

  test("says that mail waits, or is given up", async () => {
    const mailbox = await openMailbox({
      onRcptTo: (_, __, done) => done(Object.assign(new Error("nobody here"), { responseCode: 550 })),
    });
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: { ...listen, ...database.env, ...mailbox.env } });
    const url = metricsUrlOf(server);
    const well = await scrape(url);
    expect(well.values.has("latchkey_mail_oldest_seconds")).toBe(true);
    await expectFiring(well, well, []);
    const { email } = await addMember(database);
    await createClient(server.origin).auth.requestPasswordReset({ email });
    while ((await scrape(url)).value('latchkey_mails_total{outcome="failed"}') === 0) await Bun.sleep(50);
    await expectFiring(well, await scrape(url), ["LatchkeyMailStuck"]);
    await server.stop();
    await mailbox.close();
    await database.close();
    const waits = (values: string) => [
      { series: 'latchkey_mail_oldest_seconds{job="latchkey",instance="there:9464"}', values },
    ];
    await expectFiring(well, well, [], waits(`0+59x${minutes}`));
    await expectFiring(well, well, ["LatchkeyMailStuck"], waits(`0+61x${minutes}`));
  });

  test("says that the log loses lines when nobody reads it", async () => {
    const fifo = join(temporaryDirectory("alerts"), "log");
    expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const args = ["-c", `exec "$0" serve --json 2>"$1"`, await buildExecutable(), fifo];
    const server = await spawnLatchkey({ env: listen, executable: "/bin/sh", args });
    const url = metricsUrlOf(server);
    const before = await scrape(url);
    const signOut = () => fetch(`${server.url}/api/auth/sign-out`, { method: "POST" });
    const dropped = async () => (await scrape(url)).value("latchkey_log_lines_dropped_total");
    while ((await dropped()) === 0) await Promise.all(Array.from({ length: 200 }, signOut));
    await expectFiring(before, await scrape(url), ["LatchkeyLogLinesDropped"]);
    await server.kill();
    closeSync(reader);
  });
});
