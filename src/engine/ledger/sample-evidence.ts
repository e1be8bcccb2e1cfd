import {
  NOBODY,
  NOT_NAMED,
  ownersOfSamples,
  type OwnStretches,
  type SampleOwner,
} from "../../analysis/sample-owners.ts";
import { UNEXPLAINED } from "../../analysis/time-kinds.ts";
import { workClassOf } from "../../analysis/work-class.ts";
import { mapToInts } from "../../model/map-column.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";
import { classifyWaits } from "../micro/classified-waits.ts";
import type { ProfileInput } from "../code/service-profiles.ts";
import { ownStretches, stretchesOf, type ServiceStretches } from "./own-stretches.ts";
import { namedSpan, namesSpan } from "../sample-spans.ts";
import type { Window } from "../window.ts";
import { kindOfWork, nanosecondColumn } from "./host-times.ts";
import { OWN_KINDS, type KnownKind } from "./ledger-kind.ts";
import { processesOfSpans } from "./services-of-ledgers.ts";

/** How samples were tied to a span, the strongest first. */
export type SampleLink = "span-id" | "thread-time" | "statistical";
const LINKS: readonly SampleLink[] = ["span-id", "thread-time", "statistical"];

/** Sampled time of segments of critical paths. */
export interface SegmentSamples {
  /** whether samples were taken in the segment's process at its time: then what is not among `times` was not on those threads */
  isCovered(segment: number): boolean;
  /** kind, link and nanoseconds (estimates: a sample stands for its whole interval) of a segment */
  times(segment: number): readonly { readonly kind: KnownKind; readonly link: SampleLink; readonly ns: number }[];
  /** kinds that timed samples could have shown, with the nanoseconds that one of them stands for on average */
  readonly sampleNs: ReadonlyMap<KnownKind, number>;
}

/**
 * Ties the samples of a service to the own time of its spans: by the span id that they carry; else by their time where only one
 * request was at work; else dealt out among those that were. Undefined where the samples carry neither ids nor times.
 */
export function sampleEvidence(
  window: Window,
  service: string,
  profiles: readonly ProfileInput[],
): SegmentSamples | undefined {
  const isLoop = processesOfSpans(window).some((one) => one.service === service && one.isEventLoop);
  const sums = new Map<number, Float64Array>();
  const covered: { fromNs: number; toNs: number }[] = [];
  const sampleNs = new Map<KnownKind, number>();
  const stretches = ownStretches(window).get(service);
  if (stretches === undefined) return undefined;
  const rule = columnRule(profiles, isLoop);
  const give = (segment: number, kind: KnownKind, link: SampleLink, ns: number): void => {
    let held = sums.get(segment);
    if (held === undefined) sums.set(segment, (held = new Float64Array(OWN_KINDS.length * LINKS.length)));
    held[OWN_KINDS.indexOf(kind) * LINKS.length + LINKS.indexOf(link)]! += ns;
  };
  for (const { stacks } of profiles) {
    for (const group of timedGroups(window, stacks, stretches, rule)) {
      covered.push(group.covered);
      const mean = group.ns.reduce((sum, value) => sum + value, 0) / group.ns.length;
      for (const kind of group.couldShow) sampleNs.set(kind, Math.max(mean, sampleNs.get(kind) ?? 0));
      const [timeNs, ns] = [Float64Array.from(group.timeNs), Float64Array.from(group.ns)];
      const samples = { timeNs, ns, owner: withoutStrangers(group.owner) };
      ownersOfSamples(group.stretches, samples, isLoop, (sample, row, part, how) => {
        const segment = segmentAt(window, row, timeNs[sample]!);
        if (segment < 0) return;
        const isWait = how === "waits" || how === "waits-surely";
        give(segment, isWait ? "event-loop" : group.kinds[sample]!, linkOf(how), part);
      });
    }
    for (const { row, kind, ns } of untimedNamed(window, stacks, rule)) {
      for (const [segment, share] of segmentsOfRow(window, row)) give(segment, kind, "span-id", ns * share);
    }
  }
  if (sums.size === 0) return undefined;
  if (isLoop && sampleNs.has("cpu")) sampleNs.set("event-loop", sampleNs.get("cpu")!);
  const { startNs, endNs } = window.segments;
  return {
    sampleNs,
    isCovered: (segment) => {
      if (sums.has(segment)) return true;
      const middle = (startNs[segment]! + endNs[segment]!) / 2;
      return covered.some(({ fromNs, toNs }) => middle >= fromNs && middle < toNs);
    },
    times: (segment) => {
      const held = sums.get(segment);
      if (held === undefined) return [];
      return OWN_KINDS.flatMap((kind, k) =>
        LINKS.flatMap((link, l) => {
          const ns = held[k * LINKS.length + l]!;
          return ns > 0 ? [{ kind, link, ns }] : [];
        }),
      );
    },
  };
}

