import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createDisk, type Disk, noDisks } from "../support/disk.ts";
import { type RunningLatchkey } from "../support/executable.ts";
import { type Ledger, openLedger } from "../support/load-ledger.ts";

setDefaultTimeout(600_000);

const reason = noDisks();

describe.skipIf(reason !== undefined)(
  `SQLite on a disk that fails${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    const refusedSome = async (ledger: Ledger, count: number) => {
      const before = ledger.report().unavailable;
      const deadline = Date.now() + 15_000;
      while (ledger.report().unavailable < before + count && Date.now() < deadline) await Bun.sleep(20);
      expect(ledger.report().unavailable).toBeGreaterThanOrEqual(before + count);
    };
    const audited = async (what: string, ledger: Ledger, emails: readonly string[]) => {
      const lost = await ledger.lost(emails);
      console.log(`${what}: ${JSON.stringify(ledger.report())}`);
      expect([ledger.lies, lost]).toEqual([[], []]);
      expect(ledger.report().slowestMs).toBeLessThan(6_500);
    };

    test("S79: full: writes are 503, verify goes on, and all is well once there is room", async () => {
      const disk = createDisk("tmpfs", 8);
      const server = await disk.start();
      const ledger = openLedger({ urls: [server.url] });
      ledger.start();
      await ledger.more(2);
      disk.fill();
      await refusedSome(ledger, 5);
      const { verified } = ledger.report();
      await refusedSome(ledger, 20);
      expect(ledger.report().verified).toBeGreaterThan(verified);
      disk.clear();
      await ledger.recovered(5_000);
      await ledger.more(2);
      await ledger.stop();
      await audited("full", ledger, disk.emails());
      await server.stop();
    });

    const broken: readonly { name: string; harm: (disk: Disk) => void }[] = [
      { name: "read-only, by an error of ext4", harm: (disk) => disk.breakFileSystem() },
      { name: "gone, every use of it an error", harm: (disk) => disk.pullOut() },
    ];
    test.each(broken)(
      "S79: $name: no lie, and everything acknowledged is there after a restart",
      async ({ name, harm }) => {
        const disk = createDisk("ext4", 64);
        let server: RunningLatchkey = await disk.start();
        const urls = [server.url];
        const ledger = openLedger({ urls });
        ledger.start();
        await ledger.more(2);
        // Between two commits: while one is under way, Linux 6.18 says 0 to an fsync that the failing journal then drops
        // (4 of 180 times, to SQLite alone), and no program can know better.
        await ledger.stop();
        harm(disk);
        ledger.start();
        await refusedSome(ledger, 20);
        await ledger.stop();
        console.log((await fetch(`${server.url}/health`)).status, server.stderr().slice(-600));
        await server.kill();
        server = await disk.start();
        urls[0] = server.url;
        await ledger.recovered(5_000);
        await audited(name, ledger, disk.emails());
        await server.stop();
      },
    );
  },
);
