import type { Fault } from "../faults/fault.ts";
import type { Latency, LoadResult } from "../load/load-plan.ts";
import type { TelemetryWindow } from "../../load/telemetry-sink.ts";

export const LAB_TRUTH_SCHEMA = "longpole.lab-truth/1";

/** A healthy or usual time, the same with the fault, with the first of several fixes and so on, with all of them. */
export type PhaseName = "before" | "fault" | `fixed-${number}` | "fixed";

export const isPhase = (name: string): name is PhaseName => /^(?:before|fault|fixed(?:-[1-9]\d?)?)$/.test(name);

/** `truth.json` of a recording: what was wrong and what was measured. Fields may be added within a version. */
export interface LabTruth {
  readonly schema: typeof LAB_TRUTH_SCHEMA;
  readonly fault: string;
  readonly kind: Fault["kind"];
  readonly summary: string;
  readonly truths: Fault["truths"];
  readonly seenFrom: Fault["seenFrom"];
  readonly needsBaseline: boolean;
  /** the fix in the change grammar of `what-if` */
  readonly whatIf: readonly string[];
  readonly phases: Readonly<Partial<Record<PhaseName, MeasuredPhase>>>;
  readonly machine: { readonly node: string; readonly cores: number };
  readonly seed: number;
  /** ISO 8601 */
  readonly recordedAt: string;
}

export interface MeasuredPhase {
  readonly telemetry: { readonly exportRequests: number; readonly refused: number };
  readonly endpoints: readonly MeasuredEndpoint[];
}

/** An endpoint by its operation, "METHOD route", as the load generator saw it and as its root spans say. */
export interface MeasuredEndpoint {
  readonly operation: string;
  readonly byLoad?: Percentiles;
  readonly byRootSpans?: Percentiles;
}

export interface Percentiles {
  readonly completed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** What one phase leaves behind. */
export interface PhaseRecording {
  readonly telemetry: TelemetryWindow;
  readonly load: LoadResult;
  /** percentiles of the root spans' durations by operation, "METHOD route" */
  readonly rootSpans?: Readonly<Record<string, Percentiles>>;
  /** rows of pg_stat_statements */
  readonly statements: readonly Readonly<Record<string, unknown>>[];
  /** V8 CPU profiles, JSON */
  readonly profiles: readonly { readonly service: string; readonly content: string | Uint8Array }[];
  /** what the host saw of each process */
  readonly hosts?: readonly HostRecording[];
}

/** What `longpole record` saw of one process. */
export interface HostRecording {
  readonly service: string;
  /** JSON, as `longpole record --json` prints it */
  readonly report: string;
  /** where it waited, pprof */
  readonly offCpu: Uint8Array;
}

export function measuredPhase({ telemetry, load, rootSpans = {} }: PhaseRecording): MeasuredPhase {
  const byLoad = new Map(Object.values(load.endpoints).map((latency) => [latency.operation, percentilesOf(latency)]));
  const operations = [...new Set([...byLoad.keys(), ...Object.keys(rootSpans)])].toSorted();
  return {
    telemetry: { exportRequests: telemetry.exportRequests, refused: telemetry.refused },
    endpoints: operations.map((operation) => {
      const [seen, said] = [byLoad.get(operation), rootSpans[operation]];
      return { operation, ...(seen && { byLoad: seen }), ...(said && { byRootSpans: percentilesOf(said) }) };
    }),
  };
}

function percentilesOf({ completed, p50Ms, p95Ms, p99Ms }: Latency | Percentiles): Percentiles {
  return { completed, p50Ms, p95Ms, p99Ms };
}
