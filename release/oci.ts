import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Architecture, glibcVersion, readGlibc } from "./glibc.ts";
import { type Blob, blobOf, type Layer, type LayerEntry, layerOf, tarOf } from "./oci-layer.ts";
import { sourceDate } from "./source-date.ts";

/** The executables of an image, by the kind of machine; those for glibc. */
export type ImageExecutables = Readonly<Partial<Record<Architecture, string>>>;

interface ImageOptions {
  /** In seconds since the epoch. */
  readonly date?: number;
}

/** Whom it runs as: nobody who is anybody on the machine. */
const userId = 65_532;
const port = 3_001;
const nanoseconds = 1_000_000_000;
const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/**
 * Writes `latchkey-VERSION-oci.tar`: an OCI image layout (image-spec 1.1) with one image for each executable under one name; the
 * same bytes for the same executables and date. Of nothing but the executable and the libraries that it links to.
 * @returns its path. @throws where Debian's C library cannot be had.
 */
export async function writeOciImage(
  executables: ImageExecutables,
  folder: string,
  version: string,
  { date = sourceDate() }: ImageOptions = {},
): Promise<string> {
  const blobs: Blob[] = [];
  const add = <Kind extends Blob>(blob: Kind): Kind => {
    blobs.push(blob);
    return blob;
  };
  const licencesFile = join(folder, `latchkey-${version}-licences.txt`);
  const licences = existsSync(licencesFile) ? readFileSync(licencesFile) : undefined;
  const manifests: object[] = [];
  for (const architecture of ["amd64", "arm64"] as const) {
    const executable = executables[architecture];
    if (executable === undefined) continue;
    const layers = [
      add(await layerOf(await systemOf(architecture), date)),
      add(await layerOf(programOf(readFileSync(executable), licences), date)),
    ];
    const config = add(blobOf(configOf(architecture, version, layers, date)));
    const manifest = add(
      blobOf({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: descriptor(types.config, config),
        layers: layers.map((layer) => descriptor(types.layer, layer)),
        annotations: annotationsOf(version, date),
      }),
    );
    manifests.push({ ...descriptor(types.manifest, manifest), platform: { architecture, os: "linux" } });
  }
  const annotations = annotationsOf(version, date);
  const index = add(blobOf({ schemaVersion: 2, mediaType: types.index, manifests, annotations }));
  const named = {
    ...descriptor(types.index, index),
    annotations: { "org.opencontainers.image.ref.name": version },
  };
  const path = join(folder, `latchkey-${version}-oci.tar`);
  writeFileSync(path, await layoutOf(named, blobs, date));
  return path;
}

/** The layout's own files, then what they name. */
async function layoutOf(named: object, blobs: readonly Blob[], date: number): Promise<Uint8Array> {
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const index = { schemaVersion: 2, mediaType: types.index, manifests: [named] };
  const unique = new Map(blobs.map((blob) => [blob.digest, blob.bytes]));
  const entries: readonly LayerEntry[] = [
    { path: "oci-layout", mode: 0o644, bytes: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, bytes: json(index) },
    { path: "blobs/", mode: 0o755 },
    { path: "blobs/sha256/", mode: 0o755 },
    ...[...unique].map(([digest, bytes]) => ({
      path: `blobs/${digest.replace(":", "/")}`,
      mode: 0o644,
      bytes,
    })),
  ];
  return await tarOf(entries, date);
}

/** What the executable finds around it. Certificates of authorities are in its runtime. */
async function systemOf(architecture: Architecture): Promise<readonly LayerEntry[]> {
  const text = (path: string, content: string) => ({
    path,
    mode: 0o644,
    bytes: new TextEncoder().encode(content),
  });
  const libraries = await readGlibc(architecture);
  return [
    { path: "data/", mode: 0o700, id: userId },
    { path: "tmp/", mode: 0o1777 },
    text(
      "etc/passwd",
      `root:x:0:0:root:/root:/sbin/nologin\nlatchkey:x:${userId}:${userId}:latchkey:/data:/sbin/nologin\n`,
    ),
    text("etc/group", `root:x:0:\nlatchkey:x:${userId}:\n`),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    ...libraries.map(({ path, bytes }) => ({ path, bytes, mode: path.startsWith("lib") ? 0o755 : 0o644 })),
  ];
}

function programOf(executable: Uint8Array, licences: Uint8Array | undefined): readonly LayerEntry[] {
  return [
    { path: "usr/bin/latchkey", mode: 0o755, bytes: executable },
    ...(licences === undefined
      ? []
      : [{ path: "usr/share/doc/latchkey/latchkey-licences.txt", mode: 0o644, bytes: licences }]),
  ];
}

function configOf(
  architecture: Architecture,
  version: string,
  layers: readonly Layer[],
  date: number,
): object {
  return {
    created: timeOf(date),
    architecture,
    os: "linux",
    config: {
      User: `${userId}:${userId}`,
      ExposedPorts: { [`${port}/tcp`]: {} },
      Env: ["PATH=/usr/bin", "HOST=0.0.0.0", `PORT=${port}`, "LATCHKEY_DATA_DIR=/data"],
      Entrypoint: ["/usr/bin/latchkey"],
      Cmd: ["serve"],
      Volumes: { "/data": {} },
      WorkingDir: "/data",
      StopSignal: "SIGTERM",
      Labels: annotationsOf(version, date),
      // Docker's own, which the specification leaves to it; podman reads it too, Kubernetes has its probes.
      Healthcheck: {
        Test: ["CMD", "/usr/bin/latchkey", "healthcheck"],
        Interval: 30 * nanoseconds,
        Timeout: 5 * nanoseconds,
        StartPeriod: 60 * nanoseconds,
        Retries: 3,
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: [
      { created: timeOf(date), created_by: `libc6 ${glibcVersion} of Debian` },
      { created: timeOf(date), created_by: `latchkey ${version}` },
    ],
  };
}

function annotationsOf(version: string, date: number): Readonly<Record<string, string>> {
  return {
    "org.opencontainers.image.created": timeOf(date),
    "org.opencontainers.image.title": "latchkey",
    "org.opencontainers.image.description": "An auth server in a single file",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": "MIT",
  };
}

function descriptor(mediaType: string, { digest, bytes }: Blob): object {
  return { mediaType, digest, size: bytes.length };
}

const timeOf = (date: number) => new Date(date * 1_000).toISOString().replace(".000Z", "Z");
