import type { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { addAttributeItems, numberOf } from "./attribute-text.ts";
import type { ArrayColumn, NativeBlock, StringColumn } from "./native-reader.ts";
import { addShaped, type ParsedShape, parseShape, type ValueSource } from "./span-attributes.ts";

/** Reads blocks of the table `spans` into a builder; what is the same in all blocks is looked up once. */
export class SpanRows {
  private readonly into: SpanTableBuilder;
  private readonly resources = new Map<number, number>();
  private readonly shapes = new Map<number, ParsedShape>();
  private readonly utf8 = new TextDecoder();

  constructor(into: SpanTableBuilder) {
    this.into = into;
  }

  /** Adds all rows of a block that has the columns of SPAN_COLUMNS. */
  add(block: NativeBlock): void {
    const { into } = this;
    const { view, rows } = block;
    const name = this.dictionary(block, "name");
    const scope = this.dictionary(block, "scope");
    const resource = this.resourcesOf(block);
    const traceState = this.texts(block, block.strings("trace_state"));
    const { shapes, values } = this.attributesOf(block);
    const events = block.strings("events");
    const links = block.strings("links");
    const at = (column: string): number => block.fixed(column).start;
    const [traceId, spanId, parentId] = [at("trace_id"), at("span_id"), at("parent_id")];
    const [start, duration, kind, status] = [at("start"), at("duration"), at("kind"), at("status")];
    for (let row = 0; row < rows; row++) {
      into.begin(resource(row), scope(row));
      const to = into.open;
      for (let i = 0; i < 4; i++) into.traceId[4 * to + i] = view.getUint32(traceId + 16 * row + 4 * i);
      for (let i = 0; i < 2; i++) {
        into.spanId[2 * to + i] = view.getUint32(spanId + 8 * row + 4 * i);
        into.parentSpanId[2 * to + i] = view.getUint32(parentId + 8 * row + 4 * i);
      }
      const low = view.getUint32(start + 8 * row, true);
      const high = view.getUint32(start + 8 * row + 4, true);
      into.startWords[2 * to] = high;
      into.startWords[2 * to + 1] = low;
      const endLow = low + view.getUint32(duration + 8 * row, true);
      into.endWords[2 * to] = high + view.getUint32(duration + 8 * row + 4, true) + (endLow >= 2 ** 32 ? 1 : 0);
      into.endWords[2 * to + 1] = endLow;
      into.kind[to] = block.bytes[kind + row]!;
      into.status[to] = block.bytes[status + row]!;
      into.name[to] = name(row);
      into.traceState[to] = traceState(row);
      values.row(row);
      addShaped(shapes(row), values, into.attributes);
      if (events.ends[row]! > events.starts[row]!) this.events(this.text(block, events, row), high, low);
      if (links.ends[row]! > links.starts[row]!) this.links(block, links, row);
      into.commit();
    }
  }

  /** Row → string id. */
  private dictionary(block: NativeBlock, column: string): (row: number) => number {
    const { keys, index } = block.dictionary(column);
    const ids = Int32Array.from(keys.starts, (from, key) =>
      this.into.strings.internBytes(block.bytes, from, keys.ends[key]!),
    );
    return (row) => ids[index[row]!]!;
  }

  private texts(block: NativeBlock, { starts, ends }: StringColumn): (row: number) => number {
    return (row) => this.into.strings.internBytes(block.bytes, starts[row]!, ends[row]!);
  }

  /** Row → row of `resources`. */
  private resourcesOf(block: NativeBlock): (row: number) => number {
    const text = this.dictionary(block, "resource");
    return (row) => {
      const id = text(row);
      let resource = this.resources.get(id);
      if (resource === undefined) {
        const { resources, strings } = this.into;
        addAttributeItems(JSON.parse(strings.get(id)) as (string | number)[], resources, strings);
        this.resources.set(id, (resource = resources.closeList()));
      }
      return resource;
    };
  }

  private attributesOf(block: NativeBlock): { shapes: (row: number) => ParsedShape; values: RowValues } {
    const shape = this.dictionary(block, "shape");
    const shapes = (row: number): ParsedShape => {
      const id = shape(row);
      let parsed = this.shapes.get(id);
      if (parsed === undefined) {
        const { strings } = this.into;
        this.shapes.set(id, (parsed = parseShape(strings.get(id), strings)));
      }
      return parsed;
    };
    return { shapes, values: new RowValues(block, this.into.strings) };
  }

  private events(text: string, startHigh: number, startLow: number): void {
    const { into } = this;
    const events = JSON.parse(text) as [number | string, string, (string | number)[]][];
    const start = (BigInt(startHigh) << 32n) | BigInt(startLow);
    for (const [after, name, items] of events) {
      addAttributeItems(items, into.eventAttributes, into.strings);
      const time = BigInt.asUintN(64, start + BigInt(numberOf(after)));
      into.addEvent(Number(time >> 32n), Number(time & 0xffff_ffffn), into.strings.intern(name));
    }
  }

  private links({ view }: NativeBlock, { starts, ends }: StringColumn, row: number): void {
    const words = new Uint32Array(6);
    for (let at = starts[row]!; at + 24 <= ends[row]!; at += 24) {
      for (let i = 0; i < 6; i++) words[i] = view.getUint32(at + 4 * i);
      this.into.addLink(words);
    }
  }

  private text({ bytes }: NativeBlock, { starts, ends }: StringColumn, row: number): string {
    return this.utf8.decode(bytes.subarray(starts[row], ends[row]));
  }
}

/** The values of one row after the other. */
class RowValues implements ValueSource {
  private readonly block: NativeBlock;
  private readonly strings: SpanTableBuilder["strings"];
  private readonly labels: ArrayColumn;
  private readonly labelIds: Int32Array;
  private readonly labelIndex: Uint8Array | Uint16Array | Uint32Array;
  private readonly texts: ArrayColumn;
  private readonly textItems: StringColumn;
  private readonly numbers: ArrayColumn;
  private readonly numbersStart: number;
  private label = 0;
  private text = 0;
  private number = 0;

  constructor(block: NativeBlock, strings: SpanTableBuilder["strings"]) {
    this.block = block;
    this.strings = strings;
    this.labels = block.array("labels");
    this.texts = block.array("texts");
    this.numbers = block.array("numbers");
    const { items: labels } = this.labels;
    const { items: texts } = this.texts;
    const { items: numbers } = this.numbers;
    if (labels.kind !== "dictionary" || texts.kind !== "strings" || numbers.kind !== "fixed") {
      throw new Error("arrays of other types than those of the schema");
    }
    this.labelIds = Int32Array.from(labels.keys.starts, (from, key) =>
      strings.internBytes(block.bytes, from, labels.keys.ends[key]!),
    );
    this.labelIndex = labels.index;
    this.textItems = texts;
    this.numbersStart = numbers.start;
  }

  row(row: number): void {
    const first = ({ ends }: ArrayColumn): number => (row === 0 ? 0 : ends[row - 1]!);
    this.label = first(this.labels);
    this.text = first(this.texts);
    this.number = first(this.numbers);
  }

  nextLabel(): number {
    return this.labelIds[this.labelIndex[this.label++]!]!;
  }

  nextText(): number {
    const at = this.text++;
    return this.strings.internBytes(this.block.bytes, this.textItems.starts[at]!, this.textItems.ends[at]!);
  }

  nextNumber(): number {
    return this.block.view.getFloat64(this.numbersStart + 8 * this.number++, true);
  }
}
