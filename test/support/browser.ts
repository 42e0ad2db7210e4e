import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { inflate } from "@sparticuz/chromium";
import { type Browser, chromium, type LaunchOptions } from "playwright-core";
import { once, temporaryDirectory } from "./reaper.ts";

const launchTimeoutMs = 30_000;
const projectDirectory = join(import.meta.dir, "..", "..");

/**
 * Starts a headless Chromium: the one LATCHKEY_TEST_BROWSER names, on x64 Linux the one that `bun install` brought with
 * the libraries and fonts it needs, elsewhere an installed Chrome. Close it when done.
 * @throws with what is missing and how to get it.
 */
export async function launchBrowser({
  args = [],
  within = [],
}: {
  /** Chromium's own, such as a name that is to be this machine. */
  readonly args?: readonly string[];
  /** A program that starts it, with its arguments, such as one that goes to another network. */
  readonly within?: readonly string[];
} = {}): Promise<Browser> {
  const failures: string[] = [];
  for (const { name, options } of await candidates()) {
    try {
      return await chromium.launch({
        ...options,
        ...(within.length === 0 ? {} : { executablePath: startedBy(within, options.executablePath) }),
        args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...args],
        timeout: launchTimeoutMs,
      });
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  throw new Error(
    `No browser could be started for the page tests.\n${failures.join("\n")}\n` +
      "Install Chrome or Chromium (Debian, Ubuntu: apt-get install chromium), " +
      "and set LATCHKEY_TEST_BROWSER to its path if it is not Chrome's usual one.",
  );
}

/** Playwright starts one file. */
function startedBy(program: readonly string[], executablePath = "google-chrome"): string {
  const path = join(temporaryDirectory("browser"), "chromium");
  const quoted = [...program, executablePath].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}

interface Candidate {
  readonly name: string;
  readonly options: LaunchOptions;
}

async function candidates(): Promise<readonly Candidate[]> {
  const given = process.env["LATCHKEY_TEST_BROWSER"];
  if (given !== undefined && given !== "") return [{ name: given, options: { executablePath: given } }];
  const installed: Candidate = { name: "Chrome", options: { channel: "chrome" } };
  if (process.platform !== "linux" || process.arch !== "x64") return [installed];
  const directory = await bundled();
  const bundle = {
    executablePath: join(directory, "chromium"),
    env: { HOME: temporaryDirectory("browser"), FONTCONFIG_FILE: join(directory, "fonts.conf") },
  };
  const libraries = { LD_LIBRARY_PATH: join(directory, "al2023", "lib") };
  return [
    {
      name: "Chromium with its own libraries",
      options: { ...bundle, env: { ...bundle.env, ...libraries } },
    },
    { name: "Chromium with the system's libraries", options: bundle },
    installed,
  ];
}

/** Unpacks the bundled Chromium once a project; it comes into place whole, however many processes unpack it. */
const bundled = once(async () => {
  const source = join(dirname(Bun.resolveSync("@sparticuz/chromium", import.meta.dir)), "..");
  const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as { version: string };
  const cache = join(projectDirectory, "node_modules", ".cache");
  const directory = join(cache, `chromium-${version}-2`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const unpacked = mkdtempSync(join(cache, "chromium-"));
  // The package unpacks into the temporary directory, wherever that is.
  const usual = process.env["TMPDIR"];
  process.env["TMPDIR"] = unpacked;
  try {
    const parts = ["chromium.br", "al2023.tar.br", "fonts.tar.br"];
    await Promise.all(parts.map((part) => inflate(join(source, "bin", part))));
  } finally {
    if (usual === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = usual;
  }
  // Western letters alone come with it; a language without is measured in boxes that are too narrow.
  cpSync(japaneseFont(), join(unpacked, "fonts", "japanese.ttf"));
  writeFileSync(join(unpacked, "fonts.conf"), fontsConf(directory));
  try {
    renameSync(unpacked, directory);
  } catch (error) {
    rmSync(unpacked, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
});

const japaneseFont = () =>
  Bun.resolveSync(
    "@expo-google-fonts/sawarabi-gothic/400Regular/SawarabiGothic_400Regular.ttf",
    import.meta.dir,
  );

/** The bundled fonts alone, so that pages look alike on every machine. */
function fontsConf(directory: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${directory}/fonts</dir><cachedir>${directory}/fonts-cache</cachedir></fontconfig>
`;
}

/** The line that says why, out of the browser's whole log. */
function reasonOf(error: unknown): string {
  const lines = String(error).split("\n");
  const telling = /shared libraries|not found|no such file|not permitted|cannot|failed/i;
  return (lines.find((line) => telling.test(line)) ?? lines[0] ?? "").trim().slice(0, 300);
}
