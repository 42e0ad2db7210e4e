import type { ConfigDeps, Environment, LoadedConfig } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError, type ConfigProblem } from "../../src/errors.ts";

/** 32 random bytes, base64. */
export const STRONG_SECRET = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
export const OTHER_SECRET = "Zk4Wm9Rt2Qy7Bx5Lc8Vn3Hj6Fp1Gd0SaUeIoXzTqMwE=";

const deps: ConfigDeps = {
  readFile: (path) => {
    throw Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: "ENOENT" });
  },
  secretFileRisk: () => null,
  cwd: "/srv/latchkey",
  isTerminal: false,
  cpuCount: 4,
  hasIpv6: () => true,
  platform: "linux",
};

export function load(env: Environment, overrides: Partial<ConfigDeps> = {}): LoadedConfig {
  return loadConfig(env, { ...deps, ...overrides });
}

/** Files by absolute path; anything else is missing. */
export function filesIn(files: Readonly<Record<string, string>>): ConfigDeps["readFile"] {
  return (path) => files[path] ?? deps.readFile(path);
}

/** The problems of an environment; none when it loads. */
export function problemsOf(env: Environment, overrides: Partial<ConfigDeps> = {}): readonly ConfigProblem[] {
  try {
    load(env, overrides);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
