import type { RequestParts } from "../load/requests.ts";

/** Where one server under comparison lives. */
export interface Place {
  /** Its own, empty before the first start. */
  readonly directory: string;
  readonly port: number;
  /** An empty database of its own, as `postgres://…`; null for those on SQLite. */
  readonly databaseUrl: string | null;
}

interface Command {
  readonly args: readonly string[];
  /** The environment, whole. */
  readonly env: Readonly<Record<string, string>>;
}

/** Who signs up, in and is asked for. */
export interface Visitor {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** A product under comparison, on one database: how it is built, started, filled and asked. */
export interface Peer {
  /** Stable, for ids and folders. */
  readonly id: string;
  /** As tables call it, without the database. */
  readonly name: string;
  readonly version: string;
  readonly database: "sqlite" | "postgres";
  /** How it is kept from refusing so many requests, for the table. */
  readonly limits: string;
  /** The request that tells whose session it is, for the table. */
  readonly asked: string;
  /** 200 once it is ready. */
  readonly healthPath: string;
  /** @returns the program's absolute path; throws with what is missing, or with what the build said. */
  readonly build: () => Promise<string>;
  /** Before the first start: schema, administrator. */
  readonly prepare?: (program: string, place: Place) => Promise<void>;
  readonly command: (program: string, place: Place) => Command;
  /** After the first start, before anybody signs up. */
  readonly settle?: (url: string) => Promise<void>;
  /** Signs up by the product's own API and with its default hash. @returns the request that verifies the session. */
  readonly signUp: (url: string, visitor: Visitor) => Promise<RequestParts>;
  /** The requests that are one sign-in, in their order; they can be sent again and again. */
  readonly signIn: (url: string, visitor: Visitor) => Promise<readonly RequestParts[]>;
  /** Whether an answer to the verifying request is a live session of `visitor`. */
  readonly names: (body: string, visitor: Visitor) => boolean;
}
