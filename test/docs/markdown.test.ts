import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { run } from "../../src/cli/run.ts";
import {
  codeSpans,
  type Document,
  outputPattern,
  projectDirectory,
  readDocument,
  requireTable,
} from "../support/readme.ts";
import { readRequirements } from "../security-table.ts";

const ownDocuments = [
  "README.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...[...new Bun.Glob("docs/*.md").scanSync(projectDirectory)].sort(),
];
const exampleDocuments = [...new Bun.Glob("{examples/*,site}/README.md").scanSync(projectDirectory)].sort();
const documents = [...ownDocuments, ...exampleDocuments].map(readDocument);
const inProject = (path: string) => join(projectDirectory, path);

describe.each(documents.map((document) => [document.path, document] as const))("%s", (path, document) => {
  test("links only to files, pictures and headings that exist", () => {
    const broken = document.links.filter(
      (target) => !/^[a-z]+:/.test(target) && !linkExists(document, target),
    );
    expect(broken).toEqual([]);
  });

  test("names only scripts of its package.json", () => {
    const { directory, scripts } = packageOf(path);
    const named = document.code.flatMap((code) =>
      [...code.matchAll(/\bbun(?:@[\d.]+)? run ([\w./-]+)/g)].map(([, name = ""]) => name),
    );
    const unknown = named.filter(
      (name) => scripts[name] === undefined && !existsSync(join(projectDirectory, directory, name)),
    );
    expect(unknown).toEqual([]);
  });

  test("names only the version of Bun that the project is held at", () => {
    const versions = [...document.text.matchAll(/\bbun@(\d[\w.]*)|\bBun (\d[\w.]*\d)/g)].map(
      ([, at, named]) => at ?? named,
    );
    expect([...new Set(versions)]).toEqual(
      versions.length === 0 ? [] : [packageJson.devDependencies["bun-types"]],
    );
  });
});

describe("the commands that the documents name", () => {
  const helps = new Map<string, string>();
  const mentions = ["", ...documents.flatMap(commandsOf)];

  beforeAll(async () => {
    for (const command of new Set(mentions.map((mention) => mention.split(" ")[0] ?? ""))) {
      helps.set(command, await helpOf(command));
    }
  });

  test("are all there", () => {
    expect(mentions.length).toBeGreaterThan(20);
    const general = helps.get("") ?? "";
    const unknown = mentions.filter((mention) => {
      const [command = "", ...options] = mention.split(" ");
      const exists = command === "" || new RegExp(`^  ${command} `, "m").test(general);
      return !exists || options.some((option) => !(helps.get(command) ?? "").includes(option));
    });
    expect(unknown).toEqual([]);
  });

  const commands = () =>
    [...(helps.get("") ?? "").matchAll(/^ {2}([a-z]+)(?= .*\S)/gm)].map(([, name = ""]) => name);

  test("are all of them in the table of the contract", () => {
    const table = readDocument("docs/contract.md").tables.find(({ header }) => header[0] === "command");
    const listed = table?.rows.flatMap(([cell = ""]) => codeSpans(cell)) ?? [];
    expect(commands()).toContain("doctor");
    expect(commands().filter((name) => name !== "help" && !listed.includes(`latchkey ${name}`))).toEqual([]);
  });

  test("are not there where the contract says so", () => {
    const missing = requireTable(readDocument("docs/contract.md"), "not yet").rows.flatMap(([what = ""]) =>
      codeSpans(what),
    );
    expect(missing.filter((name) => commands().includes(name))).toEqual([]);
  });
});

test.each(["docs/clients.md", "docs/proxies.md", "examples/docusaurus/README.md"])(
  "every block of %s to paste has the comment that a test finds it by",
  (path) => {
    const { blocks } = readDocument(path);
    const isOwnScript = ({ code }: { code: string }) => /^bun |^LATCHKEY_URL=/.test(code);
    const loose = blocks.filter((block) => block.marker === "" && !isOwnScript(block));
    expect(blocks.length).toBeGreaterThan(2);
    expect(loose.map(({ line }) => line)).toEqual([]);
  },
);

describe("the commands to type that the documents show", () => {
  const shown = documents
    .filter(({ path }) => path === "README.md" || path.startsWith("docs/"))
    .flatMap(({ path, blocks }) =>
      blocks.filter(({ language }) => language === "sh").map((block) => ({ path, ...block })),
    );
  /** Scripts of package.json, which another test knows. */
  const isScript = (line: string) => /^(?:|(?:npx --yes bun@[\d.]+|bun) run \w+)$/.test(line);

  test("all have a comment that a test finds them by", () => {
    expect(shown.length).toBeGreaterThan(40);
    const unmarked = shown.filter(({ marker, code }) => marker === "" && !code.split("\n").every(isScript));
    expect(unmarked.map(({ path, line }) => `${path}:${line}`)).toEqual([]);
  });

  test("are each run by a test", () => {
    const tests = [...new Bun.Glob("test/**/*.test.ts").scanSync(projectDirectory)]
      .map((path) => readFileSync(inProject(path), "utf8"))
      .join("\n");
    const unused = shown.filter(({ marker }) => {
      const [, name = ""] = /^[a-z ]+: (.+)$/.exec(marker) ?? [];
      return marker !== "" && !tests.includes(`"${marker}"`) && !(name !== "" && tests.includes(`"${name}"`));
    });
    expect(unused.map(({ path, line, marker }) => `${path}:${line}: ${marker}`)).toEqual([]);
  });
});

