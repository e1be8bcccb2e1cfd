import { describe, expect, it } from "vitest";
import { attributeText } from "../../model/attribute-table.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { Draws } from "./random.ts";
import { simulate } from "./simulate.ts";
import type { SystemSpec } from "./system.ts";
import { worker } from "./systems/worker.ts";

/** Attributes of the first span that passes, as text; `name` and `kind` besides. */
function firstSpan(table: SpanTable, kind: number, attribute: string): Record<string, string> {
  for (let row = 0; row < table.rowCount; row++) {
    const { attributes, strings } = table;
    const out: Record<string, string> = { name: strings.get(table.name[row]!) };
    for (let i = attributes.listStart[row]!; i < attributes.listStart[row + 1]!; i++)
      out[strings.get(attributes.key[i]!)] = attributeText(attributes, strings, i);
    if (table.kind[row] === kind && attribute in out) return out;
  }
  throw new Error(`no span of kind ${kind} has ${attribute}`);
}

const tableOf = (change: Partial<SystemSpec["telemetry"]>): SpanTable => {
  const system = worker.build(new Draws(8));
  Object.assign(
    system.telemetry,
    { literals: false, clockSkewMs: 0, clientNames: "method", conventions: "new" },
    change,
  );
  return simulate(system, { seed: 1, requests: 60 }).table;
};

describe("spans as stock instrumentations write them", () => {
  it("under the stable conventions", () => {
    const table = tableOf({});
    const server = firstSpan(table, SpanKind.server, "http.route");
    expect(server["name"]).toBe(`${server["http.request.method"]} ${server["http.route"]}`);
    expect(server["http.response.status_code"]).toBe("200");
    const client = firstSpan(table, SpanKind.client, "http.request.method");
    expect(["GET", "POST"]).toContain(client["name"]);
    const statement = firstSpan(table, SpanKind.client, "db.query.text");
    expect(Object.keys(statement)).toEqual(
      expect.arrayContaining([
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "db.collection.name",
        "server.address",
        "server.port",
      ]),
    );
    expect(statement["name"]).toBe(`${statement["db.operation.name"]} ${statement["db.collection.name"]}`);
    const consumer = firstSpan(table, SpanKind.consumer, "messaging.destination.name");
    expect(consumer["name"]).toBe(`process ${consumer["messaging.destination.name"]}`);
  });

  it("under the old ones", () => {
    const table = tableOf({ conventions: "old" });
    expect(firstSpan(table, SpanKind.server, "http.method")["http.status_code"]).toBe("200");
    expect(firstSpan(table, SpanKind.client, "http.method")["name"]).toMatch(/^HTTP (GET|POST)$/);
    expect(Object.keys(firstSpan(table, SpanKind.client, "db.statement"))).toEqual(
      expect.arrayContaining(["db.system", "db.name", "net.peer.name"]),
    );
    expect(firstSpan(table, SpanKind.consumer, "messaging.destination")["name"]).toMatch(/ process$/);
  });

  it("with literals instead of parameters", () => {
    const texts = new Set<string>();
    const table = tableOf({ literals: true });
    for (let i = 0; i < table.strings.size; i++)
      if (/^SELECT .* WHERE .* = \d+$/.test(table.strings.get(i))) texts.add(table.strings.get(i));
    expect(texts.size).toBeGreaterThan(20);
    expect([...texts].some((text) => text.includes("$"))).toBe(false);
  });

  it("by clocks that are off, host by host, without touching durations", () => {
    const [straight, skewed] = [tableOf({}), tableOf({ clockSkewMs: 5 })];
    const shifts = new Map<number, number>();
    const base = Number(skewed.baseUnixNs - straight.baseUnixNs);
    for (let row = 0; row < straight.rowCount; row++) {
      const shift = base + skewed.startOffsetNs[row]! - straight.startOffsetNs[row]!;
      const known = shifts.get(straight.resource[row]!) ?? shift;
      shifts.set(straight.resource[row]!, known);
      expect(Math.abs(shift - known)).toBeLessThan(3);
      expect(
        Math.abs(
          skewed.endOffsetNs[row]! -
            skewed.startOffsetNs[row]! -
            (straight.endOffsetNs[row]! - straight.startOffsetNs[row]!),
        ),
      ).toBeLessThan(3);
    }
    expect(new Set([...shifts.values()].map(Math.round)).size).toBeGreaterThan(3);
  });
});
