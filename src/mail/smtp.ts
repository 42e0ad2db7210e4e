import { isIP } from "node:net";
import { Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import SmtpConnection from "nodemailer/lib/smtp-connection";
import type { MailConfig } from "../config/config.ts";
import type { Message } from "./compose.ts";

/** What a refusal is about: this message, the server whichever message comes, or the connection that a message broke. */
type MailErrorScope = "message" | "server" | "line";

/** Why a message was not taken. */
export class MailError extends Error {
  override readonly name = "MailError";
  /** @param isFinal whether this recipient or this message is refused for good: trying again changes nothing. */
  constructor(
    message: string,
    readonly scope: MailErrorScope,
    readonly isFinal: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One connection to the server: messages go one after another. */
export interface SmtpLine {
  /** Whether nobody has ended it: servers do, after a message or a minute. */
  isOpen(): boolean;
  /** @returns what the server said to it once it has taken the message, and is answerable for it. @throws MailError; the line is closed then. */
  send(message: Message): Promise<string>;
  /** How the connection is secured; null where it is not. */
  secured(): { readonly protocol: string; readonly certificateEndsAt: number } | null;
  /** Says good-bye, and waits for nobody. */
  close(): void;
}

const connectMs = 10_000;
/** Of a whole phase. RFC 5321 §4.5.3.2 has ten minutes for the answer to a message: whoever gives up before sends it twice. */
const phaseMs = { connect: 30_000, login: 30_000, send: 60_000, data: 600_000 } as const;
const quitMs = 2_000;

/** Opens a connection, secures it and logs in. `signal` ends it, whatever it does. @throws MailError. */
export async function openSmtp(
  { host, port, security, login }: MailConfig,
  signal?: AbortSignal,
): Promise<SmtpLine> {
  const connection = new SmtpConnection({
    host,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    // On this machine nobody is in between, and certificates are mostly made up.
    tls: {
      // RFC 6066 §3 has no addresses there.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: "TLSv1.2",
      rejectUnauthorized: security !== "plain",
    },
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: phaseMs.data,
  });
  let isOpen = true;
  let onError: (error: unknown) => void = () => {};
  connection.on("error", (error) => onError(error));
  connection.on("end", () => {
    isOpen = false;
    onError(new Error("the server closed the connection"));
  });
  const end = () => {
    isOpen = false;
    connection.close();
  };
  const abort = () => {
    onError(new Error("it was called off, without an answer"));
    end();
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort);
  /** One phase, which an error of the connection ends, too. `begin` may give itself more time. */
  const phase = async <T>(
    name: "connect" | "login" | "send",
    begin: (done: (error: unknown, value: T) => void, allow: (ms: number) => void) => void,
  ): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    onError = (error) => reject(mailError(name, error));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const allow = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => onError(new Error(`no answer within ${ms / 1_000} s`)), ms);
    };
    allow(phaseMs[name]);
    try {
      begin((error, value) => (error ? onError(error) : resolve(value)), allow);
      return await promise;
    } catch (error) {
      end();
      signal?.removeEventListener("abort", abort);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  await phase("connect", (done) => connection.connect((error) => done(error, undefined)));
  if (login !== null) {
    const { user, password: pass } = login;
    await phase("login", (done) =>
      connection.login({ user, credentials: { user, pass } }, (error) => done(error, undefined)),
    );
  }
  return {
    isOpen: () => isOpen,
    secured() {
      const socket = connection._socket;
      if (!(socket instanceof TLSSocket)) return null;
      const { valid_to: end } = socket.getPeerCertificate();
      return { protocol: socket.getProtocol() ?? "TLS", certificateEndsAt: Date.parse(end) };
    },
    send: ({ from, to, raw }) =>
      phase<string>("send", (done, allow) => {
        // It is read once the server asks for it.
        const message = new Readable({
          read() {
            allow(phaseMs.data);
            this.push(raw);
            this.push(null);
          },
        });
        connection.send({ from, to: [to] }, message, (error, sent) => done(error, sent?.response ?? ""));
      }),
    close() {
      onError = () => {};
      isOpen = false;
      signal?.removeEventListener("abort", abort);
      connection.quit();
      setTimeout(() => connection.close(), quitMs).unref();
    },
  };
}

interface SmtpFailure {
  readonly message?: unknown;
  readonly response?: unknown;
  readonly responseCode?: unknown;
  readonly command?: unknown;
}

/** What the server says may name the recipient, which the log does not. */
function mailError(phase: string, cause: unknown): MailError {
  const { message, response, responseCode, command } = (cause ?? {}) as SmtpFailure;
  const code = typeof responseCode === "number" ? responseCode : 0;
  const isOfMessage = phase === "send" && (command === "RCPT TO" || command === "DATA") && code !== 421;
  const scope = isOfMessage ? "message" : phase === "send" && code === 0 ? "line" : "server";
  const said = typeof response === "string" && response !== "" ? response : String(message ?? cause);
  const text = `${phase}${typeof command === "string" ? ` (${command})` : ""}: ${said}`;
  return new MailError(text.slice(0, 500), scope, isOfMessage && code >= 500 && code < 600, { cause });
}

/** What the server said, without the address that it may repeat. */
export function saidOf(error: unknown, recipient: string): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(recipient, "<recipient>").replaceAll(/\p{Cc}+/gu, " ");
}
