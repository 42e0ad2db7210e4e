/** What a figure should reach, and what it must not fall short of. */
export interface Goal {
  readonly goal: number;
  readonly bound: number;
  /** Whether less is better. */
  readonly atMost: boolean;
}

const atLeast = (goal: number, bound: number): Goal => ({ goal, bound, atMost: false });
const atMost = (goal: number, bound: number): Goal => ({ goal, bound, atMost: true });

/** By a figure's id. Medians of one run on two cores; a figure that is not listed is for information. */
export const goals: Readonly<Record<string, Goal>> = {
  "start-up": atMost(50, 60),
  "memory-before": atMost(45, 52),
  "memory-after": atMost(120, 150),
  "memory-sign-ins": atMost(85, 95),
  "verify-one-sqlite": atLeast(0.85, 0.7),
  "verify-rotation-sqlite": atLeast(0.75, 0.6),
  "verify-commits-sqlite": atLeast(0.9, 0.8),
  "get-session-bare": atLeast(0.75, 0.6),
  "get-session-stock": atLeast(20, 15),
  "verify-rotation-postgres": atLeast(0.45, 0.33),
  "verify-rotation-neon": atLeast(0.2, 0.12),
  "verify-far-rotation-postgres": atLeast(18_000, 12_000),
  "verify-far-rotation-neon": atLeast(14_000, 9_000),
  "sign-in-bare": atLeast(0.95, 0.9),
  "sign-in-stock": atLeast(1.3, 1.3),
  "flood-p99-one": atMost(3, 3),
  "flood-p99-many": atMost(3, 3),
  "flood-honest-one": atMost(2_000, 2_000),
  "flood-honest-many": atMost(2_000, 2_000),
  "fastapi-check": atMost(330, 400),
  "fastapi-plain": atMost(2.75, 3.3),
  "fastapi-httpx": atLeast(4, 3),
  "starlette-check": atMost(200, 250),
  "workers-resets-sqlite": atMost(5, 10),
  "workers-resets-postgres": atMost(5, 10),
  "table-verify": atMost(1.1, 1.3),
  "table-sign-in": atMost(1.1, 1.3),
  "table-verify-postgres": atMost(1.1, 1.3),
  "table-sign-in-postgres": atMost(1.1, 1.3),
};

export type Verdict = "goal" | "bound" | "short";

/** @returns which of a goal's two lines `value` reaches. */
export function judge(value: number, { goal, bound, atMost: less }: Goal): Verdict {
  const reaches = (line: number) => (less ? value <= line : value >= line);
  if (reaches(goal)) return "goal";
  return reaches(bound) ? "bound" : "short";
}
