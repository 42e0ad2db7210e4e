import { describe, expect, test } from "bun:test";
import { origin, visit } from "./requests.ts";
import type { Script } from "./scripted-pages.ts";

const refuse = (status: number, code: string): Script => ({
  answer: () => Response.json({ code, message: "" }, { status }),
});

const secret = "a password never shown";
const signIn = { email: "Ann@Example.com", password: secret, rememberMe: "true" };
const change = { currentPassword: secret, newPassword: secret, revokeOtherSessions: "true" };

describe("10-C8: a session that ended meanwhile", () => {
  const ended = refuse(401, "UNAUTHORIZED");

  test("is said, and the name that was typed is kept past the sign-in", async () => {
    const refused = await visit(ended).post("/account/profile", {
      name: "Ann <Other>",
      callbackUrl: "/guide",
    });
    expect(refused.status).toBe(401);
    expect(refused.html).toContain("Your session has ended. Sign in to go on; what you typed is kept.");
    expect(refused.html).toContain('name="draft" value="Ann &lt;Other>"');
    const account = `${origin}/account?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fguide`;
    expect(refused.html).toContain(`name="callbackUrl" value="${account}"`);

    const again = await visit().post("/signin", { ...signIn, callbackUrl: account, draft: "Ann <Other>" });
    expect([again.status, again.headers.get("location")]).toEqual([303, account]);
    const kept = again.headers.getSetCookie().find((cookie) => cookie.startsWith("latchkey.notice="));
    expect(kept).toStartWith("latchkey.notice=welcome-back.Ann%20%3COther%3E; Max-Age=60;");
    const cookie = `better-auth.session_token=ann; ${kept?.split(";")[0]}`;
    const { html } = await visit().get("/account", { cookie });
    expect(html).toContain('name="name" value="Ann &lt;Other>"');
    expect(html).toContain("What you typed is here, and not saved yet.");
  });

  test.each(["100% Ann", "%41nn", "Ann.Other", 'Ünal; "Ann", =', "安"])(
    "keeps %s as it was typed",
    async (name) => {
      const again = await visit().post("/signin", { ...signIn, draft: name });
      const kept = again.headers.getSetCookie().find((cookie) => cookie.startsWith("latchkey.notice="));
      const cookie = `better-auth.session_token=ann; ${kept?.split(";")[0]}`;
      const { html } = await visit().get("/account", { cookie });
      const shown = name.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
      expect(html).toContain(`name="name" value="${shown}"`);
    },
  );

  test("keeps it past a sign-in that is refused", async () => {
    const wrong = refuse(401, "INVALID_EMAIL_OR_PASSWORD");
    const { html } = await visit(wrong).post("/signin", { ...signIn, draft: "Ann Other" });
    expect(html).toContain('name="draft" value="Ann Other"');
  });

  test.each([
    ["/account/password", change],
    ["/account/delete", { password: secret }],
    ["/account/sessions/revoke", { id: "x" }],
  ])("keeps nothing of %s", async (path, fields) => {
    const { status, html } = await visit(ended).post(path, fields);
    expect(status).toBe(401);
    expect(html).toContain("Your session has ended. Sign in to go on.");
    expect(html).not.toContain("draft");
    expect(html).not.toContain(secret);
  });

  test.each(["x".repeat(5_000), "\u{1F511}".repeat(300)])(
    "keeps no more than a name may be",
    async (draft) => {
      const { headers } = await visit().post("/signin", { ...signIn, draft });
      expect(headers.getSetCookie()).toEqual([]);
    },
  );

  test.each(["welcome-back.%E0%A4%A", "welcome-back.", "name.%00"])(
    "a damaged notice is no harm: %s",
    async (value) => {
      const cookie = `better-auth.session_token=ann; latchkey.notice=${value}`;
      expect((await visit().get("/account", { cookie })).status).toBe(200);
    },
  );
});

describe("the way back from the account", () => {
  const env = { BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com" };
  const guide = "https://docs.example.com/guide?a=1";
  const search = `?callbackUrl=${encodeURIComponent(guide)}`;

  test("leads to the page somebody came from, past every form", async () => {
    const visitor = visit({ env }, { signedIn: true });
    const { html } = await visitor.get(`/account${search}`);
    expect(html).toContain(`<a href="${guide}">Back to docs.example.com</a>`);
    const forms = [...html.matchAll(/<form[^>]*>(.*?)<\/form>/gs)].map((match) => match[1] ?? "");
    expect(forms.filter((form) => !form.includes(`name="callbackUrl" value="${guide}"`))).toEqual([]);
    const saved = await visitor.post("/account/profile", { name: "Ann", callbackUrl: guide });
    expect(saved.headers.get("location")).toBe(`${origin}/account${search}`);
    const deleted = await visitor.post("/account/delete", { password: secret, callbackUrl: guide });
    expect(deleted.headers.get("location")).toBe(`${origin}/account/deleted${search}`);
    expect((await visitor.get(`/account/deleted${search}`)).html).toContain(`href="${guide}"`);
  });

  test("leads nowhere that is not listed", async () => {
    const { html } = await visit({ env }, { signedIn: true }).get(
      "/account?callbackUrl=https://evil.example",
    );
    expect(html).not.toContain("evil");
    expect(html).toContain('<a href="https://docs.example.com/">Back to docs.example.com</a>');
  });
});