test("examples/fastapi/README.md has the numbers of settings.py", () => {
  const settings = readFileSync(inProject("examples/fastapi/src/latchkey_fastapi/settings.py"), "utf8");
  const defaults = [...settings.matchAll(/^ {4}(\w+): \w+ = (?:Field\(default=)?([\d_.]+)/gm)];
  expect(defaults.length).toBeGreaterThan(5);
  const table = readDocument("examples/fastapi/README.md").tables.find(
    ({ header }) => header[0] === "variable",
  );
  const shown = new Map(
    table?.rows.flatMap(([names = "", values = ""]) => {
      const numbers = codeSpans(values).map((value) => Number(value));
      return codeSpans(names).map((name, at) => [name, numbers[at]] as const);
    }),
  );
  const own = defaults.map(([, name = "", value = ""]) => [
    name.toUpperCase(),
    Number(value.replace("_", "")),
  ]);
  expect(own.map(([name]) => [name, shown.get(String(name))])).toEqual(own);
});

describe("docs/architecture.md", () => {
  const { text } = readDocument("docs/architecture.md");

  test("walks through files that are there", () => {
    const walks = text.slice(text.indexOf("## Two walks"), text.indexOf("## Verify is exact"));
    const steps = [...walks.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, name = ""]) => `src/${name}.ts`);
    expect(steps.length).toBe(8 + 16);
    expect(steps.filter((path) => !existsSync(inProject(path)))).toEqual([]);
  });

  test("names files of src that are there", () => {
    const named = [...text.matchAll(/`(src\/[\w./-]+)`/g)].map(([, path = ""]) => path);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !existsSync(inProject(path)))).toEqual([]);
  });

  test("quotes tests that are there", () => {
    const quoted = [...text.matchAll(/\[[\w-]+\]\(\.\.\/(test\/[\w./-]+)\) "([^"]+)"/g)];
    expect(quoted.length).toBeGreaterThan(15);
    const gone = quoted.filter(
      ([, path = "", name = ""]) => !readFileSync(inProject(path), "utf8").includes(name),
    );
    expect(gone.map(([whole]) => whole)).toEqual([]);
  });
});

