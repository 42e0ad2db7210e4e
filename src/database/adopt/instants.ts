const year1990 = 631_152_000;
const year2286 = 10_000_000_000;
const year9999Ms = 253_402_300_799_999;

/**
 * An SQL expression for `column`'s instant in integer milliseconds since 1970, NULL where it is none beyond doubt.
 *
 * Drizzle's `mode: "timestamp"` stores seconds, `timestamp_ms` milliseconds, BetterAuth's own schema ISO 8601, and a
 * default of CURRENT_TIMESTAMP text without a zone, which is UTC; one column may hold several. From 1990 on seconds and
 * milliseconds cannot be confounded. Julian days, microseconds and dates before 1990 are left undecided.
 */
export function asMilliseconds(column: string): string {
  const seconds = (value: string) => `cast(round(${value} * 1000) as integer)`;
  const number = (value: string) =>
    `CASE WHEN ${value} = 0 THEN 0 ` +
    `WHEN ${value} BETWEEN ${year1990} AND ${year2286} THEN ${seconds(value)} ` +
    `WHEN ${value} BETWEEN ${year1990}000 AND ${year9999Ms} THEN cast(round(${value}) as integer) END`;
  const digits = `${column} <> '' AND ${column} NOT GLOB '*[^0-9]*'`;
  const iso = `${column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'`;
  return (
    `(CASE WHEN typeof(${column}) IN ('integer', 'real') THEN ${number(column)} ` +
    `WHEN typeof(${column}) = 'text' AND ${digits} THEN ${number(`cast(${column} as integer)`)} ` +
    `WHEN typeof(${column}) = 'text' AND ${iso} THEN ${seconds(`unixepoch(${column}, 'subsec')`)} END)`
  );
}
