import { fold } from "../src/auth/guessable.ts";

/**
 * Writes `src/auth/common-passwords.txt.gz` from lists of passwords, each a JSON array or a text of one a line:
 * `bun docs/write-common-passwords.ts passwords.json common-passwords.txt`. Where the lists come from stands beside it.
 */
export function commonPasswords(passwords: readonly string[]): string {
  const folded = passwords.map(fold).filter((password) => isUsable(password));
  return `\n${[...new Set(folded)].sort().join("\n")}\n`;
}

/** The shortest that any setting allows. What a wrong character set made of others is nobody's password. */
function isUsable(password: string): boolean {
  return [...password].length >= 8 && !password.includes("пїѕ");
}

if (import.meta.main) {
  const texts = await Promise.all(process.argv.slice(2).map((path) => Bun.file(path).text()));
  const lists = texts.map((text) =>
    text.startsWith("[") ? (JSON.parse(text) as string[]) : text.split("\n"),
  );
  const list = Bun.gzipSync(commonPasswords(lists.flat()), { level: 9 });
  await Bun.write("src/auth/common-passwords.txt.gz", list);
}
