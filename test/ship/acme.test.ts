import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { type Pebble, pebbleMissing, startPebble } from "../support/pebble.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { untilServed } from "../support/tls-client.ts";

setDefaultTimeout(240_000);

const host = "auth.latchkey.test";

describe.skipIf(pebbleMissing !== null)(
  `LATCHKEY_TLS=acme with the real Pebble${pebbleMissing === null ? "" : ` (${pebbleMissing})`}`,
  () => {
    const pebbles: Pebble[] = [];
    const open = async (...options: Parameters<typeof startPebble>) => {
      const pebble = await startPebble(...options);
      pebbles.push(pebble);
      return pebble;
    };
    afterEach(async () => {
      await Promise.all(pebbles.splice(0).map((pebble) => pebble.stop()));
    });
    const environmentOf = (pebble: Pebble, more: Readonly<Record<string, string>> = {}) => ({
      HOST: "127.0.0.1",
      BETTER_AUTH_URL: `https://${host}`,
      LATCHKEY_TLS: "acme",
      LATCHKEY_HTTP_PORT: String(pebble.httpPort),
      LATCHKEY_ACME_DIRECTORY: pebble.url,
      LATCHKEY_ACME_CA_FILE: pebble.caFile,
      LATCHKEY_DATA_DIR: temporaryDirectory("acme"),
      LATCHKEY_METRICS_LISTEN: "127.0.0.1:0",
      ...more,
    });
    const portOf = ({ url }: RunningLatchkey) => Number(new URL(url).port);
    const countOf = (server: RunningLatchkey, event: string) =>
      server.logs().filter((line) => line["event"] === event).length;
    const until = async (server: RunningLatchkey, event: string, count = 1) => {
      while (countOf(server, event) < count) await Bun.sleep(50);
    };
    /** A client that trusts this authority, and nothing else. */
    const ask = async (server: RunningLatchkey, pebble: Pebble, path: string) =>
      await fetch(`${server.url}${path}`, {
        keepalive: false,
        redirect: "manual",
        tls: { ca: await pebble.root(), serverName: host },
      });
    const storeOf = (env: Readonly<Record<string, string>>) => {
      const top = join(env["LATCHKEY_DATA_DIR"] ?? "", "acme");
      const [folder = ""] = readdirSync(top);
      return { top, folder: join(top, folder), pair: join(top, folder, `${host}.pem`) };
    };
    const fingerprintIn = (file: string) =>
      new X509Certificate(/-----BEGIN CERTIFICATE[^]*/.exec(readFileSync(file, "utf8"))?.[0] ?? "")
        .fingerprint256;

    test("gets one at the first start, keeps it for its owner alone, and goes on with it after a restart without a new order", async () => {
      const pebble = await open();
      const env = environmentOf(pebble);
      const server = await spawnLatchkey({ env });
      await until(server, "certificate_loaded");
      expect((await ask(server, pebble, "/health")).status).toBe(200);
      expect((await ask(server, pebble, "/signin")).status).toBe(200);
      const led = await fetch(`http://127.0.0.1:${pebble.httpPort}/signin`, { redirect: "manual" });
      expect({ status: led.status, location: led.headers.get("location") }).toEqual({
        status: 308,
        location: `https://${host}/signin`,
      });
      const { top, folder, pair } = storeOf(env);
      expect([top, folder].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
      expect(readdirSync(folder).toSorted()).toEqual(["account.pem", `${host}.pem`]);
      for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
      const asked = { ...env, PORT: String(portOf(server)) };
      expect(await runLatchkey(["healthcheck"], { env: asked })).toMatchObject({ exitCode: 0 });
      const doctor = JSON.parse((await runLatchkey(["doctor", "--json"], { env: asked })).stdout) as {
        checks: { name: string; status: string; detail: string }[];
      };
      expect(doctor.checks.filter(({ name }) => name === "certificate")).toMatchObject([
        { status: "ok", detail: expect.stringContaining(`from ${pebble.url}`) },
      ]);
      expect(await server.stop()).toBe(0);

      const before = fingerprintIn(pair);
      await pebble.stop();
      const again = await spawnLatchkey({ env });
      await untilServed(portOf(again), before);
      expect(countOf(again, "certificate_ordered")).toBe(0);
      expect(await again.stop()).toBe(0);
    });

    test.each([1, 2])(
      "renews in the last third, without a failed request, while nobody restarts it (%i workers)",
      async (workers) => {
        const pebble = await open({ validSeconds: 15 });
        const env = environmentOf(pebble, { LATCHKEY_WORKERS: String(workers) });
        const server = await spawnLatchkey({ env });
        await until(server, "certificate_loaded");
        const first = fingerprintIn(storeOf(env).pair);
        let isOver = false;
        const failures: unknown[] = [];
        let answered = 0;
        const load = async () => {
          while (!isOver) {
            await ask(server, pebble, "/health/live").then(
              ({ status }) => (status === 200 ? (answered += 1) : failures.push(status)),
              (error: unknown) => failures.push(error),
            );
            await Bun.sleep(5);
          }
        };
        const loading = load();
        await until(server, "certificate_loaded", 3);
        await Bun.sleep(1_200);
        isOver = true;
        await loading;
        expect(answered).toBeGreaterThan(100);
        // Of one process none; of several the few of workers' shared port.
        if (workers === 1) expect(failures).toEqual([]);
        else expect(failures.length).toBeLessThan(answered / 100);
        const last = fingerprintIn(storeOf(env).pair);
        expect(last).not.toBe(first);
        await untilServed(portOf(server), last);
        expect(countOf(server, "certificate_ordered")).toBeGreaterThanOrEqual(3);
        expect(await server.stop()).toBe(0);
      },
    );

    test("goes on with the old one while the authority is gone, and says so; SIGHUP tries at once when it is back", async () => {
      const pebble = await open({ validSeconds: 20 });
      const env = environmentOf(pebble);
      const server = await spawnLatchkey({ env });
      await until(server, "certificate_loaded");
      const { pair } = storeOf(env);
      const first = fingerprintIn(pair);
      await pebble.stop();
      await until(server, "certificate_renewal_failed");
      await untilServed(portOf(server), first);
      expect(server.logs().find(({ event }) => event === "certificate_renewal_failed")).toMatchObject({
        level: "error",
        host,
        reason: expect.stringContaining("cannot be asked"),
        remedy: expect.stringContaining("reload"),
        failures: 1,
        nextTry: expect.any(String),
      });
      const metrics = String(server.logs().find(({ event }) => event === "listening")?.["metrics"]);
      expect(await (await fetch(metrics)).text()).toContain("latchkey_tls_certificate_failures_total 1\n");
      await open({ validSeconds: 3_600, like: pebble });
      process.kill(server.pid, "SIGHUP");
      await until(server, "certificate_obtained", 2);
      const second = fingerprintIn(pair);
      expect(second).not.toBe(first);
      await untilServed(portOf(server), second);
      expect(await server.stop()).toBe(0);
    });

    test("a first start whose challenge fails stays up and says why, and serves nothing on https until it is mended", async () => {
      const pebble = await open();
      // The authority asks another port than the one that answers.
      const elsewhere = freePort();
      const env = environmentOf(pebble, { LATCHKEY_HTTP_PORT: String(elsewhere) });
      const server = await spawnLatchkey({ env });
      await until(server, "certificate_order_failed");
      expect(server.logs().find(({ event }) => event === "certificate_order_failed")).toMatchObject({
        level: "error",
        host,
        reason: expect.stringContaining("connection"),
        remedy: expect.stringContaining("/.well-known/acme-challenge/"),
        failures: 1,
      });
      expect(await fetch(server.url).catch(({ code }: { code: unknown }) => code)).toBe("ECONNREFUSED");
      const waiting = await fetch(`http://127.0.0.1:${elsewhere}/`, { redirect: "manual" });
      expect({ status: waiting.status, body: await waiting.json() }).toMatchObject({
        status: 503,
        body: { code: "STARTING" },
      });
      const check = await runLatchkey(["healthcheck"], { env: { ...env, PORT: String(portOf(server)) } });
      expect(check.exitCode).toBe(1);
      expect(await server.stop()).toBe(0);
      const mended = await spawnLatchkey({
        env: { ...env, LATCHKEY_HTTP_PORT: String(pebble.httpPort) },
      });
      // The authority counts failures, not starts.
      await until(mended, "certificate_order_delayed");
      expect(countOf(mended, "certificate_ordered")).toBe(0);
      process.kill(mended.pid, "SIGHUP");
      await until(mended, "certificate_loaded");
      expect((await ask(mended, pebble, "/health")).status).toBe(200);
      expect(await mended.stop()).toBe(0);
    });

    test("a name that the authority does not certify is an error with its words, and never an end", async () => {
      const pebble = await open();
      const env = environmentOf(pebble, { BETTER_AUTH_URL: "https://refused.latchkey.test" });
      const server = await spawnLatchkey({ env });
      await until(server, "certificate_order_failed");
      expect(server.logs().find(({ event }) => event === "certificate_order_failed")).toMatchObject({
        reason: expect.stringMatching(/^rejectedIdentifier/),
      });
      expect(await server.stop()).toBe(0);
    });

    test("killed at any moment of an order, the next start has one that works, and nothing half written", async () => {
      const pebble = await open();
      for (const afterMs of [0, 100, 300, 900, 1_100]) {
        const env = environmentOf(pebble);
        const killed = await spawnLatchkey({ env });
        await until(killed, "certificate_ordered");
        await Bun.sleep(afterMs);
        await killed.kill();
        const server = await spawnLatchkey({ env });
        await until(server, "certificate_loaded");
        expect((await ask(server, pebble, "/health/live")).status).toBe(200);
        expect(await server.stop()).toBe(0);
        expect(
          readdirSync(storeOf(env).folder)
            .filter((name) => !name.endsWith(".tmp"))
            .toSorted(),
        ).toEqual(["account.pem", `${host}.pem`]);
      }
    });

    test("of two on one data directory one orders, and the other takes what it got", async () => {
      const pebble = await open();
      const env = environmentOf(pebble);
      const [one, other] = await Promise.all([
        spawnLatchkey({ env }),
        spawnLatchkey({ env: { ...env, LATCHKEY_HTTP_PORT: String(freePort()) } }),
      ]);
      await Promise.all([until(one, "certificate_loaded"), until(other, "certificate_loaded")]);
      const served = fingerprintIn(storeOf(env).pair);
      await Promise.all([untilServed(portOf(one), served), untilServed(portOf(other), served)]);
      const orders = [one, other].map((server) => countOf(server, "certificate_obtained"));
      expect(orders.toSorted()).toEqual([0, 1]);
      await Promise.all([one.stop(), other.stop()]);
    });

    test("a root that is not there is refused at the start", async () => {
      const pebble = await open();
      const env = environmentOf(pebble, { LATCHKEY_ACME_CA_FILE: "/nowhere/ca.pem" });
      const refused = await runLatchkey([], { env: { ...env, PORT: "0" } });
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain(
        "LATCHKEY_ACME_CA_FILE: names /nowhere/ca.pem, which cannot be read (ENOENT)",
      );
    });
  },
);
