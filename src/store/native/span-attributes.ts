import { type AttributeSink, type AttributeTable, AttributeType } from "../../model/attribute-table.ts";
import { grow, type StringPool } from "../../model/string-pool.ts";
import type { Arrays } from "./native-writer.ts";

/**
 * How the attributes of spans lie in columns.
 *
 * The keys of a span in their order, each with the place of its value, are one string, its *shape*: spans of one
 * operation share a few. The values follow in that order, each kind in an array of its own:
 *
 *   l  a string that comes again and again, in `labels`
 *   t  a string that is nearly always another one, in `texts`
 *   n  a number, in `numbers`
 *   y  true, f  false: no value
 *   j  JSON text, in `texts`
 *
 * A shape is these letters, each followed by its key and U+001F. So keys cost one dictionary index per span instead
 * of one per attribute, values that repeat go into dictionaries without anybody listing which attributes those are,
 * and the list comes back as it was, order, types and repeated keys included. bench/store.ts has what it gives.
 */
export const ShapeMark = { label: "l", text: "t", number: "n", true: "y", false: "f", json: "j" } as const;
export const SHAPE_END = "\u001f";

/** A key as it stands in a shape: it must not contain the end mark. */
export function shapeKey(key: string): string {
  return key.includes(SHAPE_END) || key.includes("\\")
    ? key.replaceAll("\\", "\\\\").replaceAll(SHAPE_END, "\\u")
    : key;
}

function keyOfShape(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/gs, (_, what: string) => (what === "u" ? SHAPE_END : "\\")) : text;
}

export interface AttributeColumns {
  /** string ids of `shapes` */
  readonly shape: Int32Array;
  readonly labels: Arrays<Int32Array>;
  readonly texts: Arrays<Int32Array>;
  readonly numbers: Arrays<Float64Array>;
}

/** A key whose values come only once in more than 1 of 4 of its attributes has texts, else labels. */
const TEXT_SHARE = 1 / 4;

/** Rows of a step: 4,096 spans of ten attributes take some 2 ms. */
const ROWS_PER_STEP = 4096;

/** Attributes of a step of counting, 1 ms. */
const COUNTED_PER_STEP = 2 ** 17;

/** The lists as columns, in steps; shapes are interned in the pool of the table. */
export function* attributeColumns(table: AttributeTable, strings: StringPool): Generator<void, AttributeColumns> {
  const rows = table.listCount;
  const { isText, labels, texts, numbers } = yield* kindsOfValues(table, strings.size);
  const columns: AttributeColumns = {
    shape: new Int32Array(rows),
    labels: { ends: new Int32Array(rows), items: new Int32Array(labels), count: 0 },
    texts: { ends: new Int32Array(rows), items: new Int32Array(texts), count: 0 },
    numbers: { ends: new Int32Array(rows), items: new Float64Array(numbers), count: 0 },
  };
  const shapes = new Shapes(strings);
  for (let from = 0; from < rows; from += ROWS_PER_STEP) {
    yield;
    fillColumns(table, from, Math.min(from + ROWS_PER_STEP, rows), isText, shapes, columns);
  }
  return columns;
}

function fillColumns(
  table: AttributeTable,
  from: number,
  to: number,
  isText: Uint8Array,
  shapes: Shapes,
  { shape, labels, texts, numbers }: AttributeColumns,
): void {
  const { listStart, key, type, value } = table;
  for (let row = from; row < to; row++) {
    shapes.begin();
    for (let i = listStart[row]!; i < listStart[row + 1]!; i++) {
      const held = value[i]!;
      switch (type[i]) {
        case AttributeType.number:
          shapes.add(key[i]!, NUMBER);
          numbers.items[numbers.count++] = held;
          break;
        case AttributeType.boolean:
          shapes.add(key[i]!, held === 1 ? TRUE : FALSE);
          break;
        case AttributeType.string:
          if (isText[key[i]!] === 0) {
            shapes.add(key[i]!, LABEL);
            labels.items[labels.count++] = held;
            break;
          }
          shapes.add(key[i]!, TEXT);
          texts.items[texts.count++] = held;
          break;
        default:
          shapes.add(key[i]!, JSON_TEXT);
          texts.items[texts.count++] = held;
      }
    }
    shape[row] = shapes.close();
    labels.ends[row] = labels.count;
    texts.ends[row] = texts.count;
    numbers.ends[row] = numbers.count;
  }
}

/** Which keys' strings are texts, and how many values each array gets. */
interface ValueKinds {
  /** 1 for those keys */
  readonly isText: Uint8Array;
  readonly labels: number;
  readonly texts: number;
  readonly numbers: number;
}

