import { describe, expect, jest, test } from "bun:test";
import * as fc from "fast-check";
import { createBodyReader, readBody } from "../../src/http/body.ts";

const json = "application/json";
const form = "application/x-www-form-urlencoded";

interface Given {
  readonly type?: string;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  readonly length?: string;
}

async function read({ type = json, body, length }: Given): Promise<unknown> {
  const request = new Request("http://localhost/", {
    method: "POST",
    headers: {
      ...(type === "" ? {} : { "content-type": type }),
      ...(length === undefined ? {} : { "content-length": length }),
    },
    body,
  });
  if (type === "") request.headers.delete("content-type");
  return await readBody(request).catch(
    (error: { status?: number; code?: string }) => `${error.status} ${error.code}`,
  );
}

const limit = 32 * 1024;
const padded = (size: number) => `{"a":"${"x".repeat(size - 8)}"}`;
const stream = (...chunks: readonly string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });

describe("readBody", () => {
  test.each([
    ["JSON", json, '{"a":1,"b":[true,null]}', { a: 1, b: [true, null] }],
    ["JSON with a charset", `${json}; charset=utf-8`, '{"a":"ü"}', { a: "ü" }],
    ["JSON of another kind", "application/ld+json", '{"a":1}', { a: 1 }],
    ["JSON in capitals", "Application/JSON", '{"a":1}', { a: 1 }],
    ["S49: the last of repeated keys", json, '{"a":1,"a":2}', { a: 2 }],
    ["a form", form, "a=1&b=x+y%26z&c=", { a: "1", b: "x y&z", c: "" }],
    ["a form with a charset", `${form};charset=UTF-8`, "a=%C3%BC", { a: "ü" }],
    ["nothing", json, "", {}],
    ["nothing of any type", "text/plain", "", {}],
    [
      "S50: JSON that reaches for a prototype",
      json,
      '{"__proto__":{"x":1},"constructor":1,"prototype":2,"a":1}',
      { a: 1 },
    ],
    ["S50: a form that reaches for a prototype", form, "__proto__=1&constructor=2&a=1", { a: "1" }],
    ["S49: a list", json, "[1]", "400 INVALID_BODY"],
    ["S49: null", json, "null", "400 INVALID_BODY"],
    ["S49: a string", json, '"a"', "400 INVALID_BODY"],
    ["S49: half of an object", json, '{"a":1', "400 INVALID_BODY"],
    ["two objects", json, "{}{}", "400 INVALID_BODY"],
    ["a byte-order mark", json, '\ufeff{"a":1}', { a: 1 }],
    ["a form under JSON's type", json, "a=1", "400 INVALID_BODY"],
    ["S51: a field twice in a form", form, "a=1&a=2", "400 REPEATED_PARAMETER"],
    ["plain text", "text/plain", '{"a":1}', "415 UNSUPPORTED_MEDIA_TYPE"],
    ["multipart", "multipart/form-data; boundary=x", "--x--", "415 UNSUPPORTED_MEDIA_TYPE"],
    ["no type", "", '{"a":1}', "415 UNSUPPORTED_MEDIA_TYPE"],
    ["a type that only starts like JSON's", "application/jsonx", '{"a":1}', "415 UNSUPPORTED_MEDIA_TYPE"],
  ] as const)("reads %s", async (_what, type, body, expected) => {
    expect(await read({ type, body })).toEqual(expected);
  });

  test("S50: leaves prototypes alone", async () => {
    const body = (await read({
      body: '{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}',
    })) as object;
    expect([Object.getPrototypeOf(body) === Object.prototype, "polluted" in body, "polluted" in {}]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test.each([
    ["a cut character", [0xc3]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["Latin-1", [0xfc]],
  ])("S49: refuses %s in a text", async (_what, bytes) => {
    const body = new Uint8Array([...Buffer.from('{"a":"'), ...bytes, ...Buffer.from('"}')]);
    expect(await read({ body })).toBe("400 INVALID_BODY");
    expect(await read({ type: form, body })).toBe("400 INVALID_BODY");
  });

  test("S38: takes 32 KiB, and not a byte more, announced or not", async () => {
    const [fits, over] = [padded(limit), padded(limit + 1)];
    expect([fits.length, over.length]).toEqual([limit, limit + 1]);
    expect(await read({ body: fits })).toBeObject();
    expect(await read({ body: stream(fits.slice(0, 100), fits.slice(100)) })).toBeObject();
    expect(await read({ body: over })).toBe("413 PAYLOAD_TOO_LARGE");
    expect(await read({ body: stream(over.slice(0, 100), over.slice(100)) })).toBe("413 PAYLOAD_TOO_LARGE");
    const multibyte = `{"a":"${"ü".repeat(limit / 2)}"}`;
    expect(await read({ body: multibyte })).toBe("413 PAYLOAD_TOO_LARGE");
  });

  test("S38: stops reading at the limit", async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1_024;
        controller.enqueue(new Uint8Array(1_024));
      },
    });
    expect(await read({ body: endless })).toBe("413 PAYLOAD_TOO_LARGE");
    expect(sent).toBeLessThan(4 * limit);
  });

  test("S40: gives up a body that does not arrive within 10 s", async () => {
    jest.useFakeTimers();
    try {
      const reading = read({ body: new ReadableStream({ pull: () => new Promise(() => {}) }) });
      jest.advanceTimersByTime(9_999);
      expect(await Promise.race([reading, Promise.resolve("waiting")])).toBe("waiting");
      jest.advanceTimersByTime(2);
      expect(await reading).toBe("408 REQUEST_TIMEOUT");
    } finally {
      jest.useRealTimers();
    }
  });

  test("reads back what JSON and forms say, but for prototypes' names", async () => {
    const key = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((name) => !["__proto__", "constructor", "prototype"].includes(name));
    const fields = fc.dictionary(key, fc.string({ unit: "grapheme" }), { maxKeys: 5, noNullPrototype: true });
    const property = fc.asyncProperty(fields, async (body) => {
      expect(await read({ body: JSON.stringify(body) })).toEqual(body);
      expect(await read({ type: form, body: new URLSearchParams(body).toString() })).toEqual(body);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("S49: answers anything else with 400, 413 or 415", async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((given) => new Uint8Array(given));
    const property = fc.asyncProperty(bytes, fc.constantFrom(json, form, "text/html"), async (body, type) => {
      const result = await read({ type, body });
      if (typeof result === "string") expect(result).toMatch(/^4(?:00|15) /);
      else expect(result).toBeObject();
    });
    await fc.assert(property, { numRuns: 500 });
  });
});

describe("createBodyReader", () => {
  test("keeps one client from sending more than so many bodies at once, and nobody else", async () => {
    const read = createBodyReader(async () => {}, 3);
    const ends: (() => void)[] = [];
    const held = () =>
      new Request("http://localhost/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: new ReadableStream<Uint8Array>({
          start(controller) {
            ends.push(() => {
              controller.enqueue(new TextEncoder().encode("{}"));
              controller.close();
            });
          },
        }),
      });
    const plain = () =>
      new Request("http://localhost/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"a":1}',
      });
    // Of one /64.
    const waiting = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map((address) => read(held(), address));
    await expect(read(plain(), "2001:db8::4")).rejects.toMatchObject({
      status: 503,
      code: "TOO_BUSY",
      headers: { "Retry-After": "1", Connection: "close" },
    });
    expect(await read(plain(), "2001:db8:1::1")).toEqual({ a: 1 });
    for (const end of ends) end();
    expect(await Promise.all(waiting)).toEqual([{}, {}, {}]);
    expect(await read(plain(), "2001:db8::4")).toEqual({ a: 1 });
  });
});
