import { describe, expect, test } from "bun:test";
import { createJar } from "./cookie-jar.ts";

function answer(...cookies: string[]): Response {
  return new Response(null, { headers: cookies.map((cookie): [string, string] => ["Set-Cookie", cookie]) });
}

describe("createJar", () => {
  test("sends values back byte for byte, without their attributes", () => {
    const jar = createJar();
    jar.store(answer("a.b=t%2Bok.en%3D; Path=/; HttpOnly; SameSite=Lax", "c=x=y; Path=/; Secure"));
    expect(jar.header()).toBe("a.b=t%2Bok.en%3D; c=x=y");
    expect(jar.get("c")).toBe("x=y");
  });

  test("replaces a cookie of the same name, path and domain", () => {
    const jar = createJar();
    jar.store(answer("a=1; Path=/; Domain=.example.com"));
    jar.store(answer("a=2; Path=/; domain=example.com"));
    expect(jar.header()).toBe("a=2");
  });

  test.each([
    "a=; Path=/; Max-Age=0",
    "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "a=; Path=/; Max-Age=-1",
  ])("deletes on %s", (deletion) => {
    const jar = createJar();
    jar.store(answer("a=1; Path=/"));
    jar.store(answer(deletion));
    expect(jar.header()).toBe("");
  });

  test.each([
    "a=; Path=/api; Max-Age=0",
    "a=; Path=/; Domain=example.com; Max-Age=0",
    "b=; Path=/; Max-Age=0",
  ])("keeps the cookie on %s, which is another one's deletion", (deletion) => {
    const jar = createJar();
    jar.store(answer("a=1; Path=/"));
    jar.store(answer(deletion));
    expect(jar.header()).toBe("a=1");
  });

  test("drops a cookie when Max-Age has passed, which goes before Expires", () => {
    let now = 0;
    const jar = createJar(() => now);
    jar.store(answer("a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:01 GMT"));
    now = 59_999;
    expect(jar.header()).toBe("a=1");
    now = 60_000;
    expect(jar.header()).toBe("");
    expect(jar.get("a")).toBeUndefined();
  });

  test("sends a cookie to its path only, the longest path first", () => {
    const jar = createJar();
    jar.store(answer("a=root; Path=/", "a=api; Path=/api"));
    expect([jar.header("/"), jar.header("/api/x"), jar.header("/apix")]).toEqual([
      "a=root",
      "a=api; a=root",
      "a=root",
    ]);
  });

  test("forgets everything when cleared, and skips what is no cookie", () => {
    const jar = createJar();
    jar.store(answer("a=1; Path=/", "nonsense", "=2"));
    expect(jar.header()).toBe("a=1");
    jar.clear();
    expect(jar.header()).toBe("");
  });
});