/** Where most samples name a span, those that don't are of none: work of the runtime, of timers, of spans that are not at hand. */
function withoutStrangers(owner: readonly number[]): Int32Array {
  const named = owner.reduce((sum, row) => sum + (row === NOT_NAMED ? 0 : 1), 0);
  const isNaming = 2 * named >= owner.length;
  return mapToInts(owner, (row) => (row === NOT_NAMED && isNaming ? NOBODY : row));
}

/** A span of a trace that was not kept is as good as none. */
function ownerOf(window: Window, stacks: StackTable, labelSet: number): number {
  const row = namedSpan(window, stacks, labelSet);
  return row >= 0 ? row : namesSpan(stacks, labelSet) ? NOBODY : NOT_NAMED;
}

function linkOf(how: SampleOwner): SampleLink {
  switch (how) {
    case "named":
    case "waits-surely":
      return "span-id";
    case "sole":
      return "thread-time";
    case "one-of":
    case "waits":
      return "statistical";
  }
}

/** Samples with a time on the calendar of one process, or of one thread that spans name; idle ones are left out. */
interface TimedGroup {
  readonly stretches: OwnStretches;
  readonly kinds: KnownKind[];
  readonly timeNs: number[];
  readonly ns: number[];
  /** span row that the sample names, or why there is none */
  readonly owner: number[];
  readonly covered: { readonly fromNs: number; readonly toNs: number };
  readonly couldShow: readonly KnownKind[];
}

function timedGroups(window: Window, stacks: StackTable, of: ServiceStretches, rule: ColumnRule): TimedGroup[] {
  const { samples, threads, processes, strings } = stacks;
  const groups = new Map<string, TimedGroup>();
  kindColumns(stacks, rule).forEach(({ column, kindOf, couldShow }, c) => {
    for (let row = 0; row < samples.rowCount; row++) {
      const value = samples.values[column]![row]!;
      const thread = samples.thread[row]!;
      const process = threads.process[thread]!;
      const start = processes.startUnixNs[process]!;
      const kind = value > 0 && samples.timeOffsetNs[row]! >= 0 && start >= 0n ? kindOf(row) : undefined;
      if (kind === undefined) continue;
      const fromNs = Number(start - window.spans.baseUnixNs);
      const names = [strings.get(threads.name[thread]!), String(threads.tid[thread]!)];
      const held = stretchesFor(of, processes.pid[process]!, names);
      const key = `${c} ${process} ${held.key}`;
      let group = groups.get(key);
      if (group === undefined) {
        const covered = { fromNs, toNs: fromNs + Math.max(0, processes.durationNs[process]!) };
        group = { stretches: held.stretches, kinds: [], timeNs: [], ns: [], owner: [], covered, couldShow };
        groups.set(key, group);
      }
      group.kinds.push(kind);
      group.timeNs.push(fromNs + samples.timeOffsetNs[row]!);
      group.ns.push(value);
      group.owner.push(ownerOf(window, stacks, samples.labelSet[row]!));
    }
  });
  return [...groups.values()];
}

/** Of the thread where spans name it, else of the process, else of the whole service. */
function stretchesFor(
  of: ServiceStretches,
  pid: number,
  threadNames: readonly string[],
): { key: string; stretches: OwnStretches } {
  const process = of.byPid.get(pid);
  const held = process ?? of.all;
  const thread = threadNames.find((name) => name !== "" && held.byThread.has(name));
  if (thread !== undefined) return { key: `thread ${thread}`, stretches: held.byThread.get(thread)! };
  return { key: process === undefined ? "all" : "process", stretches: held.stretches };
}

/** Samples that name their span, but not their time. */
function untimedNamed(
  window: Window,
  stacks: StackTable,
  rule: ColumnRule,
): { row: number; kind: KnownKind; ns: number }[] {
  const { samples, threads, processes } = stacks;
  const found: { row: number; kind: KnownKind; ns: number }[] = [];
  for (const { column, kindOf } of kindColumns(stacks, rule)) {
    for (let sample = 0; sample < samples.rowCount; sample++) {
      const ns = samples.values[column]![sample]!;
      const isTimed =
        samples.timeOffsetNs[sample]! >= 0 && processes.startUnixNs[threads.process[samples.thread[sample]!]!]! >= 0n;
      if (!(ns > 0) || isTimed) continue;
      const row = namedSpan(window, stacks, samples.labelSet[sample]!);
      const kind = row < 0 ? undefined : kindOf(sample);
      if (kind !== undefined) found.push({ row, kind, ns });
    }
  }
  return found;
}

interface KindColumn {
  readonly column: number;
  /** undefined: the thread had nothing to do, or it is not known what */
  readonly kindOf: (sample: number) => KnownKind | undefined;
  readonly couldShow: readonly KnownKind[];
}

const WAITS: ReadonlySet<string> = new Set(["lock", "disk", "network", "sleep"]);

