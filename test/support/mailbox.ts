import { type AddressObject, type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** A message as another program reads it. */
export interface ReceivedMail {
  readonly to: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  readonly parsed: ParsedMail;
  /** As it came over the wire. */
  readonly raw: string;
}

/** A mail server of Nodemailer's makers, who send with other code than they receive. */
export interface Mailbox {
  readonly port: number;
  /** Settings of a latchkey that sends to it. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything that was taken, the oldest first. */
  readonly mails: readonly ReceivedMail[];
  /** Waits for what is sent to an address. @returns the newest. @throws after 20 s. */
  next(to: string, count?: number): Promise<ReceivedMail>;
  close(): Promise<void>;
}

const waitMs = 20_000;

/** @param host where it listens; default this machine alone. */
export async function openMailbox(options: SMTPServerOptions = {}, host = "127.0.0.1"): Promise<Mailbox> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS", "AUTH"],
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", async () => {
        const raw = Buffer.concat(chunks);
        mails.push(receivedMail(await simpleParser(raw), raw.toString()));
        done(null, "queued");
      });
    },
    ...options,
  });
  // Clients that go away in the middle are nothing to a server.
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const sentTo = (to: string) => mails.filter((mail) => mail.to === to);
  return {
    port,
    env: { SMTP_URL: `smtp://127.0.0.1:${port}`, LATCHKEY_MAIL_FROM: "Example <accounts@example.org>" },
    mails,
    async next(to, count = 1) {
      const deadline = performance.now() + waitMs;
      for (;;) {
        const found = sentTo(to);
        const newest = found[found.length - 1];
        if (found.length >= count && newest !== undefined) return newest;
        if (performance.now() > deadline) throw new Error(`${found.length} of ${count} mails came to ${to}`);
        await Bun.sleep(20);
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function receivedMail(parsed: ParsedMail, raw: string): ReceivedMail {
  const addressOf = (field: AddressObject | AddressObject[] | undefined) =>
    [field ?? []].flat().flatMap(({ value }) => value.map(({ address }) => address ?? ""))[0] ?? "";
  return {
    to: addressOf(parsed.to),
    from: addressOf(parsed.from),
    subject: parsed.subject ?? "",
    text: parsed.text ?? "",
    html: parsed.html === false ? "" : (parsed.html ?? ""),
    messageId: parsed.messageId ?? "",
    parsed,
    raw,
  };
}

/** The link that a mail has, wherever it stands: in its HTML and in its text it is the same. */
export function linkIn({ text, html }: Pick<ReceivedMail, "text" | "html">): URL {
  const inText = /https?:\/\/\S+/.exec(text)?.[0];
  const inHtml = /href="(https?:[^"]+)"/.exec(html)?.[1]?.replaceAll("&amp;", "&");
  if (inText === undefined || inText !== inHtml) throw new Error(`${inText} in text, ${inHtml} in HTML`);
  return new URL(inText);
}
