import { describe, expect, test } from "bun:test";
import type { AuthRequest } from "../../src/auth/handle.ts";
import { AppError } from "../../src/errors.ts";
import type { AuthRouteName } from "../../src/routes.ts";
import { origin, tagOf, textOf, visit } from "./requests.ts";
import type { Script } from "./scripted-pages.ts";

const refuse = (
  status: number,
  code: string,
  message = "",
  headers: Record<string, string> = {},
): Script => ({
  answer: () => Response.json({ code, message }, { status, headers }),
});
const outage: Script = {
  answer: () => {
    throw new AppError("STORE_UNAVAILABLE", "The store is out.", { headers: { "Retry-After": "1" } });
  },
};
/** Answers 200 and remembers what it was asked. */
function recording(answer: () => Response = () => Response.json({})) {
  const asked: Pick<AuthRequest, "name" | "body" | "clientAddress">[] = [];
  const script: Script = {
    answer: ({ name, body, clientAddress }) => {
      asked.push({ name, body, clientAddress });
      return answer();
    },
  };
  return { asked, script };
}

const secret = "a password never shown";
const signIn = { email: "Ann@Example.com", password: secret, rememberMe: "true" };
const signUp = { name: "Ann", email: "ann@example.com", password: secret };
const change = { currentPassword: secret, newPassword: secret, revokeOtherSessions: "true" };

