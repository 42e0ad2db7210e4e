import type { AnyCode } from "../error-codes.ts";

/** What is known of a route, once: everything that differs between routes is read from here. */
export interface Route {
  /** Without a trailing slash, which makes no difference; `{…}` stands for one segment. */
  readonly path: string;
  /** A GET answers HEAD too, without the body. OPTIONS works everywhere. */
  readonly methods: "GET" | "POST" | "GET POST";
  /** Of a GET that changes something: HEAD is not answered. */
  readonly changes?: true;
  /** `verification` answers proxies and APIs: without CORS. `pages` answer people, in HTML. */
  readonly kind: "session" | "account" | "verification" | "service" | "pages";
  /** Who may call it: anyone, with a session that counts or without, or only with a session. */
  readonly caller: "anyone" | "with or without a session" | "with a session";
  /** For the OpenAPI document and the contract. */
  readonly summary: string;
  /** What it answers, in Markdown: the contract's table. Default: the summary. */
  readonly answer?: string;
  /** Handed to BetterAuth, whose own path this is below `/api/auth`. */
  readonly betterAuth?: true;
  /** Answered before any router where the request is plain. */
  readonly fast?: true;
  /** What the log calls it. */
  readonly event?: string;
  /** Hashes a password, so it waits in line for that. */
  readonly hashes?: true;
  /** Has a mail sent, so it is limited. */
  readonly mails?: true;
  /** Limited for another reason than that, or than hashing. */
  readonly limited?: true;
  /** The body's and the answer's schema in the OpenAPI document. */
  readonly body?: string;
  readonly ok?: string;
  /** Codes besides those of every route of its kind. */
  readonly refuses?: readonly AnyCode[];
  /** Fields of a page's form; an optional one ends in a question mark. */
  readonly form?: readonly string[];
  /** Takes `callbackUrl` in the query. */
  readonly callback?: true;
}
