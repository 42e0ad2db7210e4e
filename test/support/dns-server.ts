import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";

/** A DNS server with TXT records alone, and what asks it. */
export interface DnsServer {
  readonly resolver: Resolver;
  close(): void;
}

/** @param records texts by name; null for a server that fails, undefined for a name that is not there. */
export async function openDnsServer(
  records: Readonly<Record<string, readonly string[] | null>>,
): Promise<DnsServer> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += length + 1;
    }
    const name = labels.join(".").toLowerCase();
    const texts = records[name];
    const head = Buffer.from(query.subarray(0, 12));
    // An answer, with recursion: 0 fine, 2 failed, 3 no such name.
    head.writeUInt16BE(0x8180 + (texts === null ? 2 : texts === undefined ? 3 : 0), 2);
    head.writeUInt16BE(texts?.length ?? 0, 6);
    head.writeUInt16BE(0, 10);
    const answers = (texts ?? []).map((text) => {
      const parts = (text.match(/[\s\S]{1,255}/g) ?? []).map((part) =>
        Buffer.concat([Buffer.from([part.length]), Buffer.from(part, "latin1")]),
      );
      const data = Buffer.concat(parts);
      const fixed = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]);
      return Buffer.concat([fixed, data]);
    });
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...answers]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return { resolver, close: () => socket.close() };
}
