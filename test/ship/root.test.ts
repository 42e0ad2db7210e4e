import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type BootedRoot, boot, copyIn, makeRoot, run, whyNoRoot } from "../support/ship-root.ts";

setDefaultTimeout(300_000);

const reason = whyNoRoot();

describe.skipIf(reason !== null)(
  `a Debian root with its own systemd${reason === null ? "" : `: ${reason}`}`,
  () => {
    let root: BootedRoot;
    beforeAll(async () => {
      const still = await makeRoot();
      copyIn(still, import.meta.path, "/srv/file", 0o600);
      expect(await run(still, ["stat", "--format=%a", "/srv/file"])).toMatchObject({ stdout: "600\n" });
      root = await boot(still);
    });
    afterAll(async () => await root.stop());

    test("boots, and runs what it is told", async () => {
      expect(root.state).toBe("running");
      expect(await root.run(["cat", "/proc/1/comm"])).toEqual({
        exitCode: 0,
        stdout: "systemd\n",
        stderr: "",
      });
    });

    test.each(["bun", "node", "gcc", "cc", "make"])("has no %s", async (program) => {
      expect(await root.run(["which", program])).toEqual({ exitCode: 1, stdout: "", stderr: "" });
    });

    test("has a network of its own, with a loopback alone", async () => {
      const { stdout } = await root.run(["cat", "/proc/net/dev"]);
      expect(stdout.match(/^ *\w+:/gm)?.map((name) => name.trim())).toEqual(["lo:"]);
    });
  },
);
