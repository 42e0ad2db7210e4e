import { readFileSync } from "node:fs";
import type { RunningLatchkey } from "./executable.ts";

/** The process ids of a supervisor's workers. Linux alone. */
export function workersOf(supervisor: number): readonly number[] {
  const text = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, "utf8");
  return text
    .split(" ")
    .filter((pid) => pid !== "")
    .map(Number);
}

/** Which process answers: each has a prefix of its own in its request ids. */
export function answeredBy({ headers }: Response): string {
  return headers.get("x-request-id")?.slice(0, 13) ?? "";
}

/** Asks on a connection of its own. */
export async function askAnew(url: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(url, { ...init, keepalive: false });
}

/** How many processes answer, of so many connections. */
export async function countAnswering({ url }: RunningLatchkey, connections = 60): Promise<number> {
  const found = new Set<string>();
  for (let asked = 0; asked < connections; asked += 1)
    found.add(answeredBy(await askAnew(`${url}/health/live`)));
  return found.size;
}

/** Whether a process is there, and no zombie that nobody has collected. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
