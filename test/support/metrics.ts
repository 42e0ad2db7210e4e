import type { RunningLatchkey } from "./executable.ts";

/** Where a server says that its figures are. */
export function metricsUrlOf(server: Pick<RunningLatchkey, "logs">): string {
  const place = server.logs().find(({ event }) => event === "listening")?.["metrics"];
  if (typeof place !== "string") throw new Error("the server names no place for its figures");
  return place;
}

/** The figures of one answer. */
export interface Scrape {
  readonly text: string;
  /** By name and labels, as they stand in the answer: `latchkey_sign_ins_total{outcome="success"}`. */
  readonly values: ReadonlyMap<string, number>;
  /** 0 where a series is not there. */
  value(series: string): number;
}

export async function scrape(url: string, init: BunFetchRequestInit = {}): Promise<Scrape> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`);
  const values = new Map(
    text.split("\n").flatMap((line): [string, number][] => {
      const at = line.lastIndexOf(" ");
      return line === "" || line.startsWith("#") ? [] : [[line.slice(0, at), Number(line.slice(at + 1))]];
    }),
  );
  return { text, values, value: (series) => values.get(series) ?? 0 };
}

/** The metrics that an answer declares, with their kinds. */
export function declaredIn(text: string): readonly (readonly [name: string, kind: string])[] {
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", kind = ""]) => [name, kind]);
}
