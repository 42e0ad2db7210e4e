import type { OpenApi } from "./openapi.ts";
import type { Body, Visitor } from "./openapi-server.ts";

const newcomer = () => ({
  name: "Ann",
  email: `new-${crypto.randomUUID()}@example.com`,
  password: "correct horse battery",
});
const presented = ({ email, password }: Visitor) => ({ email, password });

/** By path: a body that succeeds, once, for a visitor who is signed in. */
export const samples: Readonly<Record<string, (visitor: Visitor) => Body>> = {
  "/api/auth/sign-up/email": () => ({
    ...newcomer(),
    image: "https://e.example/a.png",
    callbackURL: "/",
    rememberMe: false,
  }),
  "/api/auth/sign-in/email": (visitor) => ({
    ...presented(visitor),
    callbackURL: "/guide",
    rememberMe: true,
  }),
  "/api/auth/sign-out": () => ({}),
  "/api/auth/revoke-session": ({ token }) => ({ token }),
  "/api/auth/revoke-sessions": () => ({}),
  "/api/auth/revoke-other-sessions": () => ({}),
  "/api/auth/change-password": ({ password }) => ({
    currentPassword: password,
    newPassword: "another good one",
    revokeOtherSessions: true,
  }),
  "/api/auth/request-password-reset": ({ email }) => ({ email, redirectTo: "/reset", callbackUrl: "/guide" }),
  "/api/auth/send-verification-email": ({ email }) => ({ email, callbackURL: "/guide" }),
  "/api/auth/confirm": ({ links: [token = ""] }) => ({ token }),
  "/api/auth/verify-email-code": ({ email, code }) => ({ email, code }),
  "/api/auth/change-email": () => ({ newEmail: newcomer().email, callbackURL: "/guide" }),
  "/api/auth/reset-password": ({ recovery }) => ({ token: recovery, newPassword: "another good one" }),
  "/api/auth/update-user": () => ({ name: "Anne", image: null }),
  "/api/auth/delete-user": ({ password }) => ({ password }),
  "/signin": presented,
  "/signup": newcomer,
  "/forgot-password": ({ email }) => ({ email }),
  "/recover": ({ recovery }) => ({ token: recovery, newPassword: "another good one" }),
  "/signout": () => ({ next: "signin" }),
  "/confirm": ({ links: [token = ""] }) => ({ token }),
  "/verify": ({ email, code }) => ({ email, code }),
  "/account/email": () => ({ email: newcomer().email }),
  "/account/profile": () => ({ name: "Anne" }),
  "/account/password": ({ password }) => ({ currentPassword: password, newPassword: "another good one" }),
  "/account/sessions/revoke": () => ({ id: "unknown" }),
  "/account/sessions/revoke-others": () => ({}),
  "/account/delete": ({ password }) => ({ password }),
};

/** Bodies that differ from a good one in one field: missing, of another type, or with what no text may contain. */
export function badBodies(good: Body): readonly Body[] {
  const others: readonly unknown[] = [null, 5, true, [], ["x"], {}, { a: 1 }, "", "a\0b", "\ud800"];
  return Object.keys(good).flatMap((name) => [
    Object.fromEntries(Object.entries(good).filter(([other]) => other !== name)),
    ...others.map((other) => ({ ...good, [name]: other })),
  ]);
}

export const badForms = ["", "x=1&x=2", "email=&password=", "%", "name=%00", "__proto__=1"];

/** What a trusted proxy reports of somebody who opens a page. */
export const navigation: Readonly<Record<string, string>> = {
  "x-forwarded-method": "GET",
  "x-forwarded-proto": "http",
  "x-forwarded-host": "localhost:3000",
  "x-forwarded-uri": "/guide",
  accept: "text/html",
};

/** A length that the document says a text may have, and the next one, which it may not. */
export interface Limit {
  readonly path: string;
  readonly field: string;
  readonly bound: "minLength" | "maxLength";
  readonly allowed: string;
  readonly refused: string;
}

/** Every bound of a text's length in the bodies of the API. */
export function limitsOf(document: OpenApi): readonly Limit[] {
  return Object.entries(document.paths).flatMap(([path, { post }]) => {
    const { $ref = "" } = (post?.requestBody?.content["application/json"]?.schema ?? {}) as {
      readonly $ref?: string;
    };
    const name = $ref.split("/").at(-1) ?? "";
    const { properties = {} } = (document.components["schemas"]?.[name] ?? {}) as {
      readonly properties?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    };
    return Object.entries(properties).flatMap(([field, schema]) =>
      (["minLength", "maxLength"] as const).flatMap((bound): Limit[] => {
        const length = schema[bound];
        if (typeof length !== "number") return [];
        const next = bound === "minLength" ? length - 1 : length + 1;
        return [{ path, field, bound, allowed: textOf(field, length), refused: textOf(field, next) }];
      }),
    );
  });
}

/** A text that would be fine but for its length. */
function textOf(field: string, length: number): string {
  if (field === "email" || field === "newEmail")
    return `${"a".repeat(60)}@`.padEnd(length - 4, `${"b".repeat(60)}.`) + ".com";
  if (field === "image") return "https://e.example/".padEnd(length, "x");
  // Two UTF-16 units, one code point.
  return field === "name" || length <= 128 ? "😀".repeat(length) : "x".repeat(length);
}