/** Which columns of a service's profiles are looked at, so that no moment of a thread counts twice. */
interface ColumnRule {
  /** some profiles name spans: of processor and wall time only those count */
  readonly onlyNaming: boolean;
  /** wall time of the one thread that serves requests has its waits in it */
  readonly withoutWaits: boolean;
}

function columnRule(profiles: readonly ProfileInput[], isLoop: boolean): ColumnRule {
  const columns = profiles.map(({ stacks }) => ({ stacks, on: onColumn(stacks) }));
  const naming = columns.filter(({ stacks, on }) => on >= 0 && namedShare(stacks, on) >= 0.5);
  const used = naming.length > 0 ? naming : columns;
  const isWall = used.some(({ stacks, on }) => on >= 0 && stacks.valueTypes[on]!.type === "wall");
  return { onlyNaming: naming.length > 0, withoutWaits: isLoop && isWall };
}

/** Of processor and wall time the column whose samples name spans, else the first; -1 for none. */
function onColumn(stacks: StackTable): number {
  const columns = ["cpu", "wall"].map((type) => nanosecondColumn(stacks, [type])).filter((column) => column >= 0);
  return columns.toSorted((a, b) => namedShare(stacks, b) - namedShare(stacks, a))[0] ?? -1;
}

function namedShare(stacks: StackTable, column: number): number {
  const { samples, labels } = stacks;
  const names = Array.from({ length: labels.listCount }, (_, set) => namesSpan(stacks, set));
  let [named, all] = [0, 0];
  for (let row = 0; row < samples.rowCount; row++) {
    // Idling, told as one sample of no time, is of no span.
    if (!(samples.values[column]![row]! > 0) || samples.timeOffsetNs[row]! < 0) continue;
    all++;
    if (names[samples.labelSet[row]!] === true) named++;
  }
  return all === 0 ? 0 : named / all;
}

function kindColumns(stacks: StackTable, rule: ColumnRule): KindColumn[] {
  const columns: KindColumn[] = [];
  const on = onColumn(stacks);
  if (on >= 0 && (!rule.onlyNaming || namedShare(stacks, on) >= 0.5)) {
    const isWall = stacks.valueTypes[on]!.type === "wall";
    const kinds = kindsOfStackRows(stacks, isWall);
    columns.push({
      column: on,
      kindOf: (sample) => {
        const stack = stacks.samples.stack[sample]!;
        return stack < 0 ? "cpu" : kinds[stack];
      },
      couldShow: isWall ? ["cpu", "gc", "disk"] : ["cpu", "gc"],
    });
  }
  const off = rule.withoutWaits ? -1 : nanosecondColumn(stacks, ["off-cpu"]);
  if (off >= 0) {
    const waits = classifyWaits(stacks);
    columns.push({
      column: off,
      kindOf: (sample) => {
        const { kind, isIdle } = waits[sample]!;
        return isIdle || !WAITS.has(kind) ? undefined : (kind as KnownKind);
      },
      couldShow: ["lock", "disk", "network", "sleep"],
    });
  }
  return columns;
}

/** Per stack: the kind of its innermost telling frame, as `codeProfile` classes it; undefined for idling. */
function kindsOfStackRows({ stacks, frames, strings }: StackTable, isWall: boolean): (KnownKind | undefined)[] {
  const kinds: (KnownKind | undefined)[] = [];
  for (let row = 0; row < stacks.rowCount; row++) {
    const frame = stacks.frame[row]!;
    const kind = frames.kind[frame] as FrameKind;
    if (kind === FrameKind.idle) {
      kinds.push(undefined);
      continue;
    }
    const own = workClassOf(strings.get(frames.function[frame]!), strings.get(frames.file[frame]!), kind);
    const parent = stacks.parent[row]!;
    kinds.push(own !== undefined ? kindOfWork(own, isWall) : parent < 0 ? "cpu" : (kinds[parent] ?? "cpu"));
  }
  return kinds;
}

/** The segment of the critical path that belongs to the span at that time; -1 where the path is elsewhere. */
function segmentAt({ segments, forest, kinds }: Window, row: number, atNs: number): number {
  if (kinds[row] !== UNEXPLAINED) return -1;
  const trace = forest.trace[row]!;
  let [low, high] = [segments.traceStart[trace]!, segments.traceStart[trace + 1]! - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (segments.endNs[middle]! <= atNs) low = middle + 1;
    else if (segments.startNs[middle]! > atNs) high = middle - 1;
    else return segments.row[middle] === row ? middle : -1;
  }
  return -1;
}

/** Segments of a span on its critical path, with the share of its own time that each is. */
function* segmentsOfRow(window: Window, row: number): Generator<[segment: number, share: number]> {
  const { segments, forest, kinds } = window;
  if (kinds[row] !== UNEXPLAINED) return;
  const trace = forest.trace[row]!;
  let own = 0;
  for (const [from, to] of stretchesOf(window, row)) own += to - from;
  if (!(own > 0)) return;
  for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
    if (segments.row[i] === row) yield [i, (segments.endNs[i]! - segments.startNs[i]!) / own];
  }
}
