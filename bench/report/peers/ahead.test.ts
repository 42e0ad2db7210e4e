import { describe, expect, test } from "bun:test";
import { describeLead, findLeads } from "./ahead.ts";
import type { Measure, PeerMeasures } from "./measures.ts";

function peer(
  id: string,
  database: PeerMeasures["database"],
  medians: Partial<Record<Measure, number>>,
): PeerMeasures {
  const values = Object.fromEntries(
    Object.entries(medians).map(([measure, median]) => [measure, { median, low: median, high: median }]),
  );
  return { id, name: id, version: "1", database, asked: "", limits: "", values };
}

describe("findLeads", () => {
  test("finds who costs less, and who answers more, the furthest ahead first", () => {
    const leads = findLeads([
      peer("latchkey-sqlite", "sqlite", { start: 70, verifyRate: 100 }),
      peer("second", "sqlite", { start: 30, verifyRate: 101 }),
      peer("first", "sqlite", { start: 20, verifyRate: 99 }),
      peer("behind", "sqlite", { start: 71, verifyRate: 1 }),
    ]);
    expect(leads.map(({ measure, peers }) => [measure, peers.map(({ id }) => id)])).toEqual([
      ["verifyRate", ["second"]],
      ["start", ["first", "second"]],
    ]);
  });

  test("compares with latchkey on the same database alone", () => {
    const measured = [
      peer("latchkey-sqlite", "sqlite", { start: 70 }),
      peer("latchkey-postgres", "postgres", { start: 100 }),
      peer("other", "postgres", { start: 60 }),
    ];
    expect(findLeads(measured).map(({ latchkey }) => latchkey.id)).toEqual(["latchkey-postgres"]);
    expect(findLeads(measured.slice(0, 1).concat(measured.slice(2)))).toEqual([]);
  });

  test("leaves out what was not measured, and what is level", () => {
    const measured = [
      peer("latchkey-sqlite", "sqlite", { start: 70 }),
      peer("other", "sqlite", { start: 70 }),
    ];
    expect(findLeads([...measured, peer("silent", "sqlite", {})])).toEqual([]);
  });
});

test("describeLead says who, by how much, and against what", () => {
  const [lead] = findLeads([
    peer("latchkey-postgres", "postgres", { aloneDatabaseCpu: 309 }),
    peer("other", "postgres", { aloneDatabaseCpu: 157.4 }),
  ]);
  expect(lead === undefined ? "" : describeLead(lead)).toBe(
    "**PostgreSQL's CPU time of a verify at one connection**: other 157 µs; latchkey-postgres, PostgreSQL 309 µs",
  );
});
