import { readFileSync } from "node:fs";
import { join } from "node:path";
import { forgetProcess, watchProcess } from "../../test/support/reaper.ts";
import { within } from "../../test/support/within.ts";
import { type CoreSet, type Cores, pinned } from "../machine/cores.ts";
import { titleOf } from "../report/peers/measures.ts";
import type { Target } from "../targets/target.ts";
import type { Peer, Place } from "./peer.ts";

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 15_000;

/** A built product and where it lives. */
export interface Installed {
  readonly peer: Peer;
  readonly program: string;
  readonly place: Place;
}

/** @param on by default the one core of a server. @returns once it has said that it is ready, with the ms since it was spawned. */
export async function startPeer(
  { peer, program, place }: Installed,
  cores: Cores | null,
  on: CoreSet = "server",
): Promise<Target & { readonly startMs: number }> {
  const { args, env } = peer.command(program, place);
  const log = join(place.directory, "server.log");
  const startedAt = performance.now();
  const child = Bun.spawn(pinned([program, ...args], cores, on), {
    cwd: place.directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: place.directory, ...env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: Bun.file(`${log}.err`),
  });
  watchProcess(child.pid, "KILL");
  const url = `http://127.0.0.1:${place.port}`;
  while (!(await isReady(`${url}${peer.healthPath}`))) {
    if (child.exitCode !== null || performance.now() - startedAt > readyTimeoutMs) {
      child.kill("SIGKILL");
      throw new Error(`${titleOf(peer)} does not answer: ${tailOf(log)} ${tailOf(`${log}.err`)}`);
    }
    await Bun.sleep(1);
  }
  const startMs = performance.now() - startedAt;
  const stop = async () => {
    child.kill("SIGTERM");
    if ((await within(child.exited, stopTimeoutMs)) === undefined) child.kill("SIGKILL");
    await child.exited;
    forgetProcess(child.pid);
  };
  return { name: titleOf(peer), url, pid: child.pid, startMs, stop };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { keepalive: false });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

function tailOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().slice(-400);
  } catch {
    return "";
  }
}
