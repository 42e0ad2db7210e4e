import { describe, expect, test } from "bun:test";
import { withPort } from "../../src/config/load.ts";
import { load, problemsOf } from "./load.ts";

describe("PORT=0 and withPort", () => {
  test("fills in the real port wherever the default stands", () => {
    const { config } = load({ PORT: "0" });
    expect(config).toMatchObject({ port: 0, baseUrl: "http://localhost:0" });
    const resolved = withPort(config, 45_123);
    expect(resolved).toEqual({
      ...config,
      port: 45_123,
      baseUrl: "http://localhost:45123",
      trustedOrigins: [
        "http://localhost:3000",
        "http://localhost:3001",
        "http://localhost:8000",
        "http://localhost:5173",
        "http://localhost:4321",
        "http://localhost:8080",
        "http://localhost:45123",
      ],
    });
    expect(config.port).toBe(0);
  });

  test("repeats no origin and leaves out port 80", () => {
    const { config } = load({ PORT: "0" });
    expect(withPort(config, 8000).trustedOrigins).toEqual(load({}).config.trustedOrigins);
    expect(withPort(config, 80).baseUrl).toBe("http://localhost");
  });

  test("changes no URL that was configured", () => {
    const { config } = load({ PORT: "0", BETTER_AUTH_URL: "http://localhost:4000" });
    expect(withPort(config, 45_123)).toEqual({ ...config, port: 45_123 });
  });

  test("resolves a default redirect to the server itself", () => {
    const { config } = load({ PORT: "0" });
    const own = { ...config, defaultRedirectUrl: config.baseUrl };
    expect(withPort(own, 45_123).defaultRedirectUrl).toBe("http://localhost:45123");
  });

  test.each(["0.0.0.0", "::", "10.1.2.3", "auth.internal"])("refuses port 0 on HOST=%s", (host) => {
    expect(problemsOf({ PORT: "0", HOST: host }).map(({ variable }) => variable)).toEqual(["PORT"]);
  });

  test.each(["localhost", "::1", "127.0.0.53"])("allows port 0 on HOST=%s", (host) => {
    expect(load({ PORT: "0", HOST: host }).config.port).toBe(0);
  });
});
