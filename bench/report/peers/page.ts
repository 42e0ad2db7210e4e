import type { MachineFacts } from "../../machine/facts.ts";
import { formatValue } from "../format.ts";
import { describeLead, findLeads } from "./ahead.ts";
import {
  counterpart,
  type Measure,
  measureKinds,
  type PeerMeasures,
  type PeersReport,
  titleOf,
} from "./measures.ts";

/** A column: a measure's median, or what a function makes of a product. */
type Column = readonly [title: string, cell: Measure | ((peer: PeerMeasures) => string)];

/** Writes what was found of latchkey and its peers as a page in Markdown: first where a peer is ahead. */
export function renderPeersPage(
  { measured, missing }: PeersReport,
  machine: MachineFacts,
  name: string,
): string {
  const leads = findLeads(measured).map((lead) => `* ${describeLead(lead)}.`);
  const ratio: Column = ["× latchkey's CPU", (peer) => timesLatchkey(measured, peer)];
  const sections = [
    `# latchkey beside other products

\`bun run bench --only peers\` wrote this: Bun ${machine.bun}, ${machine.cores} cores (${machine.cpu}); ${machine.pinning}. Medians of rounds in
which all take turns, on one core each; [${name}.json](${name}.json) has every round, and [the bench](../README.md) says how.`,
    `## Where another is ahead of latchkey on the same database\n\n${leads.join("\n") || "In none of these figures."}`,
    ...(missing.length === 0 ? [] : [`## Not measured\n\n${missing.map(absence).join("\n")}`]),
    `## Verify

Who is asking: the CPU time that one request costs, and how many a second one core answers at 64 connections, and at one.\n
${table(measured, [
  ["CPU", "verifyCpu"],
  ["PostgreSQL's", "verifyDatabaseCpu"],
  ratio,
  ["requests", "verifyRate"],
  ["one connection: CPU", "aloneCpu"],
  ["PostgreSQL's", "aloneDatabaseCpu"],
  ["median time", "aloneP50"],
])}\n
_× latchkey's CPU_: server and PostgreSQL together, against latchkey on the same database.`,
    `## Sign-in

By password, 8 at once on one core, each product with the hash that it has by default.\n
${table(measured, [
  ["CPU", "signInCpu"],
  ["PostgreSQL's", "signInDatabaseCpu"],
  ["sign-ins", "signInRate"],
])}`,
    `## Start and memory

From spawning to the first healthy answer on an existing database; resident memory three seconds later, after the verifies, and
after the sign-ins.\n
${table(measured, [
  ["start", "start"],
  ["before traffic", "memoryBefore"],
  ["after verifies", "memoryVerified"],
  ["after sign-ins", "memorySignedIn"],
])}`,
    `## What was asked, and how limits were switched off\n
${table(measured, [
  ["version", ({ version }) => version],
  ["verify", ({ asked }) => `\`${asked}\``],
  ["limits", ({ limits }) => limits],
])}`,
  ];
  return `${sections.join("\n\n")}\n`;
}

function absence({ name, reason }: PeersReport["missing"][number]): string {
  return `* ${name}: ${reason.replaceAll(/\s+/g, " ")}`;
}

function table(measured: readonly PeerMeasures[], columns: readonly Column[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["", ...columns.map(([title]) => title)]),
    row(["---", ...columns.map(() => "---")]),
    ...measured.map((peer) => row([titleOf(peer), ...columns.map(([, cell]) => cellOf(peer, cell))])),
  ].join("\n");
}

function cellOf(peer: PeerMeasures, cell: Column[1]): string {
  if (typeof cell === "function") return cell(peer);
  const median = peer.values[cell]?.median;
  return median === undefined ? "–" : formatValue(median, measureKinds[cell].unit);
}

function timesLatchkey(measured: readonly PeerMeasures[], peer: PeerMeasures): string {
  const [own, latchkey] = [wholeCpu(peer), wholeCpu(counterpart(measured, peer))];
  return own === undefined || latchkey === undefined ? "–" : formatValue(own / latchkey, "×");
}

function wholeCpu(peer: PeerMeasures | undefined): number | undefined {
  const cpu = peer?.values.verifyCpu?.median;
  return cpu === undefined ? undefined : cpu + (peer?.values.verifyDatabaseCpu?.median ?? 0);
}
