import type { LanguageCode } from "../language.ts";

/** What a mail says, before it looks like anything. Its parts are shown in this order. */
export interface MailContent {
  readonly language: LanguageCode;
  readonly subject: string;
  readonly greeting: string;
  /** Of the button. */
  readonly before: readonly string[];
  readonly action?: { readonly label: string; readonly url: string; readonly urlToo: string };
  /** For who reads mail on another device. */
  readonly code?: { readonly about: string; readonly digits: string };
  /** Such as when and where. */
  readonly facts?: readonly (readonly [string, string])[];
  readonly after: readonly string[];
  /** Who sent it, and why. */
  readonly footer: readonly string[];
}
