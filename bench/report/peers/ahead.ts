import { formatValue } from "../format.ts";
import {
  counterpart,
  isLatchkey,
  isMore,
  type Measure,
  measureKinds,
  type PeerMeasures,
  titleOf,
} from "./measures.ts";

/** One measure in which products are ahead of latchkey on their database. */
interface Lead {
  readonly measure: Measure;
  readonly latchkey: PeerMeasures;
  /** The one furthest ahead first. */
  readonly peers: readonly PeerMeasures[];
}

/** @returns every measure and database in which a product's median is better than latchkey's. */
export function findLeads(measured: readonly PeerMeasures[]): Lead[] {
  const rivals = measured.filter((peer) => !isLatchkey(peer));
  return (Object.keys(measureKinds) as Measure[]).flatMap((measure) =>
    measured.filter(isLatchkey).flatMap((latchkey) => {
      const peers = rivals
        .filter((peer) => counterpart(measured, peer) === latchkey && isAhead(measure, peer, latchkey))
        .toSorted((left, right) => (isAhead(measure, left, right) ? -1 : 1));
      return peers.length === 0 ? [] : [{ measure, latchkey, peers }];
    }),
  );
}

function isAhead(measure: Measure, one: PeerMeasures, other: PeerMeasures): boolean {
  const [left, right] = [one.values[measure]?.median, other.values[measure]?.median];
  if (left === undefined || right === undefined) return false;
  return isMore(measure) ? left > right : left < right;
}

/** A sentence a lead, for people. */
export function describeLead({ measure, latchkey, peers }: Lead): string {
  const { title, unit } = measureKinds[measure];
  const value = (peer: PeerMeasures) => formatValue(peer.values[measure]?.median ?? Number.NaN, unit);
  const ahead = peers.map((peer) => `${peer.name} ${value(peer)}`).join(", ");
  return `**${title}**: ${ahead}; ${titleOf(latchkey)} ${value(latchkey)}`;
}
