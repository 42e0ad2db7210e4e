import { type Check, failed, passed, warned } from "./check.ts";

const noticeableMs = 1_000;
const harmfulMs = 30_000;

/**
 * Judges the database's clock against ours, which times sessions: where they differ, one is wrong.
 * @param skewMs the database's minus ours. @param uncertaintyMs by how much the measurement may be wrong.
 */
export function clockCheck(skewMs: number, uncertaintyMs: number): Check {
  const name = "clock";
  if (!Number.isFinite(skewMs)) {
    return failed(name, "the database does not say what time it has", "latchkey doctor, once it answers");
  }
  const leastMs = Math.max(0, Math.abs(skewMs) - uncertaintyMs);
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
  if (leastMs <= noticeableMs) return passed(name, `within ${noticeableMs / 1000} s of the database's`);
  const detail = `the database's is ${seconds} s ${skewMs > 0 ? "ahead" : "behind"}, so one of the two is wrong: sessions are timed by this machine's, and instances that disagree end them at different times`;
  const remedy = "synchronise both machines by NTP, e.g. timedatectl set-ntp true";
  return leastMs > harmfulMs ? failed(name, detail, remedy) : warned(name, detail, remedy);
}
