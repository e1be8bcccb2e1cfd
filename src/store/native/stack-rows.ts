import { AttributeType } from "../../model/attribute-table.ts";
import type { StackTableBuilder, Label } from "../../model/stack-table-builder.ts";
import type { FrameKind } from "../../model/stack-table.ts";
import { numberOf } from "./attribute-text.ts";
import type { NativeBlock } from "./native-reader.ts";
import { type FrameText, type ProcessText, type ThreadText, TYPE_UNIT } from "./stack-blocks.ts";

/** Reads blocks of `stacks`, then of `profile_samples`, into a builder. */
export class StackRows {
  private readonly into: StackTableBuilder;
  /** number of the stack in the builder */
  private readonly stacks = new Map<bigint, number>();
  private readonly processes = new Map<string, number>();
  private readonly threads = new Map<string, number>();
  private readonly labels = new Map<string, number>();
  private hasDefault = false;
  private readonly utf8 = new TextDecoder();

  constructor(into: StackTableBuilder) {
    this.into = into;
  }

  addStacks(block: NativeBlock): void {
    const { into } = this;
    const { starts, ends } = block.strings("frames");
    const id = block.fixed("stack").start;
    for (let row = 0; row < block.rows; row++) {
      const frames = JSON.parse(this.utf8.decode(block.bytes.subarray(starts[row], ends[row]))) as FrameText[];
      let stack = -1;
      for (const [name, file, line, kind] of frames) {
        const frame = into.frame(into.strings.intern(name), into.strings.intern(file), line, kind as FrameKind);
        stack = into.stack(stack, frame);
      }
      this.stacks.set(block.view.getBigUint64(id + 8 * row, true), stack);
    }
  }

  addSamples(block: NativeBlock): void {
    const { into } = this;
    const { view } = block;
    const text = (column: string): ((row: number) => string) => this.texts(block, column);
    const [service, profile, process, thread, labels] = [
      text("service"),
      text("profile"),
      text("process"),
      text("thread"),
      text("labels"),
    ];
    const [stack, hasStack] = [block.fixed("stack").start, block.fixed("has_stack").start];
    const [offset, defaultValue] = [block.fixed("offset").start, block.fixed("default_value").start];
    const values = block.array("values");
    if (values.items.kind !== "fixed") throw new Error("values that are no numbers");
    const types = this.typesOf(block);
    for (let row = 0; row < block.rows; row++) {
      const number = this.thread(profile(row), service(row), process(row), thread(row));
      const id = block.bytes[hasStack + row] === 0 ? -1 : this.stacks.get(view.getBigUint64(stack + 8 * row, true));
      // Stacks are kept longer than samples; one that is gone is none.
      const sample = into.sample(id ?? -1, number, view.getFloat64(offset + 8 * row, true), this.labelSet(labels(row)));
      const first = row === 0 ? 0 : values.ends[row - 1]!;
      for (const [i, type] of types(row).entries()) {
        into.setValue(sample, type, view.getFloat64(values.items.start + 8 * (first + i), true));
      }
      if (this.hasDefault) continue;
      this.hasDefault = true;
      into.defaultValue = types(row)[block.bytes[defaultValue + row]!] ?? 0;
    }
  }

  /** Row → value types of the builder. */
  private typesOf(block: NativeBlock): (row: number) => readonly number[] {
    const { ends, items } = block.array("types");
    if (items.kind !== "dictionary") throw new Error("types that are no dictionary");
    const { keys, index } = items;
    const known: (number | undefined)[] = [];
    const typeOf = (key: number): number => {
      const [type = "", unit = ""] = this.utf8
        .decode(block.bytes.subarray(keys.starts[key], keys.ends[key]))
        .split(TYPE_UNIT);
      return (known[key] ??= this.into.valueType(type, unit));
    };
    return (row) => Array.from(index.subarray(row === 0 ? 0 : ends[row - 1]!, ends[row]!), typeOf);
  }

  private thread(profile: string, service: string, process: string, thread: string): number {
    const { into } = this;
    const key = `${profile}\n${process}\n${thread}`;
    const known = this.threads.get(key);
    if (known !== undefined) return known;
    const [, tid, name] = JSON.parse(thread) as ThreadText;
    const number = into.thread(this.process(profile, service, process), tid, into.strings.intern(name));
    this.threads.set(key, number);
    return number;
  }

  private process(profile: string, service: string, process: string): number {
    const { into } = this;
    const key = `${profile}\n${process}`;
    const known = this.processes.get(key);
    if (known !== undefined) return known;
    const [, name, pid, source, start, durationNs] = JSON.parse(process) as ProcessText;
    const number = into.process({
      name: into.strings.intern(name),
      service: service === "unknown_service" ? 0 : into.strings.intern(service),
      pid,
      source: into.strings.intern(source),
      startUnixNs: BigInt(start),
      durationNs,
    });
    this.processes.set(key, number);
    return number;
  }

  private labelSet(text: string): number {
    const known = this.labels.get(text);
    if (known !== undefined) return known;
    const { strings } = this.into;
    const items = JSON.parse(text) as (string | number)[];
    const labels: Label[] = [];
    for (let i = 0; i < items.length; i += 3) {
      const isText = items[i + 1] === AttributeType.string;
      const value = items[i + 2]!;
      labels.push({
        key: strings.intern(String(items[i])),
        value: isText ? strings.intern(String(value)) : numberOf(value),
        isText,
      });
    }
    const set = this.into.labelSet(labels);
    this.labels.set(text, set);
    return set;
  }

  private texts(block: NativeBlock, column: string): (row: number) => string {
    const { keys, index } = block.dictionary(column);
    const known = Array.from(keys.starts, (from, key) => this.utf8.decode(block.bytes.subarray(from, keys.ends[key])));
    return (row) => known[index[row]!]!;
  }
}
