import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { freePort } from "../support/free-port.ts";
import { claimPort } from "../../src/workers/port-claim.ts";

/** Addresses that count on one interface alone, with it. */
const local = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
  (addresses ?? []).flatMap((one) =>
    one.family === "IPv6" && one.address.startsWith("fe80:") && process.platform === "linux"
      ? [`${one.address}%${name}`, `${one.address}%${one.scopeid}`]
      : [],
  ),
);

test.skipIf(local.length === 0)("an address of one interface is claimed there", async () => {
  for (const host of local) {
    const port = freePort();
    const claim = await claimPort(host, port);
    expect(claim).toMatchObject({ address: host, port });
    await claimPort(host, port).then(
      () => expect.unreachable(),
      (error: Error) => expect(error.message).toContain("is in use"),
    );
    claim.release();
  }
});
