import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import { en, type Messages } from "./messages/en.ts";

/** What a visitor reads, and how dates and numbers are written for them. */
export interface Texts {
  /** Of the sentences, ISO 639-1: `en`. */
  readonly language: string;
  /** Of dates and durations, BCP 47: `en-GB`. */
  readonly locale: string;
  readonly messages: Messages;
}

export const TextsContext = createContext<Texts>({ language: "en", locale: "en-GB", messages: en });

/** The sentences of the page's visitor. */
export function useMessages(): Messages {
  return useContext(TextsContext).messages;
}

export function useTexts(): Texts {
  return useContext(TextsContext);
}

const place = /\{(\w+)\}/;

/** A sentence with its values in their places. */
export function fill(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replaceAll(new RegExp(place, "g"), (text, name: string) => String(values[name] ?? text));
}

/** A sentence with elements in its places. */
export function Filled(props: {
  readonly text: string;
  readonly values: Readonly<Record<string, ComponentChildren>>;
}) {
  // Every other part is a name.
  const parts = props.text.split(place);
  return <>{parts.map((part, index) => (index % 2 === 0 ? part : props.values[part]))}</>;
}

/** `in 3 minutes`, rounded up. @param seconds null, or no number, where it is not known. */
export function waitingTime({ locale, messages }: Texts, seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return messages.inAFewMinutes;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  if (seconds < 60) return format.format(Math.max(1, Math.ceil(seconds)), "second");
  if (seconds < 3_600) return format.format(Math.ceil(seconds / 60), "minute");
  return format.format(Math.ceil(seconds / 3_600), "hour");
}

const dayMs = 24 * 60 * 60 * 1_000;

/** `3 days ago`, `2 weeks ago`: roughly. @param ms how long ago, a day at least. */
export function roughAge({ locale }: Texts, ms: number): string {
  const days = Math.floor(ms / dayMs);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (days < 14) return format.format(-days, "day");
  if (days < 60) return format.format(-Math.floor(days / 7), "week");
  if (days < 730) return format.format(-Math.floor(days / 30.44), "month");
  return format.format(-Math.floor(days / 365.25), "year");
}

/** `2 November 2025 at 17:45 UTC`: the server does not know the visitor's zone. Empty for no instant. */
export function timeOf({ locale }: Texts, at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(locale, {
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short",
  });
}
