import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dlopen, FFIType, ptr } from "bun:ffi";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "./executable.ts";
import { temporaryDirectory } from "./reaper.ts";

/** A disk of its own for one latchkey at a time, in a mount namespace that ends with the process. */
export interface Disk {
  /** Starts latchkey on it, on what the last one left. */
  start(): Promise<RunningLatchkey>;
  /** What it holds, seen from outside; a latchkey has to run there. */
  emails(): string[];
  /** Leaves no byte free. */
  fill(): void;
  /** Makes room again. */
  clear(): void;
  /** ext4 finds itself damaged, and lets nobody write any more. */
  breakFileSystem(): void;
  /** Every use is an input/output error from now on. */
  pullOut(): void;
}

/** Why there can be no such disks here; undefined where there can. */
export function noDisks(): string | undefined {
  if (process.platform !== "linux") return "mount namespaces are Linux's";
  const tried = Bun.spawnSync(
    ["/bin/sh", "-c", `${path} unshare --mount mount -t tmpfs none /mnt && mkfs.ext4 -V`],
    {
      stderr: "pipe",
    },
  );
  return tried.exitCode === 0 ? undefined : `no mounts: ${tried.stderr.toString().trim()}`;
}

const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin;";

export function createDisk(kind: "tmpfs" | "ext4", megabytes: number): Disk {
  const directory = temporaryDirectory("disk");
  const mount = join(directory, "mount");
  const image = join(directory, "image");
  mkdirSync(mount);
  if (kind === "ext4") {
    const made = Bun.spawnSync([
      "/bin/sh",
      "-c",
      `${path} truncate -s ${megabytes}M ${image} && mkfs.ext4 -q ${image}`,
    ]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  }
  const mounting =
    kind === "ext4"
      ? `mount -o loop,errors=remount-ro ${image} ${mount}`
      : `mount -t tmpfs -o size=${megabytes}m none ${mount}`;
  let pid = 0;
  const inside = (name: string) => join(`/proc/${pid}/root${mount}`, name);
  return {
    async start() {
      const server = await spawnLatchkey({
        executable: "/bin/sh",
        args: [
          "-c",
          `${path} exec unshare --mount /bin/sh -c '${path} ${mounting} && exec "$0"' "$0"`,
          await buildExecutable(),
        ],
        env: {
          DATABASE_URL: `file:${mount}/latchkey.db`,
          LATCHKEY_DATA_DIR: mount,
          BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh",
        },
      });
      ({ pid } = server);
      return server;
    },
    emails() {
      // Beside the server, as another process of its namespace: a copy of the files might catch a checkpoint half-way.
      const answer = Bun.spawnSync([
        "/bin/sh",
        "-c",
        `${path} exec nsenter --target ${pid} --mount "$0" -e "$1" "$2"`,
        process.execPath,
        readEmails,
        join(mount, "latchkey.db"),
      ]);
      if (!answer.success) throw new Error(answer.stderr.toString());
      return JSON.parse(answer.stdout.toString()) as string[];
    },
    fill() {
      for (let at = 0, size = 1 << 20; size >= 1; at += 1) {
        try {
          writeFileSync(inside(`filler-${at}`), Buffer.alloc(size));
        } catch {
          size >>= 1;
        }
      }
    },
    clear() {
      for (const name of new Bun.Glob("filler-*").scanSync(inside("."))) rmSync(inside(name));
    },
    breakFileSystem() {
      const device = Bun.spawnSync([
        "/bin/sh",
        "-c",
        `${path} findmnt -N ${pid} -no SOURCE ${mount}`,
      ]).stdout.toString();
      writeFileSync(`/sys/fs/ext4/${device.trim().replace("/dev/", "")}/trigger_fs_error`, "test");
    },
    pullOut() {
      const descriptor = openSync(inside("."), "r");
      const libc = dlopen("libc.so.6", {
        ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
      });
      const answer = libc.symbols.ioctl(descriptor, shutDown, ptr(new Uint32Array([withoutFlush])));
      libc.close();
      closeSync(descriptor);
      if (answer !== 0) throw new Error("EXT4_IOC_SHUTDOWN is refused");
    },
  };
}

/** Prints what is in the file that the last argument names, once it is known to be whole. */
const readEmails = `
  const database = new (require("bun:sqlite").Database)(process.argv.at(-1), { readwrite: true, create: false });
  const [{ integrity_check: found }] = database.query("PRAGMA integrity_check").all();
  if (found !== "ok") throw new Error(found);
  console.log(JSON.stringify(database.query("SELECT email FROM user").all().map(({ email }) => email)));
  database.close();
`;

/** EXT4_IOC_SHUTDOWN, `_IOR('X', 125, __u32)`. */
const shutDown = 0x8004587dn;
/** EXT4_GOING_FLAGS_NOLOGFLUSH: what was not synchronised is lost. */
const withoutFlush = 2;
