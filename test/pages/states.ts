import type { Page } from "playwright-core";
import { AppError } from "../../src/errors.ts";
import type { PageState } from "./open-state.ts";
import { macFirefox, type Script, type ScriptedSession } from "./scripted-pages.ts";

const refusal = (status: number, code: string, headers: Record<string, string> = {}, message = "") => ({
  answer: () => Response.json({ code, message }, { status, headers }),
});
const outage: Script = {
  answer: () => {
    throw new AppError("STORE_UNAVAILABLE", "", { headers: { "Retry-After": "1" } });
  },
};

const sessions: readonly ScriptedSession[] = [
  {
    id: "here",
    userAgent: macFirefox,
    ipAddress: "203.0.113.24",
    createdAt: "2025-11-18T08:02:11.000Z",
    updatedAt: "2025-11-21T07:50:02.000Z",
  },
  {
    id: "phone",
    userAgent:
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ipAddress: "2001:db8:4e0::9:c31a",
    createdAt: "2025-11-02T17:45:00.000Z",
    updatedAt: "2025-11-20T21:14:00.000Z",
  },
  {
    id: "office",
    userAgent:
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ipAddress: "198.51.100.77",
    createdAt: "2025-10-27T10:11:00.000Z",
    updatedAt: "2025-11-07T16:02:00.000Z",
  },
];

async function submit(page: Page, fields: Readonly<Record<string, string>>, button: string): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
  await Promise.all([
    page.waitForEvent("load"),
    page.getByRole("button", { name: button, exact: true }).click(),
  ]);
}

const signIn = (page: Page) =>
  submit(page, { Email: "ann@example.com", Password: "correct horse" }, "Sign in");
const signUp = (page: Page) =>
  submit(
    page,
    { Name: "Ann Example", Email: "ann@example.com", Password: "correct horse" },
    "Create account",
  );
const changePassword = (page: Page) =>
  submit(page, { "Current password": "correct horse", "New password": "battery" }, "Change password");
const deleteAccount = async (page: Page) => {
  await page.getByText("Delete my account…").click();
  await submit(page, { "Enter your password to confirm": "correct horse" }, "Delete my account");
};

const elsewhere = { BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com" };

/** Words without a space to break at, as long as they may be. */
const long: Script = {
  user: { name: "Maximiliana".repeat(9), email: `${"a".repeat(64)}@${"example".repeat(8)}.com` },
  env: {
    LATCHKEY_BRAND_NAME: "Donaudampfschifffahrtsgesellschaftskasse",
    BETTER_AUTH_TRUSTED_ORIGINS: `https://${"documentation".repeat(4)}.example.com`,
  },
};

export const states: readonly PageState[] = [
  { name: "sign-in", shows: "to continue to docs.example.com", path: "/signin", script: { env: elsewhere } },
  {
    name: "sign-in-empty",
    shows: "Enter your email address.",
    path: "/signin",
    act: (page) => submit(page, {}, "Sign in"),
  },
  {
    name: "sign-in-refused",
    shows: "The email or the password is not right.",
    path: "/signin",
    script: refusal(401, "INVALID_EMAIL_OR_PASSWORD"),
    act: signIn,
  },
  {
    name: "sign-in-limited",
    shows: "Try again in 3 minutes.",
    path: "/signin",
    script: refusal(429, "TOO_MANY_REQUESTS", { "Retry-After": "130" }),
    act: signIn,
  },
  {
    name: "sign-in-outage",
    shows: "Accounts cannot be reached at the moment.",
    path: "/signin",
    script: outage,
    act: signIn,
  },
  {
    name: "sign-in-revealed",
    shows: "Hide",
    path: "/signin",
    act: async (page) => {
      await page.getByLabel("Password", { exact: true }).fill("correct horse");
      await page.getByRole("button", { name: "Show password" }).click();
    },
  },
  {
    name: "sign-in-signed-out",
    shows: "You are signed out.",
    path: "/account",
    signedIn: true,
    act: (page) => submit(page, {}, "Sign out"),
  },
  { name: "sign-up", shows: "Already have an account?", path: "/signup" },
  {
    name: "sign-up-empty",
    shows: "Choose a password.",
    path: "/signup",
    act: (page) => submit(page, {}, "Create account"),
  },
  {
    name: "sign-up-taken",
    shows: "Sign in instead",
    path: "/signup",
    script: { ...refusal(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"), env: elsewhere },
    act: signUp,
  },
  {
    name: "sign-up-closed",
    shows: "Sign-up is closed",
    path: "/signup",
    script: { env: { LATCHKEY_SIGN_UP: "closed" } },
  },
  {
    name: "signed-in",
    shows: "Continue to docs.example.com",
    path: "/signin",
    signedIn: true,
    script: { env: elsewhere },
  },
  { name: "sign-out", shows: "Stay signed in", path: "/signout", signedIn: true, script: { env: elsewhere } },
  {
    name: "sign-out-outage",
    shows: "You are still signed in",
    path: "/signout",
    signedIn: true,
    script: outage,
    act: (page) => submit(page, {}, "Sign out"),
  },
  {
    name: "account",
    shows: "Edge on Windows",
    path: "/account",
    signedIn: true,
    script: { sessions, env: elsewhere },
  },
  { name: "account-one-device", shows: "This device", path: "/account", signedIn: true },
  {
    name: "account-saved",
    shows: "Your name is saved.",
    path: "/account",
    signedIn: true,
    script: { sessions },
    act: (page) => submit(page, { Name: "Ann Other" }, "Save name"),
  },
  {
    name: "account-password-refused",
    shows: "This is not your current password.",
    path: "/account",
    signedIn: true,
    script: { sessions, ...refusal(400, "INVALID_PASSWORD") },
    act: changePassword,
  },
  {
    name: "account-password-limited",
    shows: "Try again in 1 hour.",
    path: "/account",
    signedIn: true,
    script: { sessions, ...refusal(429, "TOO_MANY_REQUESTS", { "Retry-After": "3600" }) },
    act: changePassword,
  },
  {
    name: "account-delete-refused",
    shows: "This is not your current password.",
    path: "/account",
    signedIn: true,
    script: { sessions, ...refusal(400, "INVALID_PASSWORD") },
    act: deleteAccount,
  },
  {
    name: "account-outage",
    shows: "Back in a moment",
    path: "/account",
    signedIn: true,
    script: outage,
    act: changePassword,
  },
  { name: "not-found", shows: "Page not found", path: "/account/nothing" },
  { name: "twice", shows: "That link does not work", path: "/signin?callbackUrl=/a&callbackUrl=/b" },
  { name: "signed-in-long", shows: "Signed in as", path: "/signin", signedIn: true, script: long },
  { name: "account-long", shows: "Profile", path: "/account", signedIn: true, script: long },
  {
    name: "sign-up-long",
    shows: "at most 100 characters",
    path: "/signup",
    script: {
      ...long,
      ...refusal(400, "VALIDATION_ERROR", {}, "name: is too long; at most 100 characters."),
    },
    act: signUp,
  },
  {
    name: "logo",
    shows: "Create an account",
    path: "/signin",
    script: { env: { LATCHKEY_BRAND_NAME: "Kestrel Docs", LATCHKEY_BRAND_LOGO_URL: "/logo.svg" } },
  },
  {
    name: "branded",
    shows: "Kestrel Docs",
    path: "/signup",
    script: {
      env: {
        LATCHKEY_BRAND_NAME: "Kestrel Docs",
        LATCHKEY_BRAND_ACCENT: "#0a7d5a",
      },
    },
  },
];
