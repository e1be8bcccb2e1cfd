import { frameText } from "../analysis/frame-text.ts";
import { compareStacks } from "../analysis/stack-difference.ts";
import {
  groupFrames,
  selfAndTotals,
  sumByStack,
  type FrameGroups,
  type SelfAndTotal,
} from "../analysis/stack-totals.ts";
import { mapToInts } from "../model/map-column.ts";
import { FLAME_SCHEMA, type FlameFile, type FlameFunction, type FlameReport } from "../model/flame-report.ts";
import { FRAME_KINDS, FrameKind, framesOfStack, sampleCountOf, type StackTable } from "../model/stack-table.ts";

/** Stacks told one by one. */
const STACKS = 100;
/** Each takes a pass over all samples. */
const PROCESSES_IN_FULL = 20;
const FUNCTIONS_OF_A_PROCESS = 5;

/** Profiles → who spends what. value: index of the value type; base: an earlier window to hold it against. */
export function flameReport(table: StackTable, value: number, base?: StackTable): FlameReport {
  const values = table.samples.values[value] ?? new Float64Array(table.samples.rowCount);
  const isIdle = idleSamples(table);
  let total = 0;
  let idle = 0;
  for (let row = 0; row < values.length; row++) {
    if (isIdle[row] === 1) idle += values[row]!;
    else total += values[row]!;
  }
  const own = sumByStack(table, values, (row) => isIdle[row] === 0);
  const stacks = heaviest(own);
  const valueTypes = table.valueTypes.filter((_, i) => i !== value);
  const byFunction = groupFrames(table, "function");
  const byFile = groupFrames(table, "file");
  const [ofFunctions, ofFiles] = selfAndTotals(table.stacks, own, [byFunction, byFile]) as [SelfAndTotal, SelfAndTotal];
  const functions = functionsOf(table, own, total, byFunction, ofFunctions);
  const countOf = sampleCountOf(table);
  return {
    schema: FLAME_SCHEMA,
    value: table.valueTypes[value] ?? { type: "samples", unit: "count" },
    otherValues: valueTypes,
    // Rows of a profile with several kinds of values have some of them.
    samples: values.reduce((count, one, row) => count + (one === 0 ? 0 : countOf(row)), 0),
    total,
    idle,
    processes: processesOf(table, values, isIdle, total, functions, byFunction),
    functions,
    files: filesOf(table, own, total, byFile, ofFiles),
    stacks: stacks.slice(0, STACKS).map((row) => ({
      frames: framesOfStack(table.stacks, row).map((frame) => frameText(table, frame)),
      value: own[row]!,
      share: own[row]! / total,
    })),
    stacksLeft: Math.max(0, stacks.length - STACKS),
    ...(base === undefined ? {} : { difference: differenceOf(base, table) }),
  };
}

/** 1 for the samples whose innermost frame is an idle one. */
function idleSamples({ samples, stacks, frames }: StackTable): Uint8Array {
  const isIdle = new Uint8Array(samples.rowCount);
  for (let row = 0; row < isIdle.length; row++) {
    const stack = samples.stack[row]!;
    if (stack >= 0 && frames.kind[stacks.frame[stack]!] === FrameKind.idle) isIdle[row] = 1;
  }
  return isIdle;
}

/** Rows of stacks with something of their own, most first. */
function heaviest(own: Float64Array): number[] {
  const rows: number[] = [];
  for (let row = 0; row < own.length; row++) if (own[row]! !== 0) rows.push(row);
  return rows.sort((a, b) => own[b]! - own[a]! || a - b);
}

function functionsOf(
  table: StackTable,
  own: Float64Array,
  all: number,
  groups: FrameGroups,
  { self, total }: SelfAndTotal,
): FlameFunction[] {
  const { frames, strings } = table;
  const shown = representatives(table, own, groups);
  return sorted(self, total).map((group) => {
    const frame = shown[group]!;
    const line = frames.line[frame]!;
    return {
      name: strings.get(frames.function[frame]!),
      file: strings.get(frames.file[frame]!),
      line: line < 1 ? null : line,
      kind: FRAME_KINDS[frames.kind[frame]!]!,
      ...shares(self[group]!, total[group]!, all),
    };
  });
}

