import settings from "../../deploy/systemd/latchkey.env" with { type: "text" };
import unit from "../../deploy/systemd/latchkey.service" with { type: "text" };
import sysusers from "../../deploy/systemd/latchkey.sysusers" with { type: "text" };

/** Where the parts of a service are, below the root of a system. */
export const servicePaths = {
  executable: "/usr/local/bin/latchkey",
  unit: "/etc/systemd/system/latchkey.service",
  dropIns: "/etc/systemd/system/latchkey.service.d",
  wanted: "/etc/systemd/system/multi-user.target.wants/latchkey.service",
  sysusers: "/etc/sysusers.d/latchkey.conf",
  settings: "/etc/latchkey/latchkey.env",
  configuration: "/etc/latchkey",
  data: "/var/lib/latchkey",
} as const;

/** Where Debian's package puts its unit and its executable. */
export const packagedPaths = {
  unit: "/usr/lib/systemd/system/latchkey.service",
  executable: "/usr/bin/latchkey",
} as const;

/** The user and the group that it runs as. */
export const serviceUser = "latchkey";

/** The user, as systemd-sysusers(8) makes it. */
export const sysusersText = sysusers;

/** The settings that a first installation writes: each is a comment. */
export const settingsText = settings;

/** The unit that a package has, for `/usr/bin/latchkey`. */
export const packagedUnit = unit;

const mark = "# latchkey install wrote this, sha256 ";

/** The unit that `latchkey install` writes; its first line tells whether somebody has changed it since. */
export function installedUnit(): string {
  const text = `# Changes belong into a drop-in: systemctl edit latchkey\n${unit.replace(packagedPaths.executable, servicePaths.executable)}`;
  return `${mark}${hashOf(text)}\n${text}`;
}

/** Whether a unit is one that some version of `latchkey install` wrote, and nobody has changed. */
export function isUnchangedUnit(text: string): boolean {
  const end = text.indexOf("\n");
  return text.startsWith(mark) && text.slice(mark.length, end) === hashOf(text.slice(end + 1));
}

function hashOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
