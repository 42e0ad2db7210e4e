import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../errors.ts";
import {
  installedUnit,
  isUnchangedUnit,
  packagedPaths,
  servicePaths,
  serviceUser,
  settingsText,
  sysusersText,
} from "./service-files.ts";
import { linesSince, type SetSetting, withSettings } from "./settings-file.ts";
import { findId, findProgram, type Step } from "./steps.ts";

export interface Installing {
  /** The system that is installed into: `/`, or the folder of an image, of which nothing is started. */
  readonly root: string;
  /** The executable that is copied. */
  readonly executable: string;
  readonly settings: readonly SetSetting[];
  /** Whether it is started, now and at every boot; without it only at every boot. */
  readonly starts: boolean;
}

/** What an installation would do, in its order. @throws CommandError where something of another's is in its way. */
export function stepsOfInstallation({ root, executable, settings, starts }: Installing): readonly Step[] {
  requireNoPackage(
    root,
    "latchkey is installed by Debian's package here",
    "apt-get install ./latchkey_….deb",
  );
  requireOwnUnit(root);
  const isLive = root === "/";
  const path = join(root, servicePaths.settings);
  const present = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const text = withSettings(present ?? settingsText, settings);
  return [
    { action: "copy", path: servicePaths.executable, mode: 0o755, from: executable },
    { action: "write", path: servicePaths.sysusers, mode: 0o644, owner: "root:root", text: sysusersText },
    ...(findId(root, "passwd", serviceUser) === undefined ? [makeUser(root)] : []),
    { action: "directory", path: servicePaths.configuration, mode: 0o750, owner: "root:latchkey" },
    ...(text === present
      ? []
      : [
          {
            action: "write",
            path: servicePaths.settings,
            mode: 0o640,
            owner: "root:latchkey",
            text,
            ...(present === undefined ? {} : { shown: linesSince(text, present) }),
          } as const,
        ]),
    { action: "directory", path: servicePaths.data, mode: 0o700, owner: "latchkey:latchkey" },
    { action: "write", path: servicePaths.unit, mode: 0o644, owner: "root:root", text: installedUnit() },
    ...(isLive
      ? live(starts)
      : [{ action: "link", path: servicePaths.wanted, to: servicePaths.unit } as const]),
  ];
}

function live(starts: boolean): readonly Step[] {
  const systemctl = (...args: readonly string[]): Step => ({
    action: "run",
    command: ["systemctl", ...args],
  });
  return [
    systemctl("daemon-reload"),
    systemctl("enable", "latchkey.service"),
    // Of one that runs, a new executable or a new setting counts from its next start on.
    ...(starts
      ? [{ action: "run", command: ["systemctl", "restart", "latchkey.service"], onlyIf: "changed" } as const]
      : []),
    ...(starts ? [systemctl("start", "latchkey.service")] : []),
  ];
}

/**
 * What removes an installation.
 * @param purges removes configuration, data and user, too. @param isActive whether the service runs.
 * @throws CommandError where `latchkey install` made none: what has these names is somebody else's.
 */
export function stepsOfRemoval(root: string, purges: boolean, isActive: boolean): readonly Step[] {
  requireNoPackage(
    root,
    "this latchkey is of Debian's package",
    "apt-get remove latchkey, or apt-get purge latchkey",
  );
  requireOwnUnit(root);
  const remove = (path: string): Step => ({ action: "remove", path });
  const isLive = root === "/";
  const hasUnit = existsSync(join(root, servicePaths.unit));
  const sysusers = join(root, servicePaths.sysusers);
  const hasSysusers = existsSync(sysusers) && readFileSync(sysusers, "utf8") === sysusersText;
  if (isActive && !hasUnit)
    throw new CommandError(
      `latchkey.service runs, and ${servicePaths.unit} is not there, by which latchkey install starts it`,
      "systemctl status latchkey says whose it is; systemctl stop latchkey ends it",
    );
  if (!hasUnit && !hasSysusers)
    throw new CommandError(
      `latchkey install made nothing here: there is neither its ${join(root, servicePaths.unit)} nor its ${sysusers}`,
      "remove by hand what somebody has put there by hand",
    );
  const hasUser = hasSysusers && findId(root, "passwd", serviceUser) !== undefined;
  const prefix = isLive ? [] : ["--prefix", root];
  const disable: Step = { action: "run", command: ["systemctl", "disable", "--now", "latchkey.service"] };
  const kept = [servicePaths.dropIns, servicePaths.configuration, servicePaths.data];
  return [
    ...(isLive && hasUnit ? [disable] : []),
    remove(servicePaths.wanted),
    remove(servicePaths.unit),
    remove(servicePaths.executable),
    // Of an upgrade.
    remove(`${servicePaths.executable}.previous`),
    ...(purges ? [...kept, ...(hasSysusers ? [servicePaths.sysusers] : [])].map(remove) : []),
    ...(isLive ? [{ action: "run", command: ["systemctl", "daemon-reload"] } as const] : []),
    ...(purges && hasUser ? [{ action: "run", command: ["userdel", ...prefix, serviceUser] } as const] : []),
  ];
}

/** By the file just written, where systemd's own program is there; the numbers are the system's choice. */
function makeUser(root: string): Step {
  const [sysusers, useradd] = ["systemd-sysusers", "useradd"].map(findProgram);
  const isLive = root === "/";
  if (sysusers)
    return {
      action: "run",
      command: ["systemd-sysusers", ...(isLive ? [] : [`--root=${root}`]), servicePaths.sysusers],
    };
  if (!useradd)
    throw new CommandError(
      "there is neither systemd-sysusers nor useradd, which make the user",
      `make a user and a group ${serviceUser} by what this system has, and run it again`,
    );
  const prefix = isLive ? [] : ["--prefix", root];
  const how = `--system --user-group --no-create-home --home-dir ${servicePaths.data} --shell /usr/sbin/nologin`;
  return { action: "run", command: ["useradd", ...prefix, ...how.split(" "), serviceUser] };
}

function requireNoPackage(root: string, message: string, remedy: string): void {
  if (existsSync(join(root, packagedPaths.unit))) throw new CommandError(message, remedy);
}

/** Somebody's settings may be in it. */
function requireOwnUnit(root: string): void {
  const path = join(root, servicePaths.unit);
  if (!existsSync(path) || isUnchangedUnit(readFileSync(path, "utf8"))) return;
  throw new CommandError(
    `${path} is not as latchkey install wrote it, and may hold settings`,
    `bring what it sets into ${servicePaths.settings} or a drop-in (systemctl edit latchkey), move it away, and run it again`,
  );
}
