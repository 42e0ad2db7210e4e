import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "./reaper.ts";

const version = "3.7.13";
const cache = join(import.meta.dir, "../../node_modules/.cache/latchkey-traefik");
const built = join(cache, `traefik-${version}`);
const buildTimeoutMs = 30 * 60_000;

/**
 * Traefik: what LATCHKEY_TEST_TRAEFIK names, or what Go makes of Traefik's module, once a machine and in about ten minutes. It is
 * built without the DNS providers of its ACME client, and with an older Basic auth: neither is asked for here, and not all of
 * their modules are to be had of the Go proxy. @throws with the reason when it is not to be had.
 */
export const traefikCommand: () => Promise<readonly string[]> = once(async () => {
  const given = process.env["LATCHKEY_TEST_TRAEFIK"];
  if (given !== undefined && given !== "") return [given];
  if (!existsSync(built)) await build();
  return [built];
});

const noExtensions = "package ext\n\ntype HTTP struct{}\n\ntype Router struct{}\n";
const noProviders = `package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("unrecognized DNS provider: %s", name)
}
`;
const olderBasicAuth = "github.com/containous/go-http-auth@v0.4.1-0.20200324110947-a37a7636d23e";

async function build(): Promise<void> {
  if (Bun.which("go") === null) throw new Error("go is missing, which builds Traefik");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "building-"));
  const [source, lego] = [join(folder, "traefik"), join(folder, "lego")];
  try {
    copyWritable(await moduleFolder(`github.com/traefik/traefik/v3@v${version}`, folder), source);
    // A module of its own in Traefik's repository, which its module does not hold.
    const extensions = join(source, "pkg/config/dynamic/ext");
    mkdirSync(extensions);
    writeFileSync(join(extensions, "ext.go"), noExtensions);
    writeFileSync(join(extensions, "go.mod"), "module github.com/traefik/traefik/dynamic/ext\n\ngo 1.23\n");
    await go(["mod", "edit", "-replace", `github.com/abbot/go-http-auth=${olderBasicAuth}`], source);
    const wanted = await go(["list", "-mod=mod", "-m", "github.com/go-acme/lego/v5"], source);
    copyWritable(await moduleFolder(wanted.trim().replace(" ", "@"), folder), lego);
    writeFileSync(join(lego, "providers/dns/zz_gen_dns_providers.go"), noProviders);
    await go(["mod", "edit", "-replace", `github.com/go-acme/lego/v5=${lego}`], source);
    const program = join(folder, "program");
    await go(["build", "-mod=mod", "-ldflags=-s -w", "-o", program, "./cmd/traefik"], source);
    renameSync(program, built);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where Go keeps a module, which is downloaded first. */
async function moduleFolder(module: string, cwd: string): Promise<string> {
  const { Dir } = JSON.parse(await go(["mod", "download", "-json", module], cwd)) as { readonly Dir: string };
  return Dir;
}

function copyWritable(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  Bun.spawnSync(["chmod", "-R", "u+w", to]);
}

async function go(args: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn(["go", ...args], {
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: buildTimeoutMs,
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return stdout;
  throw new Error(`go ${args.join(" ")}: ${stderr.trim().split("\n").slice(-3).join(" ")}`);
}
