import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const directory = join(import.meta.dir, "../corpora");

/** Every case of every file. */
export function corpora(): string[] {
  return readdirSync(directory).flatMap(corpus);
}

/** A file of `test/corpora`: one case a line, with `\u…` for what an editor would hide. */
export function corpus(name: string): string[] {
  return readFileSync(join(directory, name), "utf8")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) =>
      line.replaceAll(/\\u([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
    );
}
