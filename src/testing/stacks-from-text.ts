import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FRAME_KINDS, FrameKind, framesOfStack, type StackTable } from "../model/stack-table.ts";

export interface StacksFromTextOptions {
  readonly type?: string;
  readonly unit?: string;
  readonly service?: string;
  readonly source?: string;
  readonly durationNs?: number;
  readonly startUnixNs?: bigint;
  /** the lines follow each other in time, each for as long as its value says */
  readonly isTimed?: boolean;
  /** a frame's kind by its name and file; user where it says nothing */
  readonly kinds?: Readonly<Record<string, keyof typeof FrameKind>>;
}

/**
 * A profile drawn as folded stacks, one sample per line: frames from the outermost in,
 * each a name or `name@file:line`, and the value.
 *
 *     main;parse@ingest.ts:42 30
 *     main;writeSync@node:fs:1 12
 */
export function stacksFromText(picture: string, options: StacksFromTextOptions = {}): StackTable {
  const into = new StackTableBuilder();
  const type = into.valueType(options.type ?? "cpu", options.unit ?? "nanoseconds");
  const process = into.process({
    service: into.strings.intern(options.service ?? ""),
    source: into.strings.intern(options.source ?? ""),
    ...(options.durationNs === undefined ? {} : { durationNs: options.durationNs }),
    ...(options.startUnixNs === undefined ? {} : { startUnixNs: options.startUnixNs }),
  });
  const thread = into.thread(process);
  let nowNs = 0;
  for (const line of picture.split("\n").map((text) => text.trim())) {
    if (line === "") continue;
    const gap = line.lastIndexOf(" ");
    let stack = -1;
    for (const frame of line.slice(0, gap).split(";")) {
      const [name, place = ""] = frame.split("@") as [string, string?];
      const colon = place.lastIndexOf(":");
      const [file, lineNumber] = colon < 0 ? [place, -1] : [place.slice(0, colon), Number(place.slice(colon + 1))];
      const kind = FrameKind[options.kinds?.[name] ?? options.kinds?.[file] ?? "user"];
      stack = into.stack(stack, into.frame(into.strings.intern(name), into.strings.intern(file), lineNumber, kind));
    }
    const value = Number(line.slice(gap + 1));
    const row = options.isTimed === true ? into.sample(stack, thread, nowNs) : into.sample(stack, thread);
    into.setValue(row, type, value);
    nowNs += value;
  }
  return into.finish();
}

/** A table's content without row numbers and string ids: what two equal profiles have in common. */
export function plainStacks(table: StackTable): unknown {
  const { samples, threads, processes, strings, frames, labels } = table;
  return {
    types: table.valueTypes,
    default: table.valueTypes[table.defaultValue],
    samples: Array.from(samples.stack, (stack, row) => {
      const thread = samples.thread[row]!;
      const process = threads.process[thread]!;
      const set = samples.labelSet[row]!;
      return {
        stack: framesOfStack(table.stacks, stack).map((frame) => {
          const place = `${strings.get(frames.file[frame]!)}:${frames.line[frame]!}`;
          return `${strings.get(frames.function[frame]!)}@${place} ${FRAME_KINDS[frames.kind[frame]!]}`;
        }),
        values: samples.values.map((column) => column[row]),
        time: samples.timeOffsetNs[row],
        thread: [thread, threads.tid[thread], strings.get(threads.name[thread]!)],
        process: [
          process,
          strings.get(processes.name[process]!),
          strings.get(processes.service[process]!),
          processes.pid[process],
          strings.get(processes.source[process]!),
          processes.startUnixNs[process],
          processes.durationNs[process],
        ],
        labels: Array.from({ length: labels.listStart[set + 1]! - labels.listStart[set]! }, (_, i) => {
          const at = labels.listStart[set]! + i;
          const value = labels.value[at]!;
          return [strings.get(labels.key[at]!), labels.type[at] === 0 ? strings.get(value) : value];
        }),
      };
    }),
  };
}
