/** A value as it may be printed in a problem: quoted, short, and never when it may hold credentials. */
export function quote(text: string): string {
  if (text.includes("@")) return "the value (not shown, it may hold a password)";
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
