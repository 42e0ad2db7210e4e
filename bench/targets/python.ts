import { join } from "node:path";
import { freePort } from "../../test/support/free-port.ts";
import { ensureVirtualEnvironment } from "../../test/support/python.ts";
import { forgetProcess, watchProcess } from "../../test/support/reaper.ts";
import { type Cores, pinned } from "../machine/cores.ts";
import type { Target } from "./target.ts";

const project = join(import.meta.dir, "..", "..");
const example = join(project, "examples", "fastapi");
const readyTimeoutMs = 30_000;

/** Starts an app of `bench/fastapi` on uvicorn with uvloop and httptools, one process, without an access log. */
export async function startPython(
  app: "fastapi" | "starlette",
  cores: Cores | null,
  latchkeyUrl: string,
): Promise<Target> {
  const python = await ensureVirtualEnvironment(join(example, "requirements-dev.txt"));
  const port = freePort();
  const options = `--host 127.0.0.1 --port ${port} --loop uvloop --http httptools --no-access-log --log-level warning`;
  const command = [python, "-m", "uvicorn", `${app}_app:app`, ...options.split(" ")];
  const child = Bun.spawn(pinned(command, cores, "server"), {
    cwd: join(project, "bench", "fastapi"),
    env: {
      PYTHONPATH: join(example, "src"),
      PYTHONDONTWRITEBYTECODE: "1",
      LATCHKEY_URL: latchkeyUrl,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  watchProcess(child.pid, "KILL");
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
    forgetProcess(child.pid);
  };
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await answers(`${url}/plain`))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the ${app} app does not answer`);
    }
    await Bun.sleep(50);
  }
  return { name: app, url, pid: child.pid, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
