import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { languageCode } from "../../src/language.ts";
import { textsFor } from "../../src/pages/language.ts";
import { en, type Messages } from "../../src/pages/views/messages/en.ts";
import { languages } from "../../src/pages/views/messages/languages.ts";
import { roughAge, timeOf, waitingTime } from "../../src/pages/views/texts.tsx";
import { visit } from "./requests.ts";
import { scriptedCookie } from "./scripted-pages.ts";

const translations = Object.entries(languages).filter(([code]) => code !== "en");
const keys = Object.keys(en) as (keyof Messages)[];
const placesIn = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).toSorted();
/** Words that are the same in both. */
const alike: Readonly<Record<string, readonly string[]>> = {
  de: ["name", "code"],
  es: ["error"],
  fr: ["code"],
};

describe.each(translations)("%s", (code, messages) => {
  test("has every sentence, with the places that English has", () => {
    expect(Object.keys(messages).toSorted()).toEqual(keys.toSorted() as string[]);
    expect(keys.filter((key) => messages[key].trim() === "")).toEqual([]);
    const places = (from: Messages) => Object.fromEntries(keys.map((key) => [key, placesIn(from[key])]));
    expect(places(messages)).toEqual(places(en));
  });

  test("is translated", () => {
    const same = keys.filter((key) => messages[key] === en[key]);
    expect(same).toEqual((alike[code] ?? []) as typeof same);
  });

  test("ends a sentence where English does", () => {
    const ends = (text: string) => /[.。…?？:：]$/.test(text);
    expect(keys.filter((key) => ends(en[key]) !== ends(messages[key]))).toEqual([]);
  });
});

test("every file of messages is a language that pages have", () => {
  const files = readdirSync(join(import.meta.dir, "../../src/pages/views/messages"));
  const codes = files.map((file) => file.replace(".ts", "")).filter((name) => name !== "languages");
  expect(codes.toSorted()).toEqual(Object.keys(languages).toSorted());
});

describe("Accept-Language", () => {
  test.each([
    [undefined, "en", "en-GB"],
    ["", "en", "en-GB"],
    ["*", "en", "en-GB"],
    ["de", "de", "de"],
    ["de-AT,de;q=0.9,en;q=0.8", "de", "de-AT"],
    ["nl,fr-CA;q=0.7,en;q=0.3", "fr", "fr-CA"],
    ["en;q=0.2,ja;q=0.9", "ja", "ja"],
    ["ja;q=0,es", "es", "es"],
    ["en-US,en;q=0.5", "en", "en-US"],
    ["pt-BR,pt", "en", "en-GB"],
    ["DE", "de", "de"],
    ["es-419", "es", "es-419"],
    ["de-\u00e9,fr", "de", "de"],
    ["en-", "en", "en-GB"],
    ["__proto__,constructor,toString", "en", "en-GB"],
    ["de-x-x-x-x-x,", "de", "de-x-x-x-x-x"],
    [`${"de,".repeat(400)}fr`, "en", "en-GB"],
  ])("%s is %s, dates as in %s", (accepted, language, locale) => {
    const headers = new Headers(accepted === undefined ? {} : { "accept-language": accepted });
    const texts = textsFor(headers);
    expect([texts.language, texts.locale]).toEqual([language, locale]);
    expect(texts.messages === languages[languageCode(language) ?? "en"]).toBe(true);
  });

  test("decides what a page says, and is what its answer depends on", async () => {
    const { html, headers } = await visit().get("/signin", { "accept-language": "de-CH" });
    expect(html).toStartWith('<!doctype html><html lang="de" data-locale="de-CH">');
    expect(html).toContain("Passwort vergessen?");
    expect(headers.get("vary")).toBe("Origin, Accept-Language");
  });
});

describe("dates and times", () => {
  const texts = (language: string, locale = language) =>
    textsFor(new Headers({ "accept-language": `${locale},${language};q=0.5` }));

  test.each([
    ["en", "en-GB", "2 November 2025 at 17:45 UTC", "in 3 minutes", "2 weeks ago"],
    ["en", "en-US", "November 2, 2025 at 05:45 PM UTC", "in 3 minutes", "2 weeks ago"],
    ["de", "de", "2. November 2025 um 17:45 UTC", "in 3 Minuten", "vor 2 Wochen"],
    ["fr", "fr", "2 novembre 2025 à 17:45 UTC", "dans 3 minutes", "il y a 2 semaines"],
    ["es", "es", "2 de noviembre de 2025 a las 17:45 UTC", "dentro de 3 minutos", "hace 2 semanas"],
    ["ja", "ja", "2025年11月2日 17:45 UTC", "3 分後", "2 週間前"],
  ])("are written as in %s, %s", (language, locale, time, waiting, age) => {
    const own = texts(language, locale);
    // Intl writes narrow spaces in some.
    const plain = (text: string) => text.replaceAll(/\s/gu, " ");
    expect(plain(timeOf(own, "2025-11-02T17:45:00.000Z"))).toBe(time);
    expect(plain(waitingTime(own, 130))).toBe(waiting);
    expect(plain(roughAge(own, 15 * 24 * 60 * 60 * 1_000))).toBe(age);
  });
});