describe("a form that is taken", () => {
  test.each([
    ["/signin", signIn, "signIn", { email: signIn.email, password: secret, rememberMe: true }],
    [
      "/signin",
      { email: "a@b.co", password: "x" },
      "signIn",
      { email: "a@b.co", password: "x", rememberMe: false },
    ],
    ["/signup", { ...signUp, name: " Ann " }, "signUp", signUp],
    ["/signout", {}, "signOut", {}],
    ["/account/profile", { name: " Ann " }, "updateUser", { name: "Ann" }],
    [
      "/account/password",
      change,
      "changePassword",
      { currentPassword: secret, newPassword: secret, revokeOtherSessions: true },
    ],
    [
      "/account/password",
      { currentPassword: "a", newPassword: "b" },
      "changePassword",
      { currentPassword: "a", newPassword: "b", revokeOtherSessions: false },
    ],
    ["/account/sessions/revoke", { id: "phone" }, "revokeSession", { token: "phone" }],
    ["/account/sessions/revoke-others", {}, "revokeOtherSessions", {}],
    ["/account/delete", { password: secret }, "deleteUser", { password: secret }],
  ])("%s %j asks %s", async (path, fields, asks, body) => {
    const { asked, script } = recording();
    const { status } = await visit(script, { signedIn: true }).post(path, fields);
    expect(status).toBe(303);
    expect(asked).toEqual([{ name: asks as AuthRouteName, body, clientAddress: "127.0.0.1" }]);
  });

  test("passes on the cookies of the answer", async () => {
    const { script } = recording(() => {
      const headers = new Headers();
      headers.append("Set-Cookie", "a=1; Path=/");
      headers.append("Set-Cookie", "b=2; Path=/");
      return Response.json({}, { headers });
    });
    const { headers } = await visit(script).post("/signin", signIn);
    expect(headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2; Path=/"]);
  });

  test.each([
    ["/signin", signIn, "http://localhost:3001/account"],
    ["/signin", { ...signIn, callbackUrl: "/guide#x" }, "http://localhost:3000/guide#x"],
    ["/signup", { ...signUp, callbackUrl: "//evil.com" }, "http://localhost:3001/account"],
    ["/signup", { ...signUp, callbackUrl: "/account" }, `${origin}/account`],
    ["/signout", { callbackUrl: "http://localhost:8000/bye" }, "http://localhost:8000/bye"],
    ["/signout", { next: "signin" }, `${origin}/signin`],
    [
      "/signout",
      { next: "signin", callbackUrl: "/guide" },
      `${origin}/signin?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fguide`,
    ],
    ["/account/profile", { name: "Ann" }, `${origin}/account`],
    ["/account/delete", { password: secret }, `${origin}/account/deleted`],
  ])("%s %j leads to %s", async (path, fields, location) => {
    const { status, headers } = await visit({}, { signedIn: true }).post(path, fields);
    expect([status, headers.get("location")]).toEqual([303, location]);
  });

  test("is acknowledged once", async () => {
    const visitor = visit({}, { signedIn: true });
    const { headers } = await visitor.post("/account/profile", { name: "Ann" });
    expect(headers.getSetCookie()).toEqual([
      "latchkey.notice=name; Max-Age=60; Path=/; HttpOnly; SameSite=Lax",
    ]);
    const cookie = "better-auth.session_token=ann; latchkey.notice=name";
    const shown = await visitor.get("/account", { cookie });
    expect(shown.html).toContain('role="status">Your name is saved.');
    expect(shown.html).toContain("<title>Your name is saved. Your account – latchkey</title>");
    expect(shown.headers.getSetCookie()).toEqual([
      "latchkey.notice=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
    ]);
    expect((await visitor.get("/account")).html).not.toContain('role="status"');
  });

  test("is acknowledged in no words but ours", async () => {
    const { html } = await visit().get("/signin", { cookie: "latchkey.notice=Your%20bank%20called" });
    expect(html).not.toContain("bank");
  });
});

describe("a form that is refused", () => {
  test.each([
    [
      "/signin",
      { email: " ", password: "" },
      { email: "Enter your email address.", password: "Enter your password." },
    ],
    [
      "/signup",
      {},
      { name: "Enter your name.", email: "Enter your email address.", password: "Choose a password." },
    ],
    ["/account/profile", { name: " " }, { name: "Enter your name." }],
    [
      "/account/password",
      {},
      { "current-password": "Enter your current password.", "new-password": "Choose a new password." },
    ],
    ["/account/delete", {}, { "delete-password": "Enter your password." }],
  ])("%s %j says at the field what is missing, and asks nobody", async (path, fields, errors) => {
    const { asked, script } = recording();
    const { status, html } = await visit(script, { signedIn: true }).post(path, fields);
    expect([status, asked]).toEqual([400, []]);
    for (const [id, message] of Object.entries(errors)) {
      expect(textOf(html, `${id}-error`)).toBe(`Error: ${message}`);
      expect(tagOf(html, id)).toContain('aria-invalid="true"');
      expect(tagOf(html, id)).toMatch(new RegExp(`aria-describedby="[^"]*${id}-error`));
    }
  });

  test.each([
    ["/signin", 401, "INVALID_EMAIL_OR_PASSWORD", "password", "The email or the password is not right."],
    ["/signin", 400, "INVALID_EMAIL", "email", "Enter an address such as name@example.com."],
    [
      "/signup",
      422,
      "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
      "email",
      "This email has an account: sign in instead.",
    ],
    ["/signup", 400, "INVALID_EMAIL", "email", "Enter an address such as name@example.com."],
    ["/signup", 400, "PASSWORD_TOO_SHORT", "password", "Use at least 8 characters."],
    ["/signup", 400, "PASSWORD_TOO_LONG", "password", "Use at most 128 characters."],
    ["/account/password", 400, "INVALID_PASSWORD", "current-password", "This is not your current password."],
    ["/account/password", 400, "PASSWORD_TOO_COMMON", "new-password", "Choose a less common password."],
    ["/signup", 400, "PASSWORD_IS_SITE_NAME", "password", "Choose one that is not this site's name."],
    ["/signup", 400, "PASSWORD_IS_PERSONAL", "password", "Choose one that is not your name or email."],
    ["/account/password", 400, "PASSWORD_OF_ANOTHER_RULE", "new-password", "Choose another password."],
    ["/account/delete", 400, "INVALID_PASSWORD", "delete-password", "This is not your current password."],
  ])("%s %i %s stands at %s", async (path, status, code, id, message) => {
    const fields = { ...signUp, ...change };
    const answer = await visit(refuse(status, code, "Password too short"), { signedIn: true }).post(
      path,
      fields,
    );
    expect(answer.status).toBe(status);
    expect(textOf(answer.html, `${id}-error`)).toBe(`Error: ${message}`);
    expect(tagOf(answer.html, id)).toContain("autofocus");
    expect(answer.html).toContain("<title>Error: ");
  });

  test.each([
    ["/signup", "name: is too long; at most 100 characters.", "name", "Use at most 100 characters."],
    ["/signup", "email: a text is expected.", "email", "Enter an address such as name@example.com."],
    [
      "/signup",
      "password: has a character that is not allowed.",
      "password",
      "Leave out the character that cannot be used.",
    ],
    ["/account/profile", "name: is too long; at most 100 characters.", "name", "Use at most 100 characters."],
  ])("%s: %s stands at %s", async (path, text, id, message) => {
    const { html } = await visit(refuse(400, "VALIDATION_ERROR", text), { signedIn: true }).post(
      path,
      signUp,
    );
    expect(textOf(html, `${id}-error`)).toBe(`Error: ${message}`);
  });

  test("keeps what was typed, and never a password", async () => {
    const refused = refuse(400, "PASSWORD_TOO_SHORT", "Password too short");
    for (const [path, fields] of [
      ["/signin", { ...signIn, rememberMe: "" }],
      ["/signup", signUp],
      ["/account/password", { ...change, revokeOtherSessions: "" }],
      ["/account/delete", { password: secret }],
    ] as const) {
      const { html, headers } = await visit(refused, { signedIn: true }).post(path, {
        ...fields,
        callbackUrl: "/guide",
      });
      expect(html).not.toContain(secret);
      expect(JSON.stringify([...headers])).not.toContain(secret);
      if ("email" in fields) {
        expect(tagOf(html, "email")).toContain(`value="${fields.email}"`);
        expect(html).toContain('name="callbackUrl" value="http://localhost:3000/guide"');
        expect(html).toContain("?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fguide");
      }
      if ("name" in fields) expect(tagOf(html, "name")).toContain(`value="${fields.name}"`);
      for (const box of ["remember", "revoke-others"])
        if (path !== "/account/delete") expect(tagOf(html, box)).not.toContain(" checked");
    }
  });

  test.each([
    ["/signin", "20", "Too many attempts. Try again in 20 seconds."],
    ["/signup", "61", "Too many attempts. Try again in 2 minutes."],
    ["/account/password", "3601", "Too many attempts. Try again in 2 hours."],
    ["/account/delete", "1", "Too many attempts. Try again in 1 second."],
  ])("%s says when to try again: %s", async (path, retryAfter, message) => {
    const limited = refuse(429, "TOO_MANY_REQUESTS", "", { "Retry-After": retryAfter });
    const { status, headers, html } = await visit(limited, { signedIn: true }).post(path, {
      ...signUp,
      ...change,
    });
    expect([status, headers.get("retry-after")]).toEqual([429, retryAfter]);
    expect(textOf(html, "form-error")).toBe(message);
    expect(html).toContain('role="alert"');
  });

  test.each([
    ["/signin", "Accounts cannot be reached at the moment. Wait a little, then try again."],
    ["/signup", "Accounts cannot be reached at the moment. Wait a little, then try again."],
    ["/signout", "You are still signed in: accounts cannot be reached at the moment."],
  ])("%s says that the store is out, and offers a retry", async (path, message) => {
    const { status, headers, html } = await visit(outage, { signedIn: true }).post(path, signUp);
    expect([status, headers.get("retry-after"), headers.getSetCookie()]).toEqual([503, "1", []]);
    expect(textOf(html, "form-error")).toBe(message);
    expect(html).toMatch(/<button type="submit"[^>]*>Try again</);
  });

  test.each(["/account/profile", "/account/password", "/account/delete", "/account/sessions/revoke"])(
    "%s has no page to show while the store is out",
    async (path) => {
      const { status, headers, html } = await visit(outage, { signedIn: true }).post(path, {
        ...signUp,
        ...change,
      });
      expect([status, headers.get("retry-after"), headers.getSetCookie()]).toEqual([503, "1", []]);
      expect(html).toContain("<h1>Back in a moment</h1>");
      expect(html).toContain(`href="${origin}${path}">Try again`);
    },
  );

  test("is not acknowledged", async () => {
    const cookie = "better-auth.session_token=ann; latchkey.notice=name";
    for (const path of ["/signin", "/account/profile"]) {
      const { html } = await visit({}, { signedIn: true }).post(path, {}, { cookie });
      expect(html).not.toContain('role="status"');
    }
  });

  test("says everything that is wrong at once, what is missing and what the API refuses", async () => {
    const { html } = await visit().post("/signup", { name: "", email: "nobody", password: "short" });
    expect(["name", "email", "password"].map((id) => textOf(html, `${id}-error`))).toEqual([
      "Error: Enter your name.",
      "Error: Enter an address such as name@example.com.",
      "Error: Use at least 8 characters.",
    ]);
    const refused = refuse(400, "INVALID_EMAIL");
    const both = await visit(refused).post("/signup", { name: "Ann", email: "nobody", password: "short" });
    expect(["email", "password"].map((id) => textOf(both.html, `${id}-error`))).toEqual([
      "Error: Enter an address such as name@example.com.",
      "Error: Use at least 8 characters.",
    ]);
  });
});

describe("opening an address", () => {
  test("S35: changes nothing, whatever the address", async () => {
    const { asked, script } = recording();
    for (const path of [
      "/",
      "/signin?email=a@b.co&password=x",
      "/signup?name=a&email=a@b.co&password=x",
      "/signout?callbackUrl=/guide&next=signin",
      "/account",
      "/account/profile?name=x",
      "/account/password?currentPassword=a&newPassword=b",
      "/account/sessions/revoke?id=here",
      "/account/sessions/revoke-others",
      "/account/delete?password=x",
    ]) {
      const { status } = await visit(script, { signedIn: true }).get(path);
      expect([200, 303]).toContain(status);
    }
    expect(asked).toEqual([]);
  });
});
