import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The arguments of package.json's `build` script, as a shell hands them to `bun`: none has a space. */
export function buildCommand(project: string, outfile: string): string[] {
  const text = readFileSync(join(project, "package.json"), "utf8");
  const { scripts } = JSON.parse(text) as { scripts: { build: string } };
  const [bun, ...args] = scripts.build.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
  const hasOutfile = args.some((argument) => argument.startsWith("--outfile="));
  if (bun !== "bun" || !hasOutfile || args.at(-1) !== "src/main.ts")
    throw new Error(`package.json's build script cannot be read: ${scripts.build}`);
  return args.map((argument) => argument.replace(/^--outfile=.*/, `--outfile=${outfile}`));
}
