import type { Page } from "playwright-core";
import { AppError } from "../../src/errors.ts";
import { languageCode } from "../../src/language.ts";
import { languages } from "../../src/pages/views/messages/languages.ts";
import { fill, waitingTime } from "../../src/pages/views/texts.tsx";
import type { PageState } from "./open-state.ts";
import { annsSessions as sessions, type Script } from "./scripted-pages.ts";

const refusal = (status: number, code: string, headers: Record<string, string> = {}, message = "") => ({
  answer: () => Response.json({ code, message }, { status, headers }),
});
const outage: Script = {
  answer: () => {
    throw new AppError("STORE_UNAVAILABLE", "", { headers: { "Retry-After": "1" } });
  },
};

async function submit(page: Page, fields: Readonly<Record<string, string>>, button: string): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
  await Promise.all([
    page.waitForEvent("load"),
    page.getByRole("button", { name: button, exact: true }).click(),
  ]);
}

const elsewhere = { BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com" };

/** Words without a space to break at, as long as they may be. */
const long: Script = {
  user: { name: "Maximiliana".repeat(9), email: `${"a".repeat(64)}@${"example".repeat(8)}.com` },
  env: {
    LATCHKEY_BRAND_NAME: "Donaudampfschifffahrtsgesellschaftskasse",
    BETTER_AUTH_TRUSTED_ORIGINS: `https://${"documentation".repeat(4)}.example.com`,
  },
};

/** What the pages can look like to a visitor who reads a language. */
export function statesIn(language: string): readonly PageState[] {
  const m = languages[languageCode(language) ?? "en"];
  const texts = { language, locale: language, messages: m };
  const signIn = (page: Page) =>
    submit(page, { [m.email]: "ann@example.com", [m.password]: "correct horse" }, m.signIn);
  const signUp = (page: Page) =>
    submit(
      page,
      { [m.name]: "Ann Example", [m.email]: "ann@example.com", [m.password]: "correct horse" },
      m.createAccount,
    );
  const changePassword = (page: Page) =>
    submit(page, { [m.currentPassword]: "correct horse", [m.newPassword]: "battery" }, m.changePassword);
  const deleteAccount = async (page: Page) => {
    await page.getByText(m.deleteMyAccountOpens).click();
    await submit(page, { [m.enterPasswordToConfirm]: "correct horse" }, m.deleteMyAccount);
  };

  return [
    {
      name: "sign-in",
      shows: fill(m.continueTo, { place: "docs.example.com" }),
      path: "/signin",
      script: { env: elsewhere },
    },
    {
      name: "sign-in-empty",
      shows: m.enterEmail,
      path: "/signin",
      act: (page) => submit(page, {}, m.signIn),
    },
    {
      name: "sign-in-refused",
      shows: m.signInWrong,
      path: "/signin",
      script: refusal(401, "INVALID_EMAIL_OR_PASSWORD"),
      act: signIn,
    },
    {
      name: "sign-in-limited",
      shows: fill(m.tooMany, { time: waitingTime(texts, 130) }),
      path: "/signin",
      script: refusal(429, "TOO_MANY_REQUESTS", { "Retry-After": "130" }),
      act: signIn,
    },
    {
      name: "sign-in-outage",
      shows: m.outOfReach,
      path: "/signin",
      script: outage,
      act: signIn,
    },
    {
      name: "sign-in-revealed",
      shows: m.hide,
      path: "/signin",
      act: async (page) => {
        await page.getByLabel(m.password, { exact: true }).fill("correct horse");
        await page.getByRole("button", { name: m.showPassword }).click();
      },
    },
    {
      name: "sign-in-signed-out",
      shows: m.signedOut,
      path: "/account",
      signedIn: true,
      act: (page) => submit(page, {}, m.signOut),
    },
    { name: "sign-up", shows: m.haveAccount.split("{")[0]?.trim() ?? "", path: "/signup" },
    {
      name: "sign-up-empty",
      shows: m.choosePassword,
      path: "/signup",
      act: (page) => submit(page, {}, m.createAccount),
    },
    {
      name: "sign-up-taken",
      shows: m.signInInstead,
      path: "/signup",
      script: { ...refusal(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"), env: elsewhere },
      act: signUp,
    },
    {
      name: "sign-up-closed",
      shows: m.signUpClosed,
      path: "/signup",
      script: { env: { LATCHKEY_SIGN_UP: "closed" } },
    },
    {
      name: "sign-up-invited",
      shows: m.haveAccount.split("{")[0]?.trim() ?? "",
      path: "/signup?invitation=ann",
      script: { env: { LATCHKEY_SIGN_UP: "invited" } },
    },
    {
      name: "sign-up-invited-signed-in",
      shows: m.signOutToBeInvited,
      path: "/signup?invitation=ann",
      signedIn: true,
      script: { env: { LATCHKEY_SIGN_UP: "invited" } },
    },
    {
      name: "sign-up-not-invited",
      shows: m.signUpInvited,
      path: "/signup",
      script: { env: { LATCHKEY_SIGN_UP: "invited" } },
    },
    {
      name: "signed-in",
      shows: fill(m.continueToPlace, { place: "docs.example.com" }),
      path: "/signin",
      signedIn: true,
      script: { env: elsewhere },
    },
    { name: "sign-out", shows: m.staySignedIn, path: "/signout", signedIn: true, script: { env: elsewhere } },
    {
      name: "sign-out-outage",
      shows: m.stillSignedIn,
      path: "/signout",
      signedIn: true,
      script: outage,
      act: (page) => submit(page, {}, m.signOut),
    },
    {
      name: "account",
      shows: fill(m.deviceOn, { browser: "Edge", system: "Windows" }),
      path: "/account",
      signedIn: true,
      script: { sessions, env: elsewhere },
    },
    { name: "account-one-device", shows: m.thisDevice, path: "/account", signedIn: true },
    {
      name: "account-saved",
      shows: m.nameSaved,
      path: "/account",
      signedIn: true,
      script: { sessions },
      act: (page) => submit(page, { [m.name]: "Ann Other" }, m.saveName),
    },
    {
      name: "account-password-refused",
      shows: m.currentPasswordWrong,
      path: "/account",
      signedIn: true,
      script: { sessions, ...refusal(400, "INVALID_PASSWORD") },
      act: changePassword,
    },
    {
      name: "account-password-limited",
      shows: fill(m.tooMany, { time: waitingTime(texts, 3_600) }),
      path: "/account",
      signedIn: true,
      script: { sessions, ...refusal(429, "TOO_MANY_REQUESTS", { "Retry-After": "3600" }) },
      act: changePassword,
    },
    {
      name: "account-delete-refused",
      shows: m.currentPasswordWrong,
      path: "/account",
      signedIn: true,
      script: { sessions, ...refusal(400, "INVALID_PASSWORD") },
      act: deleteAccount,
    },
    {
      name: "account-outage",
      shows: m.backInAMoment,
      path: "/account",
      signedIn: true,
      script: outage,
      act: changePassword,
    },
    { name: "not-found", shows: m.notFound, path: "/account/nothing" },
    { name: "twice", shows: m.brokenLink, path: "/signin?callbackUrl=/a&callbackUrl=/b" },
    {
      name: "signed-in-long",
      shows: m.signedInAs.split("{")[0]?.trim() ?? "",
      path: "/signin",
      signedIn: true,
      script: long,
    },
    { name: "account-long", shows: m.profile, path: "/account", signedIn: true, script: long },
    {
      name: "sign-up-long",
      shows: fill(m.useAtMost, { count: 100 }),
      path: "/signup",
      script: {
        ...long,
        ...refusal(400, "VALIDATION_ERROR", {}, "name: is too long; at most 100 characters."),
      },
      act: signUp,
    },
    {
      name: "logo",
      shows: m.createAnAccount,
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
    {
      name: "forgot-password",
      shows: m.backToSignIn,
      path: "/forgot-password?callbackUrl=/account",
      script: { env: elsewhere },
    },
    {
      name: "forgot-password-contact",
      shows: "support@example.com",
      path: "/forgot-password",
      script: { env: { LATCHKEY_CONTACT: "support@example.com" } },
    },
    { name: "recovery", shows: m.setNewPasswordAbout, path: "/recover?token=x" },
    {
      name: "recovery-refused",
      shows: m.chooseRarer,
      path: "/recover?token=x",
      script: refusal(400, "PASSWORD_TOO_COMMON"),
      act: (page) => submit(page, { [m.newPassword]: "correct horse" }, m.setPassword),
    },
    {
      name: "recovery-ended",
      shows: m.linkEndedAbout,
      path: "/recover?token=x",
      script: { recovery: false },
    },
    {
      name: "account-deleted",
      shows: m.accountDeletedAbout,
      path: "/account/deleted",
      script: { env: elsewhere },
    },
    {
      name: "session-ended",
      shows: m.sessionEndedKept,
      path: "/account",
      signedIn: true,
      script: { sessions, ...refusal(401, "UNAUTHORIZED") },
      act: async (page) => {
        await page.getByLabel(m.name, { exact: true }).fill("Ann Other");
        await page.context().clearCookies();
        await submit(page, {}, m.saveName);
      },
    },
    {
      name: "account-changed",
      shows: m.changePassword,
      path: "/account?callbackUrl=https://docs.example.com/guide",
      signedIn: true,
      script: { sessions, env: elsewhere },
      act: async (page) => {
        await page.getByLabel(m.name, { exact: true }).fill("Ann Other");
        await page.getByLabel(m.newPassword, { exact: true }).fill("correct");
      },
    },
    {
      name: "account-delete-open",
      shows: m.cancel,
      path: "/account",
      signedIn: true,
      act: (page) => page.getByText(m.deleteMyAccountOpens).click(),
    },
    {
      name: "account-welcome-back",
      shows: m.welcomeBack,
      path: "/account",
      signedIn: true,
      act: async (page) => {
        const { origin } = new URL(page.url());
        await page
          .context()
          .addCookies([{ name: "latchkey.notice", value: "welcome-back.Ann%20Other", url: origin }]);
        await page.reload();
      },
    },
    {
      name: "light-accent",
      shows: m.createAnAccount,
      path: "/signin",
      script: { env: { LATCHKEY_BRAND_NAME: "Dino Docs", LATCHKEY_BRAND_ACCENT: "#ffe600" } },
    },
    {
      name: "dark-accent",
      shows: m.haveAccount.split("{")[0]?.trim() ?? "",
      path: "/signup",
      script: {
        env: {
          LATCHKEY_BRAND_NAME: "Dino Docs",
          LATCHKEY_BRAND_ACCENT: "#101040",
          LATCHKEY_BRAND_ACCENT_DARK: "#ff9f40",
        },
      },
    },
  ];
}