/** Exact counts, by key, of the strings that occur once, in two passes. `strings`: size of the pool. */
function* kindsOfValues({ key, type, value }: AttributeTable, strings: number): Generator<void, ValueKinds> {
  const uses = new Int32Array(strings);
  const all = new Int32Array(strings);
  const once = new Int32Array(strings);
  const isText = new Uint8Array(strings);
  let numbers = 0;
  let texts = 0;
  for (let i = 0; i < key.length; i++) {
    if (type[i] === AttributeType.string) {
      uses[value[i]!]!++;
      all[key[i]!]!++;
    } else if (type[i] === AttributeType.number) numbers++;
    else if (type[i] === AttributeType.json) texts++;
    if (i % COUNTED_PER_STEP === 0) yield;
  }
  yield;
  for (let i = 0; i < key.length; i++) {
    if (type[i] === AttributeType.string && uses[value[i]!] === 1) once[key[i]!]!++;
    if (i % COUNTED_PER_STEP === 0) yield;
  }
  let labels = 0;
  for (let id = 0; id < strings; id++) {
    if (once[id]! > TEXT_SHARE * all[id]!) {
      isText[id] = 1;
      texts += all[id]!;
    } else labels += all[id]!;
  }
  return { isText, labels, texts, numbers };
}

const [LABEL, TEXT, NUMBER, TRUE, FALSE, JSON_TEXT] = [0, 1, 2, 3, 4, 5];
const LETTERS = [ShapeMark.label, ShapeMark.text, ShapeMark.number, ShapeMark.true, ShapeMark.false, ShapeMark.json];

/**
 * Finds the shape of a span without making its text: shapes are a tree, whose edges are (key, mark); a shape is
 * the node at which it ends.
 */
class Shapes {
  private readonly strings: StringPool;
  private node = 0;
  private readonly parents: number[] = [-1];
  private readonly edges: number[] = [-1];
  /** string id of the shape that ends at a node, -1 where none did */
  private readonly shapeOf: number[] = [-1];
  /** the child found last from a node, tried first */
  private lastEdge = new Float64Array(1 << 10).fill(-1);
  private lastChild = new Int32Array(1 << 10);
  /** node * 2^32 + edge → child */
  private readonly children = new Map<number, number>();

  constructor(strings: StringPool) {
    this.strings = strings;
  }

  begin(): void {
    this.node = 0;
  }

  add(key: number, mark: number): void {
    const { node } = this;
    const edge = key * 8 + mark;
    if (this.lastEdge[node] === edge) {
      this.node = this.lastChild[node]!;
      return;
    }
    this.node = this.child(node, edge);
    this.lastEdge[node] = edge;
    this.lastChild[node] = this.node;
  }

  /** String id of the shape. */
  close(): number {
    const held = this.shapeOf[this.node]!;
    return held >= 0 ? held : (this.shapeOf[this.node] = this.strings.intern(this.text()));
  }

  /** Nodes are below 2^21 as a block has fewer attributes; edges are below 2^32 as keys are below 2^29. */
  private child(node: number, edge: number): number {
    const path = node * 2 ** 32 + edge;
    const known = this.children.get(path);
    if (known !== undefined) return known;
    const child = this.parents.push(node) - 1;
    this.edges.push(edge);
    this.shapeOf.push(-1);
    this.children.set(path, child);
    if (child === this.lastEdge.length) {
      const had = this.lastEdge.length;
      this.lastEdge = grow(this.lastEdge, Float64Array, child + 1).fill(-1, had);
      this.lastChild = grow(this.lastChild, Int32Array, child + 1);
    }
    return child;
  }

  private text(): string {
    const parts: string[] = [];
    for (let node = this.node; node > 0; node = this.parents[node]!) {
      const edge = this.edges[node]!;
      parts.push(LETTERS[edge % 8]! + shapeKey(this.strings.get(Math.floor(edge / 8))) + SHAPE_END);
    }
    return parts.reverse().join("");
  }
}

/** A shape that was read: its keys and what follows them. */
export interface ParsedShape {
  /** string ids */
  readonly keys: readonly number[];
  readonly marks: readonly string[];
}

export function parseShape(text: string, strings: StringPool): ParsedShape {
  const parts = text.split(SHAPE_END).slice(0, -1);
  return {
    keys: parts.map((part) => strings.intern(keyOfShape(part.slice(1)))),
    marks: parts.map((part) => part[0]!),
  };
}

/** Where the values of a row are. */
export interface ValueSource {
  /** string id of the next label, text or number */
  nextLabel(): number;
  nextText(): number;
  nextNumber(): number;
}

/** Adds a row's attributes to `sink`, in their order. */
export function addShaped({ keys, marks }: ParsedShape, values: ValueSource, sink: AttributeSink): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    switch (marks[i]) {
      case ShapeMark.label:
        sink.add(key, AttributeType.string, values.nextLabel());
        break;
      case ShapeMark.text:
        sink.add(key, AttributeType.string, values.nextText());
        break;
      case ShapeMark.number:
        sink.add(key, AttributeType.number, values.nextNumber());
        break;
      case ShapeMark.true:
        sink.add(key, AttributeType.boolean, 1);
        break;
      case ShapeMark.false:
        sink.add(key, AttributeType.boolean, 0);
        break;
      default:
        sink.add(key, AttributeType.json, values.nextText());
    }
  }
}