function filesOf(
  table: StackTable,
  own: Float64Array,
  all: number,
  groups: FrameGroups,
  { self, total }: SelfAndTotal,
): FlameFile[] {
  const shown = representatives(table, own, groups);
  return sorted(self, total).map((group) => ({
    file: table.strings.get(table.frames.file[shown[group]!]!),
    ...shares(self[group]!, total[group]!, all),
  }));
}

const shares = (self: number, total: number, all: number): Omit<FlameFile, "file"> => ({
  self,
  total,
  selfShare: all === 0 ? 0 : self / all,
  totalShare: all === 0 ? 0 : total / all,
});

function sorted(self: Float64Array, total: Float64Array): number[] {
  const seen: number[] = [];
  for (let group = 0; group < total.length; group++) if (total[group]! !== 0) seen.push(group);
  return seen.sort((a, b) => self[b]! - self[a]! || total[b]! - total[a]! || a - b);
}

/** Of each group the frame with the most of its own: formats that tell lines differ in them within a function. */
function representatives(table: StackTable, own: Float64Array, { groupOf, groupCount }: FrameGroups): Int32Array {
  const self = new Float64Array(groupOf.length);
  for (let stack = 0; stack < own.length; stack++) self[table.stacks.frame[stack]!]! += own[stack]!;
  const best = new Int32Array(groupCount).fill(-1);
  for (let frame = 0; frame < groupOf.length; frame++) {
    const group = groupOf[frame]!;
    if (best[group]! < 0 || self[frame]! > self[best[group]!]!) best[group] = frame;
  }
  return best;
}

/** functions: those of all processes together, which are told apart by `groups` */
function processesOf(
  table: StackTable,
  values: Float64Array,
  isIdle: Uint8Array,
  all: number,
  functions: readonly FlameFunction[],
  groups: FrameGroups,
): FlameReport["processes"] {
  const { processes, threads, samples, strings } = table;
  const total = new Float64Array(processes.rowCount);
  const idle = new Float64Array(processes.rowCount);
  const processOf = mapToInts(samples.thread, (thread) => threads.process[thread]!);
  for (let row = 0; row < values.length; row++) (isIdle[row] === 1 ? idle : total)[processOf[row]!]! += values[row]!;
  const seen = Array.from(total.keys()).filter((process) => total[process]! + idle[process]! !== 0);
  seen.sort((a, b) => total[b]! - total[a]! || a - b);
  return seen.map((process, rank) => {
    const source = strings.get(processes.source[process]!);
    const name = strings.get(processes.name[process]!) || strings.get(processes.service[process]!);
    const isHere = (row: number): boolean => processOf[row] === process && isIdle[row] === 0;
    const ofProcess = (): readonly FlameFunction[] => {
      const own = sumByStack(table, values, isHere);
      return functionsOf(table, own, total[process]!, groups, selfAndTotals(table.stacks, own, [groups])[0]!);
    };
    const heaviest = rank >= PROCESSES_IN_FULL ? [] : processes.rowCount === 1 ? functions : ofProcess();
    return {
      name: name || source.slice(source.lastIndexOf("/") + 1),
      source,
      total: total[process]!,
      share: all === 0 ? 0 : total[process]! / all,
      idle: idle[process]!,
      functions: heaviest.slice(0, FUNCTIONS_OF_A_PROCESS),
    };
  });
}

function differenceOf(before: StackTable, after: StackTable): NonNullable<FlameReport["difference"]> {
  const { samplesBefore, samplesAfter, functions } = compareStacks(before, after);
  const share = (part: number, all: number): number => (all === 0 ? 0 : part / all);
  return {
    samplesBefore,
    samplesAfter,
    functions: functions.map((one) => ({
      name: one.name,
      file: one.file,
      selfShareBefore: share(one.selfBefore, samplesBefore),
      selfShareAfter: share(one.selfAfter, samplesAfter),
      totalShareBefore: share(one.totalBefore, samplesBefore),
      totalShareAfter: share(one.totalAfter, samplesAfter),
      qValue: one.qValue,
    })),
  };
}
