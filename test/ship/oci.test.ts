import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildCommand } from "../../release/build-command.ts";
import { writeOciImage } from "../../release/oci.ts";
import { buildExecutable } from "../support/executable.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { readDocument } from "../support/readme.ts";

setDefaultTimeout(600_000);

const needed = ["skopeo", "umoci", "runc", "nsenter", "readelf"];
const missing = needed.filter((program) => Bun.which(program) === null);
const reason =
  process.platform !== "linux" || process.getuid?.() !== 0
    ? "a container is started by root on Linux alone"
    : missing.length > 0
      ? `${missing.join(", ")} missing: apt-get install ${missing.join(" ")}`
      : null;
const project = join(import.meta.dir, "../..");

interface RuntimeConfig {
  readonly process: { terminal: boolean; env: string[]; capabilities: Record<string, string[]> };
  readonly root: { readonly: boolean };
  mounts: { destination: string; type: string; source: string; options: string[] }[];
}

describe.skipIf(reason !== null)(`the image${reason === null ? "" : `: ${reason}`}`, () => {
  const folder = temporaryDirectory("image");
  const name = `latchkey-ship-${process.pid}`;
  let archive = "";
  let container: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;
  const must = (command: readonly string[]) => {
    const { success, stdout, stderr } = Bun.spawnSync([...command], { cwd: folder, env: process.env });
    if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
    return stdout.toString();
  };
  beforeAll(async () => {
    const arm64 = join(folder, "arm64", "latchkey");
    mkdirSync(join(folder, "arm64"));
    const build = [process.execPath, ...buildCommand(project, arm64), "--target=bun-linux-arm64"];
    const { success, stderr } = Bun.spawnSync(build, { cwd: project });
    if (!success) throw new Error(stderr.toString());
    archive = await writeOciImage({ amd64: await buildExecutable(), arm64 }, folder, "0.1.0");
  });
  afterAll(() => {
    if (container !== undefined && container.exitCode === null) container.kill("SIGKILL");
  });

  test.each([
    ["amd64", /X86-64/],
    ["arm64", /AArch64/],
  ] as const)(
    "is one that skopeo reads and umoci unpacks, for %s, and no bigger than 125 MB",
    (architecture, kind) => {
      const from = ["--override-os=linux", `--override-arch=${architecture}`];
      const inspected = JSON.parse(must(["skopeo", ...from, "inspect", `oci-archive:${archive}`]));
      expect(inspected).toMatchObject({ Architecture: architecture, Os: "linux" });
      const single = join(folder, `single-${architecture}`);
      must(["skopeo", ...from, "copy", "--quiet", `oci-archive:${archive}`, `oci:${single}:0.1.0`]);
      must(["umoci", "unpack", "--image", `${single}:0.1.0`, join(folder, `bundle-${architecture}`)]);
      const program = join(folder, `bundle-${architecture}`, "rootfs/usr/bin/latchkey");
      expect(must(["readelf", "--file-header", program])).toMatch(kind);
      // It links to what is in the image, and to nothing else.
      const linked = [...must(["readelf", "--dynamic", program]).matchAll(/NEEDED.*\[(.+)\]/g)].map(
        (match) => match[1] ?? "",
      );
      expect(linked.length).toBeGreaterThan(3);
      const inside = must([
        "find",
        join(folder, `bundle-${architecture}`, "rootfs"),
        "-name",
        "*.so.*",
        "-printf",
        "%f\n",
      ]);
      expect(linked.filter((library) => !inside.split("\n").includes(library))).toEqual([]);
      const bytes = Number(
        must(["du", "--summarize", "--bytes", join(folder, `bundle-${architecture}`, "rootfs")]).split(
          "\t",
        )[0],
      );
      expect(bytes).toBeLessThan(125_000_000);
    },
  );

  test("goes to a registry by the command of docs/install.md, with both", () => {
    const code =
      readDocument("docs/install.md").blocks.find(({ marker }) => marker === "run: image")?.code ?? "";
    const copied = join(folder, "registry");
    // There is no registry here: a folder takes its place.
    must(["sh", "-eu", "-c", code.replace(/docker:\/\/\S+/, `dir:${copied}`)]);
    const { manifests } = JSON.parse(readFileSync(join(copied, "manifest.json"), "utf8"));
    expect(manifests).toHaveLength(2);
  });

  let origin = "";
  test("runs by runc: as nobody, without capabilities, on a root that is read-only, and is healthy", async () => {
    const bundle = join(folder, "bundle-amd64");
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    chownSync(data, 65_532, 65_532);
    const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as RuntimeConfig;
    config.process.terminal = false;
    config.process.env.push("LATCHKEY_WORKERS=2", "LATCHKEY_LIMITS=off");
    for (const set of Object.keys(config.process.capabilities)) config.process.capabilities[set] = [];
    config.root.readonly = true;
    config.mounts = [
      ...config.mounts.filter(({ destination }) => !["/data", "/sys/fs/cgroup"].includes(destination)),
      { destination: "/data", type: "bind", source: data, options: ["bind", "rw"] },
    ];
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    container = Bun.spawn(["runc", "run", "--bundle", bundle, name], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    watchProcess(container.pid, "TERM");
    let log = "";
    const started = Promise.withResolvers<void>();
    void (async () => {
      for await (const chunk of container.stderr) {
        log += new TextDecoder().decode(chunk);
        if (log.includes('"event":"listening"')) started.resolve();
      }
      started.reject(new Error(log));
    })();
    await started.promise;
    expect(must(["runc", "exec", name, "/usr/bin/latchkey", "healthcheck"])).toContain("is ready");
    const { pid } = JSON.parse(must(["runc", "state", name])) as { readonly pid: number };
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:(\t65532){4}$/m);
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toMatch(/ \/ ro,/);
    origin = String(pid);
  });

  test("signs somebody up, and knows them", async () => {
    const script = `
      const headers = { "content-type": "application/json", origin: "http://localhost:3001" };
      const body = JSON.stringify({ email: "ann@example.com", password: "correct horse battery", name: "Ann" });
      const url = "http://127.0.0.1:3001/api/auth";
      const signedUp = await fetch(url + "/sign-up/email", { method: "POST", headers, body });
      const cookie = signedUp.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
      const known = await fetch(url + "/verify", { headers: { cookie } });
      console.log(signedUp.status, known.status, (await fetch(url + "/verify")).status);`;
    expect(must(["nsenter", `--target=${origin}`, "--net", "--", process.execPath, "-e", script])).toBe(
      "200 200 401\n",
    );
  });

  test("ends by the signal that a container is ended by", async () => {
    must(["runc", "kill", name, "TERM"]);
    expect(await container?.exited).toBe(0);
    if (container !== undefined) forgetProcess(container.pid);
  });
});
