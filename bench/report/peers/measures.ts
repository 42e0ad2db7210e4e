import type { Unit } from "../results.ts";
import type { Spread } from "../statistics.ts";

interface MeasureKind {
  readonly title: string;
  readonly unit: Unit;
  /** Whether more of it is better. */
  readonly more?: true;
}

/** What is measured of every product, in the order of the tables. */
export const measureKinds = {
  verifyCpu: { title: "CPU time of a verify", unit: "µs" },
  verifyDatabaseCpu: { title: "PostgreSQL's CPU time of a verify", unit: "µs" },
  verifyRate: { title: "verifies a second", unit: "/s", more: true },
  aloneCpu: { title: "CPU time of a verify at one connection", unit: "µs" },
  aloneDatabaseCpu: { title: "PostgreSQL's CPU time of a verify at one connection", unit: "µs" },
  aloneP50: { title: "median time of a verify at one connection", unit: "ms" },
  signInCpu: { title: "CPU time of a sign-in", unit: "ms" },
  signInDatabaseCpu: { title: "PostgreSQL's CPU time of a sign-in", unit: "ms" },
  signInRate: { title: "sign-ins a second", unit: "/s", more: true },
  start: { title: "start to the first healthy answer", unit: "ms" },
  memoryBefore: { title: "memory before traffic", unit: "MB" },
  memoryVerified: { title: "memory after the verifies", unit: "MB" },
  memorySignedIn: { title: "memory after the sign-ins", unit: "MB" },
} as const satisfies Record<string, MeasureKind>;

export type Measure = keyof typeof measureKinds;

export function isMore(measure: Measure): boolean {
  return "more" in measureKinds[measure];
}

/** One product on one database. */
export interface PeerMeasures {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly database: "sqlite" | "postgres";
  readonly asked: string;
  readonly limits: string;
  /** Without those that could not be taken: PostgreSQL's time of a product on SQLite. */
  readonly values: Partial<Record<Measure, Spread>>;
}

export interface PeersReport {
  /** latchkey among them. */
  readonly measured: PeerMeasures[];
  /** Those that were not there to be measured, and why. */
  readonly missing: { readonly name: string; readonly reason: string }[];
}

export function isLatchkey({ id }: Pick<PeerMeasures, "id">): boolean {
  return id.startsWith("latchkey-");
}

/** latchkey on the same database, which a product is compared with. */
export function counterpart(measured: readonly PeerMeasures[], peer: PeerMeasures): PeerMeasures | undefined {
  return measured.find((other) => isLatchkey(other) && other.database === peer.database);
}

/** As tables and series call a product. */
export function titleOf({ name, database }: Pick<PeerMeasures, "name" | "database">): string {
  return `${name}, ${database === "sqlite" ? "SQLite" : "PostgreSQL"}`;
}
