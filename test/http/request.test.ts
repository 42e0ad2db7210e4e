import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  createClientAddresses,
  createRequestDescription,
  createRequestIds,
  isHost,
  isRequestId,
  requireUniqueParameters,
} from "../../src/http/request.ts";

const direct = "198.51.100.7";
const proxies = ["10.0.0.0/8", "127.0.0.1/32", "::1/128", "fd00::/8"];

describe("S58: createClientAddresses without trusted proxies", () => {
  const { resolve, isTrusted } = createClientAddresses([]);
  test.each([
    [direct, null, direct],
    [direct, "203.0.113.9", direct],
    ["127.0.0.1", "203.0.113.9", "127.0.0.1"],
    ["::ffff:198.51.100.7", null, direct],
    ["::ffff:127.0.0.1", "203.0.113.9", "127.0.0.1"],
    ["2001:DB8::0:1", null, "2001:db8::1"],
    ["", "203.0.113.9", "0.0.0.0"],
    ["unix", null, "0.0.0.0"],
  ])("takes peer %j with %j for %s", (peer, forwardedFor, address) => {
    expect([resolve(peer, forwardedFor), isTrusted(peer)]).toEqual([address, false]);
  });
});

describe("S58: createClientAddresses behind trusted proxies", () => {
  const { resolve, isTrusted } = createClientAddresses(proxies);

  test.each([
    ["a direct client", direct, null, direct],
    ["a direct client that claims another address", direct, "203.0.113.9", direct],
    ["a direct client that claims a proxy's", direct, "10.0.0.1", direct],
    ["one hop", "10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["one hop over IPv6", "::1", "2001:db8::2", "2001:db8::2"],
    ["a proxy written as IPv4 in IPv6", "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["a client written as IPv4 in IPv6", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["two hops", "10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"],
    ["what the client wrote before its own hop", "10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"],
    [
      "a client that writes a proxy's address before its own",
      "10.0.0.1",
      "10.9.9.9, 203.0.113.9",
      "203.0.113.9",
    ],
    ["two headers, joined", "10.0.0.1", "1.1.1.1, 2.2.2.2,203.0.113.9,10.0.0.2", "203.0.113.9"],
    ["blanks", "10.0.0.1", "  203.0.113.9  ", "203.0.113.9"],
    ["nothing but proxies", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["no header", "10.0.0.1", null, "10.0.0.1"],
    ["an empty header", "10.0.0.1", "", "10.0.0.1"],
    ["an empty last hop", "10.0.0.1", "203.0.113.9,", "10.0.0.1"],
    ["garbage as the last hop", "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"],
    ["garbage behind a proxy", "10.0.0.1", "<script>, 10.0.0.2", "10.0.0.2"],
    ["an obfuscated hop, RFC 7239", "10.0.0.1", "_hidden", "10.0.0.1"],
    ["a port", "10.0.0.1", "203.0.113.9:4711", "10.0.0.1"],
    ["brackets", "10.0.0.1", "[2001:db8::2]", "10.0.0.1"],
    ["a zone", "10.0.0.1", "fe80::1%eth0\r\nX: y", "10.0.0.1"],
    ["a peer that has no address", "", "203.0.113.9", "0.0.0.0"],
  ])("resolves %s", (_what, peer, forwardedFor, address) => {
    expect(resolve(peer, forwardedFor)).toBe(address);
  });

  test.each([
    ["10.255.0.1", true],
    ["::ffff:10.0.0.1", true],
    ["127.0.0.1", true],
    ["::1", true],
    ["fd12::1", true],
    ["127.0.0.2", false],
    ["11.0.0.1", false],
    ["fe80::1", false],
    ["", false],
    ["10.0.0.1, 10.0.0.2", false],
  ])("trusts %s: %p", (peer, trusted) => {
    expect(isTrusted(peer)).toBe(trusted);
  });

  test("does not let IPv4 ranges match IPv6 peers, nor the other way round", () => {
    const all = createClientAddresses(["0.0.0.0/0"]);
    expect([all.isTrusted("203.0.113.9"), all.isTrusted("2001:db8::1")]).toEqual([true, false]);
    const six = createClientAddresses(["::/0"]);
    expect([six.isTrusted("203.0.113.9"), six.isTrusted("2001:db8::1")]).toEqual([false, true]);
  });

  test("lets nobody outside choose his address, whatever he sends", () => {
    const property = fc.property(fc.ipV4(), fc.string({ unit: "binary" }), (client, sent) => {
      fc.pre(!isTrusted(client));
      const [own] = [resolve(client, sent)];
      expect(own).toBe(client);
      // Behind a proxy of ours, which appends the peer's address to what was sent.
      expect(resolve("10.0.0.1", `${sent}, ${client}`)).toBe(client);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("always yields an address, on one line", () => {
    const hop = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string(),
      fc.constantFrom("10.0.0.2", "unknown", "\r\n", "::ffff:1.2.3.4"),
    );
    const property = fc.property(hop, fc.array(hop, { maxLength: 5 }), (peer, hops) => {
      expect(resolve(peer, hops.join(", "))).toMatch(/^[0-9a-f.:]+$/);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe("isRequestId", () => {
  test.each([
    ["a", true],
    ["A-z_0.9", true],
    ["x".repeat(64), true],
    ["x".repeat(65), false],
    ["", false],
    ["a b", false],
    ["a\n", false],
    ["a\r\nSet-Cookie: x", false],
    ["é", false],
    ["a,b", false],
    ["<a>", false],
  ])("of %j is %p", (value, is) => {
    expect(isRequestId(value)).toBe(is);
  });
});

describe("createRequestIds", () => {
  test("makes ids that are valid and never the same, here and in another process", () => {
    const [here, there] = [createRequestIds().next, createRequestIds().next];
    const ids = Array.from({ length: 2_000 }, (_, at) => (at % 2 === 0 ? here() : there()));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !isRequestId(id))).toEqual([]);
  });
});

describe("S42: isHost", () => {
  test.each([
    ["auth.example.com", true],
    ["localhost:3001", true],
    ["127.0.0.1:3001", true],
    ["[::1]:3001", true],
    ["[2001:db8::1.2.3.4]", true],
    ["a_b.example", true],
    [null, false],
    ["", false],
    ["a, b", false],
    ["a,b", false],
    ["user@a", false],
    ["a/b", false],
    ["a b", false],
    ["a:", false],
    ["a:123456", false],
    ["a:x", false],
    ["[::1", false],
    ["é.example", false],
    ["a\r\nb", false],
    ["a?b", false],
    ["a#b", false],
    ["%61", false],
  ])("of %j is %p", (host, is) => {
    expect(isHost(host)).toBe(is);
  });
});

describe("createRequestDescription", () => {
  const describeRequest = createRequestDescription(["10.0.0.0/8"], () => "made");
  const from = (peer: string, path: string, headers: Record<string, string> = {}) =>
    describeRequest(new Request(`http://localhost${path}`, { headers }), {
      requestIP: () => ({ address: peer, family: "IPv4", port: 1 }),
    });

  test("finds the route at a path, with and without its trailing slash", () => {
    for (const path of ["/api/auth/sign-out", "/api/auth/sign-out/"])
      expect(from(direct, path)).toMatchObject({
        path: "/api/auth/sign-out",
        route: { name: "signOut" },
        clientAddress: direct,
        fromProxy: false,
      });
    expect(from(direct, "/api/auth/sign-out//").route).toBeUndefined();
    expect(from(direct, "/assets/latchkey-0.css").route?.name).toBe("asset");
    expect(from(direct, "/assets/a/b").route).toBeUndefined();
  });

  test("keeps a request id of a trusted proxy, where it is one", () => {
    const inbound = (peer: string, id: string) => from(peer, "/", { "x-request-id": id }).requestId;
    expect([inbound("10.1.2.3", "theirs"), inbound("10.1.2.3", "a b"), inbound(direct, "theirs")]).toEqual([
      "theirs",
      "made",
      "made",
    ]);
  });

  const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  test.each([
    [trace, true],
    [trace.replace("00-", "cc-"), true],
    [`${trace.replace("00-", "cc-")}-more.of=it`, true],
    [`${trace}-more`, false],
    [trace.replace("00-", "ff-"), false],
    [trace.toUpperCase(), false],
    [trace.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32)), false],
    [trace.replace("00f067aa0ba902b7", "0".repeat(16)), false],
    [trace.slice(0, -1), false],
    [`${trace}, ${trace}`, false],
    ['00-"', false],
  ])("keeps a traceparent of a trusted proxy, and of nobody else: %s", (traceparent, isKept) => {
    expect(from("10.1.2.3", "/", { traceparent }).traceparent).toBe(isKept ? traceparent : undefined);
    expect(from(direct, "/", { traceparent }).traceparent).toBeUndefined();
  });

  test("S51: tells a parameter that stands twice, under whichever spelling", () => {
    const code = (search: string) => {
      try {
        requireUniqueParameters(from(direct, `/health${search}`));
        return "passes";
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    expect(["", "?", "?a=1&b=2", "?a=1&a=1", "?a&%61"].map(code)).toEqual([
      "passes",
      "passes",
      "passes",
      "REPEATED_PARAMETER",
      "REPEATED_PARAMETER",
    ]);
  });
});