describe("no sentence stands outside the messages", () => {
  /** What is not in any language: names that the script gives, and technical words. */
  const names =
    /latchkey|Ann Example|Ann Other|ann@example\.com|\w+@example\.com|Firefox|macOS|docs\.example\.com|UTC|\{count\}|[0-9a-z]{8}-[0-9a-z-]+/g;
  const env = { BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com" };
  const attributes = ["title", "alt", "aria-label", "placeholder", "data-busy"];
  const spoken = (name: string) =>
    attributes.includes(name) || /^data-(?:show|hid|vis|miss|enough)/.test(name);

  /** Every text of a document that somebody reads or hears. */
  function textsIn(html: string): string[] {
    const found: string[] = [];
    new HTMLRewriter()
      .on("*", {
        element: (element) =>
          void found.push(
            ...[...element.attributes].flatMap(([name, value]) => (spoken(name) ? [value] : [])),
          ),
        text: ({ text }) => void found.push(text),
      })
      .transform(html);
    return found.map((text) => text.replaceAll(names, "").trim());
  }

  const form = (path: string, fields: Readonly<Record<string, string>>, signedIn = true) =>
    visit({ env }, { signedIn }).post(path, fields, { "accept-language": "ja" });
  const refusing = (status: number, code: string, path: string, fields: Readonly<Record<string, string>>) =>
    visit(
      { env, answer: () => Response.json({ code, message: "English words" }, { status }) },
      { signedIn: true },
    ).post(path, fields, { "accept-language": "ja" });
  const open = (path: string, signedIn: boolean, notice = "") =>
    visit({ env }).get(path, {
      "accept-language": "ja",
      ...(signedIn ? { cookie: `${scriptedCookie}; latchkey.notice=${notice}` } : {}),
    });
  const filled = { name: "Ann Other", email: "ann@example.com", password: "correct horse" };
  const change = { currentPassword: "a", newPassword: "correct horse" };

  const documents: readonly (readonly [string, () => Promise<{ html: string }>])[] = [
    ...["/signin", "/signup", "/forgot-password", "/account/deleted", "/account/x"].map(
      (path) => [path, () => open(path, false)] as const,
    ),
    ...["/account", "/signout", "/signin"].map(
      (path) => [`${path} signed in`, () => open(path, true)] as const,
    ),
    ...["welcome", "welcome-back.Ann%20Other", "name", "password", "password-everywhere", "session"].map(
      (notice) => [notice, () => open("/account", true, notice)] as const,
    ),
    [
      "signed out",
      () => visit({ env }).get("/signin", { "accept-language": "ja", cookie: "latchkey.notice=signed-out" }),
    ],
    ["sign-in, empty", () => form("/signin", {}, false)],
    ["sign-up, empty", () => form("/signup", {}, false)],
    ["sign-up, all wrong", () => form("/signup", { name: "x".repeat(101), email: "x", password: "" }, false)],
    ["name, empty", () => form("/account/profile", {})],
    ["password, empty", () => form("/account/password", {})],
    ["deletion, empty", () => form("/account/delete", {})],
    [
      "closed",
      () => visit({ env: { LATCHKEY_SIGN_UP: "closed" } }).get("/signup", { "accept-language": "ja" }),
    ],
    ...(
      [
        [401, "INVALID_EMAIL_OR_PASSWORD", "/signin", filled],
        [422, "USER_ALREADY_EXISTS", "/signup", filled],
        [400, "PASSWORD_TOO_COMMON", "/signup", filled],
        [400, "EMAIL_DOMAIN_NOT_ALLOWED", "/signup", filled],
        [400, "VALIDATION_ERROR", "/signup", filled],
        [400, "SOMETHING_NEW", "/signup", filled],
        [429, "TOO_MANY_REQUESTS", "/signin", filled],
        [503, "STORE_UNAVAILABLE", "/signin", filled],
        [503, "STORE_UNAVAILABLE", "/signout", {}],
        [400, "INVALID_PASSWORD", "/account/password", change],
        [500, "INTERNAL_SERVER_ERROR", "/account/profile", filled],
        [503, "STORE_UNAVAILABLE", "/account/profile", filled],
        ...[400, 403, 405, 408, 413, 429].map((status) => [status, "X", "/account/profile", filled] as const),
      ] as const
    ).map(
      ([status, code, path, fields]) =>
        [`${status} ${code} at ${path}`, () => refusing(status, code, path, fields)] as const,
    ),
  ];

  test.each(documents)("%s, read in Japanese, has no English word", async (_name, ask) => {
    const { html } = await ask();
    expect(html).toContain('lang="ja"');
    const texts = textsIn(html).filter((text) => /[A-Za-z]{2,}/.test(text));
    expect(texts.filter((text) => text !== "name@example.com のように入力してください。")).toEqual([]);
  });
});
