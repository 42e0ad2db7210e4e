import { readFileSync } from "node:fs";
import { CommandError, reasonOf } from "../../errors.ts";
import { type Check, failed, passed } from "../check.ts";
import { addressChecks, redirectChecks } from "./address.ts";
import { createAsk, type OutsidePlace } from "./ask.ts";
import { certificateChecks } from "./certificate.ts";
import { pageChecks } from "./pages.ts";
import { cookieChecks, forwardedAddressChecks, type Visitor } from "./session.ts";
import { corsChecks, verificationChecks } from "./verification.ts";

export interface OutsideQuestions extends Omit<OutsidePlace, "ca"> {
  /** A file with the certificates of a private CA, in PEM. */
  readonly caFile?: string;
  /** Sites whose pages call latchkey. */
  readonly origins: readonly string[];
  /** Whom to sign in as; nobody is signed in without. */
  readonly visitor?: Visitor;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Asks a running installation from outside, and says what a browser, a proxy and a crawler see; changes nothing that it does not undo. */
export async function diagnoseOutside(questions: OutsideQuestions): Promise<readonly Check[]> {
  const { url, caFile, origins, visitor, now } = questions;
  const place = caFile === undefined ? questions : { ...questions, ca: readCa(caFile) };
  let trusted: boolean;
  let first: readonly Check[] = [];
  try {
    const certificate = url.protocol === "https:" ? await certificateChecks(place, caFile, now()) : undefined;
    first = certificate?.checks ?? [];
    trusted = certificate?.isTrusted ?? true;
    await createAsk(place, false, now)("/health/live");
  } catch (error) {
    return [...first, unreachable(url, error)];
  }
  const ask = createAsk(place, trusted, now);
  const examine = async (name: string, run: () => Promise<readonly Check[]>): Promise<readonly Check[]> => {
    try {
      return await run();
    } catch (error) {
      return [failed(name, `could not be asked: ${reasonOf(error)}`, "correct that, and ask again")];
    }
  };
  // One after the other: a limit on requests at the proxy is nobody's fault.
  return [
    ...first,
    ...(await examine("http", () => redirectChecks(ask, place))),
    ...(await examine("health", () => addressChecks(ask, place))),
    ...(await examine("session cookie", () => cookieChecks(ask, url))),
    ...(await examine("pages", () => pageChecks(ask))),
    ...(await examine("verify", () => verificationChecks(ask))),
    ...(await examine("CORS", () =>
      corsChecks(ask, origins, "BETTER_AUTH_TRUSTED_ORIGINS=ORIGIN, beside the others"),
    )),
    ...(await examine("forwarded address", async () => await visitorChecks())),
  ];

  async function visitorChecks(): Promise<readonly Check[]> {
    const name = "forwarded address";
    if (visitor === undefined)
      return [
        passed(name, "not asked: latchkey doctor --url … --sign-in ADDRESS looks, with an account of yours"),
      ];
    if (trusted) return await forwardedAddressChecks(ask, url, visitor);
    return [
      failed(
        name,
        "not asked: no password is sent under such a certificate",
        "correct the certificate first",
      ),
    ];
  }
}

function unreachable(url: URL, error: unknown): Check {
  const code = String((error as { readonly code?: unknown }).code ?? "");
  const why =
    code === "" || reasonOf(error).includes(code) ? reasonOf(error) : `${reasonOf(error)} (${code})`;
  const remedy = /ENOTFOUND|EAI_|DNS/.test(why)
    ? `make ${url.hostname} lead to the server, or name it: --connect HOST:PORT`
    : "see that latchkey and its proxy run, and that the firewall lets this machine in";
  return failed("reached", `${url.origin}: ${why}`, remedy);
}

/** @throws CommandError when there is no certificate in the file. */
function readCa(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new CommandError(`${path} cannot be read`, "name a file that this user can read", { cause });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new CommandError(`${path} holds no certificate`, "name the CA's certificate in PEM");
}
