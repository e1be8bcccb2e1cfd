import { describe, expect, test } from "vitest";
import type { Finding, Mechanism } from "../../model/report.ts";
import type { RankedDraft, Told } from "../findings.ts";
import { besideSpans } from "./beside-spans.ts";

const finding = (mechanism: Mechanism, service: string, resource?: string): Finding => ({
  rank: 0,
  id: `${mechanism}-${service}`,
  kind: "resource",
  severity: "critical",
  confidence: 0.8,
  title: `${mechanism} of ${service}`,
  why: "",
  subject: { service, ...(resource === undefined ? {} : { resource }) },
  mechanism,
  impact: { endpoint: { service, operation: "GET /" }, metric: "p99", now: 9, predicted: 3, low: 2, high: 4, unit: "ms", method: "" }, // prettier-ignore
  chain: [],
  evidence: [],
  counter: [],
  refutedBy: "",
  remedy: { text: "" },
});

const draft = (mechanism: Mechanism, service: string, resource?: string): RankedDraft => ({
  severity: "critical",
  score: 1,
  finding: finding(mechanism, service, resource),
});

/** Spans told that a statement of the database "stock" is slow, and that mail's pool, and orders' load, follow from it. */
const TOLD: Told = {
  loud: [finding("missing-index", "stock")],
  consequences: [
    { mechanism: "pool-exhausted", service: "mail", of: "stock" },
    { mechanism: "load-increase", service: "orders", of: "stock" },
  ],
};
const NOTHING: Told = { loud: [], consequences: [] };
const TRACED = new Set(["mail", "orders", "shop"]);

/** "as it is", "note", "consequence of …" or "left out" */
function fate(said: RankedDraft, told: Told): string {
  const after = besideSpans(said, told, TRACED);
  if (after === undefined) return "left out";
  if (after === said) return "as it is";
  expect(after).toMatchObject({ severity: "note", score: said.score, finding: { severity: "note" } });
  return after.finding.counter.at(-1) ?? "note";
}

const OF_STOCK = "a consequence, as far as it goes: see what is told of stock";

describe("what metrics find, beside what spans told", () => {
  test.each<[what: string, draft: RankedDraft, fate: string]>([
    ["of the same service", draft("cpu-saturated", "stock", "cpu"), "left out"],
    ["a leak of the same service", draft("memory-leak", "stock", "memory"), "as it is"],
    ["a pool that the spans found to follow", draft("pool-exhausted", "mail", "pool:other"), OF_STOCK],
    ["another matter of a service with a consequence", draft("disk-saturated", "mail", "disk"), "as it is"],
    ["a processor, where the load was found to follow", draft("cpu-saturated", "orders", "cpu"), OF_STOCK],
    ["a pool of the one that is told of, seen by metrics alone", draft("pool-exhausted", "shop", "pool:stock"), OF_STOCK], // prettier-ignore
    ["a pool of another one", draft("pool-exhausted", "shop", "pool:stocks"), "as it is"],
    ["the machine of a service in spans", draft("cpu-saturated", "shop", "host-cpu"), "note"],
    ["the machine of a service that is in no span", draft("cpu-saturated", "batch", "host-cpu"), "as it is"],
    ["a processor of a service in spans", draft("cpu-saturated", "shop", "cpu"), "as it is"],
    ["slow without a reason, in spans", draft("unknown", "shop"), "left out"],
    ["slow without a reason, in no span", draft("unknown", "batch"), "note"],
  ])("%s", (_, said, expected) => expect(fate(said, TOLD)).toBe(expected));
});

describe("what metrics find where spans told nothing", () => {
  test.each<[what: string, draft: RankedDraft, fate: string]>([
    ["a machine", draft("cpu-saturated", "shop", "host-cpu"), "as it is"],
    ["a pool", draft("pool-exhausted", "shop", "pool:stock"), "as it is"],
    ["slow without a reason, in spans", draft("unknown", "shop"), "note"],
    ["slow without a reason, in no span", draft("unknown", "batch"), "as it is"],
  ])("%s", (_, said, expected) => expect(fate(said, NOTHING)).toBe(expected));
});

test("a leak is told once", () => {
  const told: Told = { loud: [finding("memory-leak", "shop", "memory")], consequences: [] };
  expect(fate(draft("memory-leak", "shop", "memory"), told)).toBe("left out");
});
