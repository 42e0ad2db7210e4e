type Kind = "user" | "account" | "session" | "token";
type Dialect = "sqlite" | "postgres";

/** The largest index is below 2^24: SQLite's products then stay integers. */
export const indexMax = 2 ** 24 - 1;

/** Odd, so that no two indexes below 2^32 meet; the first is 2^32 over the golden ratio (Knuth, TAOCP 3, 6.4). */
const multipliers = [2_654_435_769, 2_246_822_519, 3_266_489_917, 668_265_263] as const;
const salts: Readonly<Record<Kind, number>> = {
  user: 0x243f6a88,
  account: 0x85a308d3,
  session: 0x13198a2e,
  token: 0x03707344,
};

/** 32 hexadecimal characters spread evenly, as BetterAuth's random ones are: neighbours in time are none in an index. */
export function identifier(kind: Kind, index: number): string {
  return multipliers
    .map((multiplier) => ((Math.imul(index, multiplier) + salts[kind]) >>> 0).toString(16).padStart(8, "0"))
    .join("");
}

/** The same as an expression of SQL over `index`, an integer expression: millions are made where they are kept. */
export function identifierSql(dialect: Dialect, kind: Kind, index: string): string {
  const words = multipliers.map((multiplier) => `((${index}) * ${multiplier} + ${salts[kind]}) & 4294967295`);
  return dialect === "sqlite"
    ? `printf('%08x%08x%08x%08x', ${words.join(", ")})`
    : words.map((word) => `lpad(to_hex(${word}), 8, '0')`).join(" || ");
}
