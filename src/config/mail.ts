import type { Config, ConfigDeps, MailConfig } from "./config.ts";
import { parsePath } from "./file-path.ts";
import { isLoopbackHost } from "./listen.ts";
import { accepted, parseChoice, type Parsed, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

const [serverName, fromName] = ["SMTP_URL", "LATCHKEY_MAIL_FROM"] as const;
const serverRemedy = "write smtps://user:password@mail.example.com, or smtp:// for STARTTLS";
const fromRemedy =
  "write an address, accounts@example.com, or a name and one: Example <accounts@example.com>";

type MailServer = Omit<MailConfig, "fromName" | "fromAddress" | "templates">;
type Sender = Pick<MailConfig, "fromName" | "fromAddress">;

/** Reads SMTP_URL and LATCHKEY_MAIL_FROM; null where there is no mail. Each wants the other. */
export function readMail(
  reader: ConfigReader,
  brandName: string,
  { cwd }: Pick<ConfigDeps, "cwd">,
): MailConfig | null {
  const entry = reader.secretEntry(serverName);
  const parsed = entry === undefined ? undefined : parseServer(entry.text);
  if (entry !== undefined && parsed?.ok === false)
    reader.reject(entry.variable, parsed.reason, parsed.remedy);
  reader.record(serverName, entry === undefined ? "" : "********", entry);
  const sender = readParsed<Sender | null>(
    reader,
    fromName,
    null,
    (text) => parseSender(text, brandName),
    (value) => (value === null ? "" : `${value.fromName} <${value.fromAddress}>`),
  );
  const isSenderGiven = reader.entry(fromName) !== undefined;
  if (entry !== undefined && !isSenderGiven)
    reader.reject(fromName, `is not set, but ${serverName} is: mail needs a sender`, fromRemedy);
  if (entry === undefined && isSenderGiven && !reader.isRejected(serverName))
    reader.reject(fromName, `is set, but ${serverName} is not: nothing could be sent`, serverRemedy);
  const templates = readParsed<string | null>(
    reader,
    "LATCHKEY_MAIL_TEMPLATES",
    null,
    (text) => parsePath(text, cwd),
    (path) => path ?? "",
  );
  return parsed?.ok === true && sender !== null ? { ...parsed.value, ...sender, templates } : null;
}

/** Reads LATCHKEY_EMAIL_VERIFICATION, which is nothing without mail. */
export function readEmailVerification(
  reader: ConfigReader,
  mail: MailConfig | null,
): Config["emailVerification"] {
  const name = "LATCHKEY_EMAIL_VERIFICATION";
  const choices = ["off", "optional", "required"] as const;
  const chosen = readParsed<Config["emailVerification"]>(reader, name, "off", (text) =>
    parseChoice(text, choices),
  );
  const isMailAtFault = reader.isRejected(serverName) || reader.isRejected(fromName);
  if (chosen !== "off" && mail === null && !isMailAtFault)
    reader.reject(name, `is ${chosen}, but there is no mail to confirm an address by`, `set ${serverName}`);
  return chosen;
}

/** Nothing of it is echoed: it holds a password. */
function parseServer(text: string): Parsed<MailServer> {
  const written = text.trim();
  if (!/^smtps?:\/\//i.test(written)) return refused("does not begin with smtps:// or smtp://", serverRemedy);
  if (!URL.canParse(written)) return refused("is no address of a server", serverRemedy);
  const url = new URL(written);
  const host = decoded(url.hostname)?.replace(/^\[(.*)\]$/, "$1");
  const [user, password] = [decoded(url.username), decoded(url.password)];
  if (!host) return refused("names no server", serverRemedy);
  if (user === undefined || password === undefined)
    return refused("has a % that is none of an encoding", "write %25 for a % in user or password");
  if (url.search !== "" || url.hash !== "" || !["", "/"].includes(url.pathname))
    return refused("has something behind the server's name", serverRemedy);
  if (url.port === "0") return refused("has port 0", "write the server's port, such as 465 or 587");
  if ((user === "") !== (password === ""))
    return refused("has a user without a password, or a password without a user", serverRemedy);
  const isSecure = url.protocol.toLowerCase() === "smtps:";
  return accepted({
    host: host.toLowerCase(),
    port: url.port === "" ? (isSecure ? 465 : 587) : Number(url.port),
    security: isSecure ? "tls" : isLoopbackHost(host) ? "plain" : "starttls",
    login: user === "" ? null : { user, password },
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What RFC 5321 calls a dot-string, at a domain. */
export const addressPattern =
  /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[a-z\d-]+(?:\.[a-z\d-]+)*$/i;
const nameMaxLength = 60;

function parseSender(text: string, brandName: string): Parsed<Sender> {
  const [, named, bracketed] = /^([^<>]*)<([^<>]+)>$/.exec(text) ?? [];
  const address = (bracketed ?? text).trim();
  const name = named?.trim().replace(/^"(.*)"$/, "$1") ?? "";
  if (address.length > 254 || !addressPattern.test(address))
    return refused("is not an e-mail address", fromRemedy);
  if ([...name].length > nameMaxLength)
    return refused(`has a name of ${[...name].length} characters`, `write at most ${nameMaxLength}`);
  return accepted({ fromName: name === "" ? brandName : name, fromAddress: address });
}
