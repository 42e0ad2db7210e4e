import type { Check } from "../doctor/check.ts";
import { diagnose } from "../doctor/diagnose.ts";
import { type Place, readForeignEnvironment } from "../doctor/foreign-environment.ts";
import { type Command, exitStatus, printFailure } from "./command.ts";
import { requireAddress } from "./mail-address.ts";

interface DoctorOptions extends Place {
  /** Whom a mail is sent to. */
  readonly sendTest?: string;
  /** Of the DKIM record that is looked up. */
  readonly dkimSelector?: string;
}

/** Runs every check, on this shell's environment or that of a server elsewhere, and prints what each found. Exit status 1 when one failed. */
export const doctor: Command<DoctorOptions> = async (context, { json, sendTest, dkimSelector, ...place }) => {
  const mail = {
    ...(sendTest === undefined ? {} : { sendTest: requireAddress(sendTest) }),
    ...(dkimSelector === undefined ? {} : { dkimSelector }),
  };
  const elsewhere = readForeignEnvironment(place, context.cwd);
  const checks = await diagnose(
    elsewhere === undefined
      ? { ...context, mail, from: "this shell's environment" }
      : {
          ...context,
          loadConfig: (replaced = {}) =>
            context.loadConfigOf({ ...elsewhere.environment, ...replaced }, elsewhere.cwd),
          mail,
          from: elsewhere.from,
        },
  );
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

function line({ name, status, detail, remedy }: Check): string {
  const found = `${status.padEnd(7)}  ${name}: ${detail}`;
  return remedy === undefined ? found : `${found}\n         Try: ${remedy}`;
}
