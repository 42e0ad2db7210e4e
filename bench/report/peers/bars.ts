import type { MachineFacts } from "../../machine/facts.ts";
import { openSvg, round, text } from "../svg.ts";
import { isLatchkey, type PeerMeasures, titleOf } from "./measures.ts";

const width = 760;
const left = 290;
const right = 110;
const top = 54;
const rowHeight = 28;
const barHeight = 16;
const title = "CPU time of one verify, latchkey and others";

/** Draws what a verify costs each product, its database's part in a lighter colour; undefined where nobody was measured. */
export function renderPeersChart(
  measured: readonly PeerMeasures[],
  machine: MachineFacts,
): string | undefined {
  const rows = measured.flatMap((peer) => {
    const server = peer.values.verifyCpu?.median;
    return server === undefined
      ? []
      : [{ peer, server, database: peer.values.verifyDatabaseCpu?.median ?? 0 }];
  });
  if (rows.length === 0) return undefined;
  const most = Math.max(...rows.map(({ server, database }) => server + database));
  const perMicro = (width - left - right) / most;
  const height = top + rows.length * rowHeight + 32;
  return [
    ...openSvg({ width, height }, title),
    text(
      0,
      38,
      "muted",
      "µs a request at 64 connections, less is better; the lighter part is PostgreSQL's. Medians of one run.",
    ),
    ...rows.map((row, index) => renderRow(row, perMicro, top + index * rowHeight)),
    text(0, height - 6, "muted", `${machine.cores} cores (${machine.cpu}); ${machine.pinning}`),
    "</svg>",
    "",
  ].join("\n");
}

interface Row {
  readonly peer: PeerMeasures;
  /** µs a request, as the database's part. */
  readonly server: number;
  readonly database: number;
}

function renderRow({ peer, server, database }: Row, perMicro: number, y: number): string {
  const kind = isLatchkey(peer) ? "latchkey" : "stock";
  const middle = y + rowHeight / 2;
  const bar = (from: number, value: number, classes: string) =>
    `<rect class="${classes}" x="${round(left + from * perMicro)}" y="${middle - barHeight / 2}" width="${round(Math.max(1, value * perMicro))}" height="${barHeight}"/>`;
  const end = left + Math.max(1, (server + database) * perMicro);
  const value = database === 0 ? micros(server) : `${micros(server)} + ${micros(database)}`;
  return [
    text(0, middle + 4, "", titleOf(peer)),
    bar(0, server, kind),
    ...(database === 0 ? [] : [bar(server, database, `${kind} database`)]),
    text(round(end + 8), middle + 4, "value", value),
  ].join("\n");
}

function micros(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}
