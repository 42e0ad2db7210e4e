import { resolve } from "node:path";
import type { Check } from "../doctor/check.ts";
import { diagnose } from "../doctor/diagnose.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { loadPartialConfig } from "../doctor/partial-config.ts";
import { type Command, type CommandContext, exitStatus, printFailure } from "./command.ts";
import { printable } from "./columns.ts";
import { askPassword } from "./ask.ts";
import { requireAddress } from "./mail-address.ts";
import { settingsAt } from "./place.ts";
import { CommandError } from "../errors.ts";

interface OutsideOptions {
  /** What is asked from outside; nothing else is looked at then. */
  readonly url?: URL;
  readonly origin?: readonly string[];
  readonly caFile?: string;
  readonly connect?: { readonly host: string; readonly port: number };
  readonly connectHttp?: { readonly host: string; readonly port: number };
  /** As whom. */
  readonly signIn?: string;
}

interface DoctorOptions extends Place, OutsideOptions {
  /** Whom a mail is sent to. */
  readonly sendTest?: string;
  /** Of the DKIM record that is looked up. */
  readonly dkimSelector?: string;
}

/**
 * Runs every check, on this shell's environment or that of a server elsewhere, or asks one from outside, and prints what each
 * found. Exit status 1 when one failed.
 */
export const doctor: Command<DoctorOptions> = async (context, { json, ...options }) => {
  const checks = await (options.url === undefined ? checkInside : checkOutside)(context, options);
  const count = (status: Check["status"]) => checks.filter((check) => check.status === status).length;
  const [failures, warnings] = [count("failure"), count("warning")];
  const status = failures > 0 ? "failure" : warnings > 0 ? "warning" : "ok";
  context.stdout(json ? JSON.stringify({ status, checks }) : checks.map(line).join("\n"));
  const summary = `${checks.length} checks: ${failures} failed, ${warnings} with a warning`;
  if (failures > 0) {
    const remedy = checks.find((check) => check.status === "failure")?.remedy;
    printFailure(context, summary, remedy ?? "latchkey config");
    return exitStatus.failed;
  }
  context.stderr(summary);
  return exitStatus.ok;
};

async function checkInside(
  context: CommandContext,
  {
    sendTest,
    dkimSelector,
    url: _url,
    origin,
    caFile,
    connect,
    connectHttp,
    signIn,
    ...place
  }: DoctorOptions,
): Promise<readonly Check[]> {
  if ([origin, caFile, connect, connectHttp, signIn].some((option) => option !== undefined))
    throw new CommandError(
      "--origin, --ca-file, --connect, --connect-http and --sign-in go with --url",
      "latchkey doctor --url https://auth.example.com",
    );
  const mail = {
    ...(sendTest === undefined ? {} : { sendTest: requireAddress(sendTest) }),
    ...(dkimSelector === undefined ? {} : { dkimSelector }),
  };
  const { loadConfig, from } = settingsAt(context, place);
  return await diagnose({ ...context, loadConfig, mail, from });
}

async function checkOutside(
  context: CommandContext,
  { sendTest, dkimSelector, url, origin, caFile, connect, connectHttp, signIn, ...place }: DoctorOptions,
): Promise<readonly Check[]> {
  if (url === undefined) return [];
  if (sendTest !== undefined || dkimSelector !== undefined)
    throw new CommandError(
      "--send-test and --dkim-selector look at the server's settings, --url from outside",
      "run latchkey doctor twice",
    );
  // What the server's own settings say of sites counts where they are those of this address.
  const { config } = loadPartialConfig(settingsAt(context, place).loadConfig).loaded ?? {};
  const known =
    config !== undefined && new URL(config.baseUrl).origin === url.origin ? config.trustedOrigins : [];
  const visitor =
    signIn === undefined
      ? undefined
      : { email: requireAddress(signIn), password: await askPassword(context) };
  const { diagnoseOutside } = await import("../doctor/outside/outside.ts");
  const checks = await diagnoseOutside({
    url,
    origins: [...new Set([...(origin ?? []), ...known])].filter((one) => one !== url.origin),
    now: context.now,
    ...(caFile === undefined ? {} : { caFile: resolve(context.cwd, caFile) }),
    ...(connect === undefined ? {} : { connect }),
    ...(connectHttp === undefined ? {} : { connectPlain: connectHttp }),
    ...(visitor === undefined ? {} : { visitor }),
  });
  // Whoever answers writes parts of it.
  return checks.map((check) => ({ ...check, detail: printable(check.detail) }));
}

function line({ name, status, detail, remedy }: Check): string {
  const found = `${status.padEnd(7)}  ${name}: ${detail}`;
  return remedy === undefined ? found : `${found}\n         Try: ${remedy}`;
}
