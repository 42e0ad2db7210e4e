import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeOciImage } from "../../release/oci.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const isMissing = Bun.which("dpkg-deb") === null || Bun.which("tar") === null;
const note = isMissing ? " (needs dpkg-deb and tar, and Debian's mirror)" : "";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string };
}

/** With small files in the executables' place: test/ship starts the real one. */
async function write(): Promise<string> {
  const folder = temporaryDirectory("oci");
  for (const name of ["amd64", "arm64"]) writeFileSync(join(folder, name), `for ${name}`);
  writeFileSync(join(folder, "latchkey-1.2.3-licences.txt"), "licences\n");
  const executables = { amd64: join(folder, "amd64"), arm64: join(folder, "arm64") };
  return await writeOciImage(executables, folder, "1.2.3", { date: 1_700_000_000 });
}

const must = (command: readonly string[], stdin?: Uint8Array) => {
  const { success, stdout, stderr } = Bun.spawnSync([...command], { stdin: stdin ?? "ignore" });
  if (!success) throw new Error(stderr.toString());
  return stdout;
};

test.skipIf(isMissing)(
  `an image names each of its parts by its sum, for both kinds of machine${note}`,
  async () => {
    const folder = temporaryDirectory("layout");
    must(["tar", "--extract", "--file", await write(), "--directory", folder]);
    const json = (path: string) => JSON.parse(readFileSync(join(folder, path), "utf8"));
    const read = ({ digest, size }: Descriptor) => {
      const bytes = readFileSync(join(folder, "blobs", digest.replace(":", "/")));
      expect(`sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`).toBe(digest);
      expect(bytes.length).toBe(size);
      return bytes;
    };
    expect(json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const [named] = json("index.json").manifests as readonly Descriptor[];
    if (named === undefined) throw new Error("index.json names nothing");
    const { manifests } = JSON.parse(read(named).toString()) as { readonly manifests: readonly Descriptor[] };
    expect(manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
    for (const descriptor of manifests) {
      const { config, layers } = JSON.parse(read(descriptor).toString());
      const { architecture, config: run, rootfs } = JSON.parse(read(config).toString());
      expect(architecture).toBe(descriptor.platform?.architecture ?? "");
      expect(run).toMatchObject({
        User: "65532:65532",
        ExposedPorts: { "3001/tcp": {} },
        Entrypoint: ["/usr/bin/latchkey"],
        Volumes: { "/data": {} },
        Healthcheck: { Test: ["CMD", "/usr/bin/latchkey", "healthcheck"] },
      });
      const tars = (layers as readonly Descriptor[]).map((layer) => Bun.gunzipSync(read(layer)));
      expect(rootfs.diff_ids).toEqual(
        tars.map((tar) => `sha256:${new Bun.CryptoHasher("sha256").update(tar).digest("hex")}`),
      );
      const list = tars
        .map((tar) => must(["tar", "--list", "--verbose", "--numeric-owner"], tar).toString())
        .join("");
      const loader = architecture === "amd64" ? "lib64/ld-linux-x86-64.so.2" : "lib/ld-linux-aarch64.so.1";
      const files = list.match(/^-.*/gm)?.map((line) => line.split(" ").at(-1) ?? "");
      const place = `lib/${architecture === "amd64" ? "x86_64" : "aarch64"}-linux-gnu`;
      const libraries = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"];
      expect(files?.toSorted()).toEqual(
        [
          loader,
          ...libraries.map((name) => `${place}/${name}`),
          "etc/group",
          "etc/nsswitch.conf",
          "etc/passwd",
          "usr/bin/latchkey",
          "usr/share/doc/latchkey/latchkey-licences.txt",
          "usr/share/doc/libc6/copyright",
        ].toSorted(),
      );
      expect(list).toMatch(/^drwx------ 65532\/65532 .* data\/$/m);
      expect(list).toMatch(/^drwxrwxrwt 0\/0 .* tmp\/$/m);
      // Of all but the data directory root is the owner, and nothing runs as anybody else.
      expect(list.match(/^.*/gm)?.filter((line) => line !== "" && !line.includes(" 0/0 "))).toHaveLength(1);
      expect(list).not.toMatch(/^...[sS]|^......[sS]/m);
    }
  },
);

test.skipIf(isMissing)(`two images of the same are the same bytes${note}`, async () => {
  const [one, other] = [readFileSync(await write()), readFileSync(await write())];
  expect(one.equals(other)).toBe(true);
});
