import { pack as createPack } from "tar-stream";

/** A file or a folder of a layer. */
export interface LayerEntry {
  /** Without the first slash; of a folder, with one at its end. */
  readonly path: string;
  readonly mode: number;
  /** Of user and group; default: root's. */
  readonly id?: number;
  readonly bytes?: Uint8Array;
}

/** Something in an image, by the sum of its bytes. */
export interface Blob {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** A layer, and the sum of its bytes before they were packed. */
export interface Layer extends Blob {
  readonly diffId: string;
}

/** @returns a tar of the entries in their order, of one time. @param date in seconds since the epoch. */
export async function tarOf(entries: readonly LayerEntry[], date: number): Promise<Uint8Array> {
  const pack = createPack();
  for (const { path, mode, id = 0, bytes } of entries) {
    const header = { name: path, mode, uid: id, gid: id, mtime: new Date(date * 1_000) };
    if (path.endsWith("/")) pack.entry({ ...header, type: "directory" });
    else pack.entry(header, Buffer.from(bytes ?? new Uint8Array()));
  }
  pack.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of pack) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** Packs entries as a layer of an image, after the folders that they are in. */
export async function layerOf(entries: readonly LayerEntry[], date: number): Promise<Layer> {
  const named = new Set(entries.map(({ path }) => path));
  const folders = new Set(entries.flatMap(({ path }) => parentsOf(path)).filter((path) => !named.has(path)));
  const all = [...[...folders].map((path) => ({ path, mode: 0o755 })), ...entries];
  const tar = await tarOf(
    all.toSorted((one, other) => (one.path < other.path ? -1 : 1)),
    date,
  );
  const bytes = Bun.gzipSync(new Uint8Array(tar), { level: 6 });
  return { ...blobOf(bytes), diffId: digestOf(tar) };
}

export function blobOf(content: Uint8Array | object): Blob {
  const bytes = content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content));
  return { digest: digestOf(bytes), bytes };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

/** `a/b/c` → `a/`, `a/b/`. */
function parentsOf(path: string): readonly string[] {
  const parts = path.replace(/\/$/, "").split("/").slice(0, -1);
  return parts.map((_part, at) => `${parts.slice(0, at + 1).join("/")}/`);
}