test("a number of the security checklist in a test's name is one that stands there", () => {
  const numbers = readRequirements(readDocument("docs/security-checklist.md").text).map(
    ({ number }) => number,
  );
  const cited = [...new Bun.Glob("{src,test,bench}/**/*.{ts,tsx}").scanSync(projectDirectory)].flatMap(
    (path) => [...readFileSync(inProject(path), "utf8").matchAll(/["`](?:[A-Z]\d+, )*S(\d+)(?=[,:])/g)],
  );
  expect(cited.length).toBeGreaterThan(150);
  expect(cited.filter(([, number]) => !numbers.includes(`S${number}`)).map(([whole]) => whole)).toEqual([]);
});

test("the README is short enough to be read", () => {
  expect(readDocument("README.md").text.split("\n").length).toBeLessThanOrEqual(200);
});

test("CI runs the README's test command and nothing else", () => {
  const [command = ""] = readDocument("README.md").code.filter((line) => /^npx .* test$/.test(line));
  const lines = readFileSync(inProject(".ci/run"), "utf8").trim().split("\n");
  expect(lines.at(-1)).toBe(`exec ${command}`);
  const workflow = readFileSync(inProject(".github/workflows/ci.yml"), "utf8");
  const { jobs } = Bun.YAML.parse(workflow) as { jobs: { test: { steps: { run?: string }[] } } };
  expect(jobs.test.steps.flatMap(({ run: step }) => step ?? [])).toEqual(["bash .ci/run"]);
});

test("the files for GitHub can be read", () => {
  const files = [...new Bun.Glob(".github/**/*.yml").scanSync({ cwd: projectDirectory, dot: true })];
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) expect(Bun.YAML.parse(readFileSync(inProject(file), "utf8"))).toBeObject();
});

describe("outputPattern", () => {
  test("lets … stand for anything within a line, and for nothing else", () => {
    const pattern = outputPattern('{"a":"…",…}\n');
    expect(
      ['{"a":"b","c":1}\n', '{"a":"b","c":1}', '{"a":"","c":1}x', '{"a":"b"\n,}', 'x{"a":"b",}'].map((text) =>
        pattern.test(text),
      ),
    ).toEqual([true, true, false, false, false]);
  });
});

function linkExists(document: Document, target: string): boolean {
  const [file = "", anchor] = target.split("#");
  const path =
    file === "" ? document.path : normalize(join(dirname(document.path), decodeURIComponent(file)));
  if (!existsSync(inProject(path))) return false;
  return anchor === undefined || readDocument(path).anchors.includes(anchor);
}

/** The package that a document in a folder speaks of. */
function packageOf(path: string): { directory: string; scripts: Readonly<Record<string, string>> } {
  const directory = dirname(path);
  const file = inProject(join(directory, "package.json"));
  if (/^(?:examples|site)/.test(directory) && existsSync(file)) {
    return { directory, scripts: JSON.parse(readFileSync(file, "utf8")).scripts };
  }
  return { directory: ".", scripts: packageJson.scripts };
}

/** `doctor`, `migrate --status`: what code, its comments aside, says behind `latchkey`, options included. */
function commandsOf({ code, path }: Document): string[] {
  if (path.startsWith("examples")) return [];
  return code.flatMap((line) =>
    [
      ...line
        .replace(/\s*#.*$/, "")
        .matchAll(/(?:^|[\s/(])latchkey ((?:[a-z]+(?![\w./:=-])|--[a-z]+)(?: --[a-z]+)*)/g),
    ].map(([, words = ""]) => (words.startsWith("--") ? ` ${words}` : words)),
  );
}

async function helpOf(command: string): Promise<string> {
  let printed = "";
  const argv = command === "" ? ["--help"] : [command, "--help"];
  await run(argv, {
    version: "1.2.3",
    loadConfig: () => {
      throw new Error("help needs no configuration");
    },
    loadConfigOf: () => {
      throw new Error("help needs no configuration");
    },
    environment: {},
    workerEnvironment: {},
    cwd: "/",
    stdout: (text) => (printed += `${text}\n`),
    stderr: () => {},
    prompt: () => {},
    isTerminal: false,
    drained: async () => {},
    stdin: () => process.stdin,
    isInteractive: () => false,
    now: Date.now,
  });
  return printed;
}
