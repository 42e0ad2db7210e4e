import { join } from "node:path";
import { ensureVirtualEnvironment } from "./python.ts";
import { forgetProcess, watchProcess } from "./reaper.ts";

const directory = join(import.meta.dir, "..", "..", "examples", "fastapi");
const readyTimeoutMs = 30_000;

export interface RunningApi {
  stop(): Promise<void>;
}

interface FastApiOptions {
  readonly port: number;
  readonly latchkeyUrl: string;
  readonly allowedOrigins: readonly string[];
}

/** How `examples/fastapi`'s app is started, whose virtual environment this makes the first time. */
export async function prepareFastApi(): Promise<(options: FastApiOptions) => FastApiProcess> {
  const python = await ensureVirtualEnvironment(join(directory, "requirements.txt"));
  return ({ port, latchkeyUrl, allowedOrigins }) => ({
    command: [python, "-m", "latchkey_fastapi"],
    cwd: directory,
    env: {
      PYTHONPATH: join(directory, "src"),
      PYTHONDONTWRITEBYTECODE: "1",
      HOST: "127.0.0.1",
      PORT: String(port),
      LATCHKEY_URL: latchkeyUrl,
      ALLOWED_ORIGINS: allowedOrigins.join(","),
    },
  });
}

interface FastApiProcess {
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts `examples/fastapi`'s app on loopback, in its virtual environment, and waits until it answers. */
export async function startFastApi({
  env,
  ...options
}: FastApiOptions & { readonly env?: Readonly<Record<string, string>> }): Promise<RunningApi> {
  const app = (await prepareFastApi())(options);
  const child = Bun.spawn([...app.command], {
    cwd: app.cwd,
    env: { ...app.env, ...env },
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
