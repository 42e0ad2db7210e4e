import { join } from "node:path";
import { ensureVirtualEnvironment } from "./python.ts";
import { forgetProcess, watchProcess } from "./reaper.ts";

const directory = join(import.meta.dir, "..", "..", "examples", "fastapi");
const readyTimeoutMs = 30_000;

export interface RunningApi {
  stop(): Promise<void>;
}

/** Starts `examples/fastapi`'s app on loopback, in its virtual environment, and waits until it answers. */
export async function startFastApi(options: {
  readonly port: number;
  readonly latchkeyUrl: string;
  readonly allowedOrigins: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}): Promise<RunningApi> {
  const python = await ensureVirtualEnvironment(join(directory, "requirements.txt"));
  const child = Bun.spawn([python, "-m", "latchkey_fastapi"], {
    cwd: directory,
    env: {
      PYTHONPATH: join(directory, "src"),
      PYTHONDONTWRITEBYTECODE: "1",
      HOST: "127.0.0.1",
      PORT: String(options.port),
      LATCHKEY_URL: options.latchkeyUrl,
      ALLOWED_ORIGINS: options.allowedOrigins.join(","),
      ...options.env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  watchProcess(child.pid, "TERM");
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await isUp(options.port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the FastAPI app does not answer:\n${(await output).join("")}`);
    }
    await Bun.sleep(50);
  }
  return {
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      forgetProcess(child.pid);
    },
  };
}

async function isUp(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  } catch {
    return false;
  }
}
