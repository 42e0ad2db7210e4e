import { resolve } from "node:path";
import type { ConfigDeps, SocketConfig } from "./config.ts";
import { accepted, type Parsed, quote, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

/** A socket's address has 107 bytes, unix(7): some are for a worker's number and for the name it is made under. */
const pathMaxBytes = 96;
const defaultMode = 0o660;
const names = ["LATCHKEY_LISTEN_MODE", "LATCHKEY_LISTEN_GROUP"] as const;

/** The sockets of all workers: one cannot be shared, so that of several each has its own, numbered from 1. */
export function socketsOf(socket: SocketConfig, workers: number): readonly SocketConfig[] {
  if (workers === 1) return [socket];
  return Array.from({ length: workers }, (_, at) => ({ ...socket, path: `${socket.path}.${at + 1}` }));
}

/** Reads LATCHKEY_LISTEN, LATCHKEY_LISTEN_MODE and LATCHKEY_LISTEN_GROUP; null without a socket. */
export function readSocket(
  reader: ConfigReader,
  { platform }: Pick<ConfigDeps, "platform">,
): SocketConfig | null {
  const path = readParsed<string | null>(reader, "LATCHKEY_LISTEN", null, parsePath, (one) =>
    one === null ? "" : `unix:${one}`,
  );
  const mode = readParsed(reader, names[0], defaultMode, parseMode, (one) => one.toString(8));
  const group = readParsed<string | null>(reader, names[1], null, parseGroup, (one) => one ?? "");
  if (path === null) {
    for (const name of names)
      if (reader.entry(name) !== undefined && !reader.isRejected("LATCHKEY_LISTEN"))
        reader.reject(name, "is set without a socket", "set LATCHKEY_LISTEN, or remove it");
    return null;
  }
  if (platform === "win32") reader.reject("LATCHKEY_LISTEN", "is not for Windows", "remove it");
  if ((mode & 0o002) !== 0)
    reader.warn(
      `LATCHKEY_LISTEN_MODE=${mode.toString(8)}: every user of this machine may connect, and state any client address`,
    );
  return { path, mode, group };
}

function parsePath(text: string): Parsed<string> {
  return parseSocketPath(
    text,
    "write unix:/run/latchkey/latchkey.sock; the port stays PORT, and the address HOST",
  );
}

/** Parses `unix:` and an absolute path. @param remedy for what is none. */
export function parseSocketPath(text: string, remedy: string): Parsed<string> {
  const path = /^unix:(\/(?!\/).*[^/])$/.exec(text)?.[1];
  if (path === undefined) return refused(`${quote(text)} is not unix: and an absolute path`, remedy);
  if (Buffer.byteLength(path) > pathMaxBytes)
    return refused(`has a path of more than ${pathMaxBytes} bytes`, "write a shorter one");
  return accepted(resolve(path));
}

function parseMode(text: string): Parsed<number> {
  if (/^0?[0-7]{3}$/.test(text)) return accepted(Number.parseInt(text, 8));
  return refused(`${quote(text)} is no mode`, "write three octal digits, such as 660");
}

function parseGroup(text: string): Parsed<string> {
  if (/^(?:\d{1,9}|[A-Za-z_][\w.-]{0,31}\$?)$/.test(text)) return accepted(text);
  return refused(`${quote(text)} is no group`, "write a group's name or number, such as www-data");
}
