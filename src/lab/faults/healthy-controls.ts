import type { LoadPlan } from "../load/load-plan.ts";
import type { SettingsPatch } from "../settings.ts";
import type { Fault } from "./fault.ts";

/** Nothing is wrong: whatever is found above a note is a false alarm. At several loads, mixes and sizes. */
export const HEALTHY_CONTROLS: readonly Fault[] = [
  healthy("healthy", "nothing is wrong, at the usual load", {}),
  healthy("healthy-calm", "nothing is wrong, at night", { perSecond: 15 }),
  healthy("healthy-busy", "nothing is wrong, at the busiest hour", { perSecond: 70 }),
  healthy("healthy-reads", "nothing is wrong, nearly all requests read", {
    mix: { lookup: 0.75, list: 0.15, overview: 0.1 },
  }),
  healthy("healthy-writes", "nothing is wrong, every third request writes", {
    mix: { lookup: 0.4, list: 0.1, create: 0.35, overview: 0.1, points: 0.05 },
  }),
  healthy("healthy-metrics", "nothing is wrong, mostly metrics come in", {
    mix: { points: 0.6, lookup: 0.3, list: 0.1 },
    pointsPerBatch: 200,
  }),
  healthy("healthy-day", "nothing is wrong, the load comes and goes", {
    schedule: { kind: "diurnal", periods: 2, depth: 0.6 },
  }),
  healthy("healthy-growth", "nothing is wrong, the load doubles slowly", {
    schedule: { kind: "ramp", from: 0.67, to: 1.33 },
  }),
  healthy(
    "healthy-large-table",
    "nothing is wrong, the table is three times as large",
    {},
    { postgres: { records: 300_000 } },
  ),
  healthy("healthy-replicas", "nothing is wrong, zones runs twice", {}, { zones: { replicas: 2 } }),
];

function healthy(name: string, summary: string, load: Partial<LoadPlan>, settings: SettingsPatch = {}): Fault {
  return {
    name,
    kind: "healthy",
    summary,
    truths: [],
    seenFrom: "traces",
    needs: [],
    broken: settings,
    load,
    whatIf: [],
    needsBaseline: false,
  };
}
