import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { JsonKeys } from "./json-keys.ts";
import { END_OF_OBJECT, JsonKind, JsonReader } from "./json-reader.ts";
import { readCallFrame, ROOT } from "./v8-call-frame.ts";

const Key = { nodes: 0, startTime: 1, endTime: 2, samples: 3, timeDeltas: 4 } as const;
const KEYS = new JsonKeys(Object.entries(Key));
const NodeKey = { id: 0, callFrame: 1, hitCount: 2, children: 3, parent: 4 } as const;
const NODE_KEYS = new JsonKeys(Object.entries(NodeKey));

const NS_PER_US = 1000;

/**
 * V8's CPU profile, as `node --cpu-prof` and the DevTools write it:
 *
 *     { nodes: [{ id, callFrame, hitCount, children: [id] }], startTime, endTime,   // microseconds
 *       samples: [id], timeDeltas: [microseconds since the sample before] }
 *
 * Two values per sample: `samples` (count) and `wall` (nanoseconds). A sample stands for the time up to the next one,
 * the last for the time up to `endTime`; "(idle)" is among them, so that all add up to what was looked at.
 * Without samples the time is dealt out by `hitCount`. Times are offsets from the start, whose clock is no calendar's.
 *
 * What was read before an error is kept and the error told in `intake.errors`.
 */
export function decodeCpuProfile(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  const profile: Profile = { nodes: [], startUs: NaN, endUs: NaN, samples: [], deltasUs: [] };
  try {
    readProfile(new JsonReader(bytes, intake, file, 0), into, profile);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  fill(into, profile, file);
  return into.finish();
}

interface Node {
  readonly id: number;
  /** row of `frames`, or ROOT */
  readonly frame: number;
  readonly hits: number;
  readonly children: readonly number[];
  /** id, -1 where it is told by the parent's children */
  readonly parent: number;
}

interface Profile {
  readonly nodes: Node[];
  startUs: number;
  endUs: number;
  readonly samples: number[];
  readonly deltasUs: number[];
}

function readProfile(reader: JsonReader, into: StackTableBuilder, profile: Profile): void {
  reader.enterObject();
  for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
    if (key === Key.nodes && reader.kind() === JsonKind.array) {
      reader.enterArray();
      while (reader.nextElement()) profile.nodes.push(readNode(reader, into));
    } else if (key === Key.startTime && reader.kind() === JsonKind.number) profile.startUs = reader.readNumber();
    else if (key === Key.endTime && reader.kind() === JsonKind.number) profile.endUs = reader.readNumber();
    else if (key === Key.samples) readNumbers(reader, profile.samples);
    else if (key === Key.timeDeltas) readNumbers(reader, profile.deltasUs);
    else reader.skipValue();
  }
  reader.expectEnd();
}

function readNode(reader: JsonReader, into: StackTableBuilder): Node {
  let id = -1;
  let frame = ROOT;
  let hits = 0;
  let parent = -1;
  const children: number[] = [];
  reader.enterObject();
  for (let key = reader.nextKey(NODE_KEYS); key !== END_OF_OBJECT; key = reader.nextKey(NODE_KEYS)) {
    if (key === NodeKey.id) id = reader.readNumber();
    else if (key === NodeKey.callFrame) frame = readCallFrame(reader, into);
    else if (key === NodeKey.hitCount) hits = reader.readNumber();
    else if (key === NodeKey.parent) parent = reader.readNumber();
    else if (key === NodeKey.children) readNumbers(reader, children);
    else reader.skipValue();
  }
  return { id, frame, hits, children, parent };
}

function readNumbers(reader: JsonReader, into: number[]): void {
  if (reader.kind() === JsonKind.null) {
    reader.skipValue();
    return;
  }
  reader.enterArray();
  while (reader.nextElement()) into.push(reader.readNumber());
}

function fill(into: StackTableBuilder, profile: Profile, file: string): void {
  const { nodes, startUs, endUs } = profile;
  const count = into.valueType("samples", "count");
  const wall = into.valueType("wall", "nanoseconds");
  into.defaultValue = wall;
  const totalNs = Math.max(0, (endUs - startUs) * NS_PER_US || 0);
  const thread = into.thread(
    into.process({ source: into.strings.intern(file), durationNs: totalNs > 0 ? totalNs : -1 }),
  );
  const stackOf = stacksById(into, nodes);
  const add = (id: number, samples: number, ns: number, timeNs: number): void => {
    const row = into.sample(stackOf.get(id) ?? -1, thread, timeNs);
    into.setValue(row, count, samples);
    into.setValue(row, wall, ns);
  };
  if (profile.samples.length === 0 || profile.deltasUs.length === 0) {
    const hits = nodes.reduce((sum, node) => sum + node.hits, 0);
    for (const node of nodes) if (node.hits > 0) add(node.id, node.hits, (totalNs * node.hits) / hits, -1);
    return;
  }
  const { order, timeUs } = inTime(profile);
  for (const [i, sample] of order.entries()) {
    const next = i + 1 < order.length ? timeUs[order[i + 1]!]! : Math.max(timeUs[sample]!, endUs || 0);
    add(
      profile.samples[sample]!,
      1,
      (next - timeUs[sample]!) * NS_PER_US,
      Math.max(0, (timeUs[sample]! - (startUs || 0)) * NS_PER_US),
    );
  }
}

/** Times of the samples, and their order by time: V8 hands some out late, with negative differences. */
function inTime({ samples, deltasUs, startUs }: Profile): { order: Uint32Array; timeUs: Float64Array } {
  const size = Math.min(samples.length, deltasUs.length);
  const timeUs = new Float64Array(size);
  let now = startUs || 0;
  let ascending = true;
  for (let i = 0; i < size; i++) {
    now += deltasUs[i]!;
    timeUs[i] = now;
    ascending &&= deltasUs[i]! >= 0;
  }
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  if (!ascending) order.sort((a, b) => timeUs[a]! - timeUs[b]! || a - b);
  return { order, timeUs };
}

/** Stack of each node by its id. Parents come first by a walk from the roots; what none reaches (a cycle) has no stack. */
function stacksById(into: StackTableBuilder, nodes: readonly Node[]): Map<number, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const childrenOf = new Map<number, number[]>();
  const isChild = new Set<number>();
  const link = (parent: number, child: number): void => {
    const held = childrenOf.get(parent);
    if (held === undefined) childrenOf.set(parent, [child]);
    else held.push(child);
    isChild.add(child);
  };
  for (const { id, children, parent } of nodes) {
    for (const child of children) link(id, child);
    if (parent >= 0) link(parent, id);
  }
  const stackOf = new Map<number, number>();
  const open = nodes.filter(({ id }) => !isChild.has(id)).map(({ id }) => ({ id, parent: -1 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const node = byId.get(next.id);
    if (node === undefined || stackOf.has(next.id)) continue;
    const stack = node.frame === ROOT ? next.parent : into.stack(next.parent, node.frame);
    stackOf.set(next.id, stack);
    for (const child of childrenOf.get(next.id) ?? []) open.push({ id: child, parent: stack });
  }
  return stackOf;
}
