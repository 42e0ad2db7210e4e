import { CommanderError, InvalidArgumentError, type Command as Program } from "commander";
import { parseOrigin } from "../config/origin.ts";
import { exitStatus } from "./command.ts";

/** Adds the options by which doctor asks an installation from outside: `OutsideOptions`. */
export function withOutside(command: Program): Program {
  return command
    .option(
      "--url <url>",
      "ask the installation at this public URL from outside, and check nothing else",
      parsePublicUrl,
    )
    .option("--origin <origin>", "with --url: a site whose pages call it; once each", parseSite)
    .option("--ca-file <file>", "with --url: trust the CA in this PEM file")
    .option(
      "--connect <host:port>",
      "with --url: connect there, wherever its name leads to",
      parseDestination,
    )
    .option("--connect-http <host:port>", "with --url: the same for plain http", parseDestination)
    .option("--sign-in <address>", "with --url: sign in once, with a password from stdin or the terminal");
}

/** @throws InvalidArgumentError, CommanderError. */
export function parseHttpUrl(text: string): URL {
  if (/^unix:\/[^/]/.test(text)) return new URL(text.replaceAll(/[^/:]+/g, encodeURIComponent));
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new InvalidArgumentError("It is no http:// or https:// URL.");
  // Not an InvalidArgumentError, which would echo it.
  if (url.username !== "" || url.password !== "")
    throw new CommanderError(
      exitStatus.usage,
      "latchkey.credentials",
      "--url holds a user name or a password",
    );
  return url;
}

/** @throws InvalidArgumentError, CommanderError. */
function parsePublicUrl(text: string): URL {
  const url = parseHttpUrl(text);
  if (url.protocol !== "unix:" && url.pathname === "/" && url.search + url.hash === "") return url;
  throw new InvalidArgumentError("It is no origin, such as https://auth.example.com.");
}

/** Adds a site to those that were named before. @throws InvalidArgumentError. */
export function parseSite(text: string, others: readonly string[] = []): readonly string[] {
  const parsed = parseOrigin(text);
  if (parsed.ok) return [...others, parsed.value];
  throw new InvalidArgumentError(`${parsed.reason}: ${parsed.remedy}.`);
}

function parseDestination(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const [host, port] = [bracketed ?? plain, Number(digits)];
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new InvalidArgumentError("It is no host and port, such as 127.0.0.1:443.");
}
