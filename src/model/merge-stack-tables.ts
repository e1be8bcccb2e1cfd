import { AttributeType } from "./attribute-table.ts";
import { mapToInts } from "./map-column.ts";
import { StackTableBuilder, type Label } from "./stack-table-builder.ts";
import type { FrameKind, StackTable } from "./stack-table.ts";

/**
 * All samples of the tables in one, in their order; equal frames and stacks become one,
 * processes and threads stay apart. A value type that a table does not have is zero in
 * its samples; the first table with samples says which is looked at by default.
 * Associative: merging merges gives the same table.
 */
export function mergeStackTables(tables: readonly StackTable[]): StackTable {
  const into = new StackTableBuilder();
  let hasDefault = false;
  for (const table of tables) {
    const types = table.valueTypes.map(({ type, unit }) => into.valueType(type, unit));
    if (!hasDefault && table.samples.rowCount > 0 && types.length > 0) {
      into.defaultValue = types[table.defaultValue]!;
      hasDefault = true;
    }
    append(table, types, into);
  }
  return into.finish();
}

function append(table: StackTable, types: readonly number[], into: StackTableBuilder): void {
  const { frames, stacks, samples, threads, processes } = table;
  const text = textsOf(table, into);
  const frameOf = mapToInts(frames.function, (name, row) =>
    into.frame(text(name), text(frames.file[row]!), frames.line[row]!, frames.kind[row] as FrameKind),
  );
  const stackOf = new Int32Array(stacks.rowCount);
  for (let row = 0; row < stacks.rowCount; row++) {
    const parent = stacks.parent[row]!;
    stackOf[row] = into.stack(parent < 0 ? -1 : stackOf[parent]!, frameOf[stacks.frame[row]!]!);
  }
  const processOf = Array.from(processes.name, (name, row) =>
    into.process({
      name: text(name),
      service: text(processes.service[row]!),
      pid: processes.pid[row]!,
      source: text(processes.source[row]!),
      startUnixNs: processes.startUnixNs[row]!,
      durationNs: processes.durationNs[row]!,
    }),
  );
  const threadOf = Array.from(threads.process, (process, row) =>
    into.thread(processOf[process]!, threads.tid[row]!, text(threads.name[row]!)),
  );
  const labelSetOf = Array.from({ length: table.labels.listCount }, (_, set) =>
    into.labelSet(labelsOf(table, set, text)),
  );
  for (let row = 0; row < samples.rowCount; row++) {
    const stack = samples.stack[row]!;
    const to = into.sample(
      stack < 0 ? -1 : stackOf[stack]!,
      threadOf[samples.thread[row]!]!,
      samples.timeOffsetNs[row]!,
      labelSetOf[samples.labelSet[row]!]!,
    );
    for (let i = 0; i < types.length; i++) into.setValue(to, types[i]!, samples.values[i]![row]!);
  }
}

/** String id of the one table → string id of the other, each looked up once. */
function textsOf({ strings }: StackTable, into: StackTableBuilder): (id: number) => number {
  const known = new Int32Array(strings.size).fill(-1);
  return (id) => {
    if (known[id] === -1) known[id] = into.strings.intern(strings.get(id));
    return known[id]!;
  };
}

function labelsOf({ labels }: StackTable, set: number, text: (id: number) => number): Label[] {
  const found: Label[] = [];
  for (let row = labels.listStart[set]!; row < labels.listStart[set + 1]!; row++) {
    const isText = labels.type[row] === AttributeType.string;
    found.push({ key: text(labels.key[row]!), value: isText ? text(labels.value[row]!) : labels.value[row]!, isText });
  }
  return found;
}

/** `table` with the samples of `base` taken off: as negative ones, which sum up with the others. */
export function minus(table: StackTable, base: StackTable): StackTable {
  const values = base.samples.values.map((column) => column.map((value) => -value));
  return mergeStackTables([table, { ...base, samples: { ...base.samples, values } }]);
}
